"""The protocol of CryoSPARC 5: FastAPI checks requests and writes the OpenAPI document, as it does there."""

from __future__ import annotations

from datetime import datetime, timezone
from hashlib import sha256
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs

from cryosparc.models.asset import GridFSAsset
from cryosparc.models.auth import Token
from cryosparc.models.event import CheckpointEvent, ImageEvent, TextEvent
from cryosparc.models.job import Job as JobModel
from cryosparc.models.job_spec import InputSlot, InputSpec, OutputSpec
from cryosparc.models.project import Project
from cryosparc.models.user import User
from fastapi import Body, Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import ConfigDict

from tests.cryoseg_ext.cryosparc.instance import EMAIL, PASSWORD, Instance, Job, RefusedError

TOKEN = "token"
CSDAT = "application/x-cryosparc-dataset"
NOW = datetime(2026, 11, 1, tzinfo=timezone.utc)
JOB = "/projects/{project}/jobs/{uid}"

Slots = Annotated[list[str], Query()]
TextBody = Annotated[str, Body()]
Level = Literal["text", "warning", "error"]


class StrictInputSpec(InputSpec):  # type: ignore[misc] # it has no type hints
    model_config = ConfigDict(extra="forbid", strict=True)


class StrictOutputSpec(OutputSpec):  # type: ignore[misc] # it has no type hints
    model_config = ConfigDict(extra="forbid", strict=True)


class StrictAsset(GridFSAsset):  # type: ignore[misc] # it has no type hints
    model_config = ConfigDict(extra="forbid", strict=True)


def rest_app(instance: Instance) -> FastAPI:
    """Return the server's program; the client finds a method by its `summary` in the OpenAPI document."""
    app = FastAPI()
    api = FastAPI(separate_input_output_schemas=False, dependencies=[Depends(_check_client)])
    app.mount("/api/cmd", api)
    api.exception_handler(RefusedError)(_refuse)
    _add_instance(api, instance)
    _add_jobs(api, instance)
    _add_status(api, instance)
    _add_data(api, instance)
    _add_events(api, instance)
    return app


def _add_instance(api: FastAPI, instance: Instance) -> None:
    @api.post("/login", summary="login", openapi_extra=_body("application/x-www-form-urlencoded"))
    async def login(request: Request) -> Token:
        form = parse_qs((await request.body()).decode(), strict_parsing=True)
        wanted = {"grant_type": "password", "username": EMAIL, "password": _sha256(PASSWORD)}
        if form != {name: [value] for name, value in wanted.items()}:
            raise HTTPException(401, "Incorrect username or password")
        return Token(access_token=TOKEN, token_type="bearer")

    @api.get("/users/me", summary="users.me")
    async def me() -> User:
        return User(name="ali", first_name="Ali", last_name="A")

    @api.get("/version", summary="config.get_version")
    async def version() -> str:
        return instance.version

    @api.get("/projects/{project}", summary="projects.find_one")
    async def project(project: str) -> Project:
        instance.check_project(project)
        folder = str(instance.project_folder)
        owner = {"owner_user_id": "1", "uid_num": 3, "size_last_updated": NOW}
        return Project.model_validate({"uid": project, "project_dir": folder, "title": "", **owner})

    @api.get("/projects/{project}/directory", summary="projects.get_directory")
    async def directory(project: str) -> str:
        instance.check_project(project)
        return str(instance.project_folder)


def _add_jobs(api: FastAPI, instance: Instance) -> None:
    @api.post("/projects/{project}/workspaces/{workspace}/jobs", summary="jobs.create")
    async def create(project: str, workspace: str, type: str, title: str, description: str = "") -> JobModel:  # noqa: A002
        if type != "snowflake":
            raise RefusedError(422, f"{type} is no External job")
        return _job(instance.create_external_job(project, workspace, title))

    @api.get(JOB, summary="jobs.find_one")
    async def find_one(project: str, uid: str) -> JobModel:
        return _job(instance.job(project, uid))

    @api.get(f"{JOB}/directory", summary="jobs.get_directory")
    async def job_directory(project: str, uid: str) -> str:
        return str(instance.job_folder(instance.job(project, uid).uid))

    @api.put(f"{JOB}/inputs/{{name}}", summary="jobs.add_external_input")
    async def add_input(project: str, uid: str, name: str, spec: StrictInputSpec) -> JobModel:
        job = instance.job(project, uid)
        assert all(isinstance(slot, InputSlot) and slot.required for slot in spec.slots)
        instance.add_input(job, name, spec.type, spec.title, {slot.name: slot.dtype for slot in spec.slots})
        return _job(job)

    @api.put(f"{JOB}/outputs/{{name}}", summary="jobs.add_external_output")
    async def add_output(project: str, uid: str, name: str, spec: StrictOutputSpec) -> JobModel:
        job = instance.job(project, uid)
        instance.add_output(job, name, spec.type, spec.title, [slot.name for slot in spec.slots])
        return _job(job)

    @api.post(f"{JOB}/inputs/{{name}}/connections", summary="jobs.connect")
    async def connect(
        project: str, uid: str, name: str, source_job_uid: str, source_output_name: str
    ) -> JobModel:
        job = instance.job(project, uid)
        instance.connect(job, name, source_job_uid, source_output_name)
        return _job(job)


def _add_status(api: FastAPI, instance: Instance) -> None:
    @api.post(f"{JOB}/running", summary="jobs.mark_running")
    async def mark_running(project: str, uid: str, status: Literal["running", "waiting"]) -> JobModel:
        instance.set_status(instance.job(project, uid), status)
        return _job(instance.job(project, uid))

    @api.post(f"{JOB}/completed", summary="jobs.mark_completed")
    async def mark_completed(project: str, uid: str) -> JobModel:
        instance.set_status(instance.job(project, uid), "completed")
        return _job(instance.job(project, uid))

    @api.post(f"{JOB}/failed", summary="jobs.mark_failed")
    async def mark_failed(project: str, uid: str, error: str) -> JobModel:
        instance.set_status(instance.job(project, uid), "failed", error)
        return _job(instance.job(project, uid))


def _add_data(api: FastAPI, instance: Instance) -> None:
    dataset_reply: dict[int | str, dict[str, Any]] = {200: {"content": {CSDAT: {}}}}

    @api.get(f"{JOB}/inputs/{{name}}/dataset", summary="jobs.load_input", responses=dataset_reply)
    async def load_input(project: str, uid: str, name: str, slots: Slots) -> Response:
        dataset = instance.load_input(instance.job(project, uid), name, slots)
        return Response(b"".join(dataset.stream()), media_type=CSDAT)

    @api.post(f"{JOB}/outputs/{{name}}/fields", summary="jobs.get_output_fields")
    async def get_output_fields(
        project: str, uid: str, name: str, parameters: dict[str, Any]
    ) -> list[tuple[str, str]]:
        return instance.fields_of(instance.job(project, uid), name)

    @api.put(f"{JOB}/outputs/{{name}}/dataset", summary="jobs.save_output", openapi_extra=_body(CSDAT))
    async def save_output(project: str, uid: str, name: str, version: int, request: Request) -> JobModel:
        job = instance.job(project, uid)
        instance.save_output(job, name, await request.body())
        return _job(job)

    stream = _body("application/octet-stream")

    @api.post("/assets/{project}/{uid}", summary="assets.upload", openapi_extra=stream)
    async def upload(
        project: str,
        uid: str,
        filename: str,
        format: Literal["png", "pdf"],  # noqa: A002
        request: Request,
    ) -> GridFSAsset:
        instance.job(project, uid)
        return GridFSAsset(**instance.upload_asset(filename, format, await request.body()))

    @api.put(f"{JOB}/outputs/{{name}}/image", summary="jobs.set_output_image")
    async def set_output_image(project: str, uid: str, name: str, asset: StrictAsset) -> JobModel:
        job = instance.job(project, uid)
        job.outputs[name].image = asset.fileid
        return _job(job)

    @api.put(f"{JOB}/tile", summary="jobs.set_tile_image")
    async def set_tile_image(project: str, uid: str, asset: StrictAsset) -> JobModel:
        job = instance.job(project, uid)
        job.tile = asset.fileid
        return _job(job)


def _add_events(api: FastAPI, instance: Instance) -> None:
    def event(project: str, uid: str, number: int, **more: Any) -> dict[str, Any]:
        return {"_id": f"{number:024d}", "project_uid": project, "job_uid": uid, **more}

    @api.post(f"{JOB}/events", summary="jobs.add_event_log")
    async def add_event_log(project: str, uid: str, text: TextBody, type: Level) -> TextEvent:  # noqa: A002
        number = instance.write_log(instance.job(project, uid), text)
        return TextEvent.model_validate(event(project, uid, number, type=type, text=text))

    @api.patch(f"{JOB}/events/{{number}}", summary="jobs.update_event_log")
    async def update_event_log(
        project: str,
        uid: str,
        number: str,
        text: TextBody,
        type: Level,  # noqa: A002
    ) -> TextEvent:
        instance.write_log(instance.job(project, uid), text, int(number))
        return TextEvent.model_validate(event(project, uid, int(number), type=type, text=text))

    @api.post(f"{JOB}/checkpoints", summary="jobs.add_checkpoint")
    async def add_checkpoint(project: str, uid: str, meta: dict[str, Any]) -> CheckpointEvent:
        return CheckpointEvent.model_validate(event(project, uid, 0, type="checkpoint", meta=meta))

    @api.post(f"{JOB}/images", summary="jobs.add_image_log")
    async def add_image_log(
        project: str, uid: str, text: str, flags: Slots, imgfiles: list[StrictAsset]
    ) -> ImageEvent:
        instance.job(project, uid).plots.append(text)
        return ImageEvent.model_validate(event(project, uid, 0, type="image", text=text, flags=flags))


def _job(job: Job) -> JobModel:
    inputs = {name: {"type": one.type, "title": one.title} for name, one in job.inputs.items()}
    outputs = {name: {"type": one.type, "title": one.title} for name, one in job.outputs.items()}
    spec = {"type": job.type, "inputs": inputs, "outputs": outputs, "resource_spec": {}}
    sizes = {"ui_tile_width": 1, "ui_tile_height": 1}
    numbers = {"uid_num": int(job.uid[1:]), "project_uid_num": 3, "status_num": 0}
    dates = {"job_dir": job.uid, "job_dir_size_last_updated": NOW, "build_errors": []}
    known = {"uid": job.uid, "project_uid": "P3", "title": job.title, "status": job.status}
    return JobModel.model_validate({**known, "spec": spec | sizes, **numbers, **dates})


def _body(mime: str) -> dict[str, Any]:
    """Return what the OpenAPI document says of a request whose body is read as it is."""
    return {"requestBody": {"content": {mime: {"schema": {"type": "string", "format": "binary"}}}}}


def _check_client(request: Request) -> None:
    path = request.url.path
    if not request.headers.get("user-agent", "").startswith("cryosparc-tools/5."):
        raise HTTPException(400, "not cryosparc-tools 5")
    if not path.endswith("/login") and request.headers.get("authorization") != f"Bearer {TOKEN}":
        raise HTTPException(401, "not logged in")


async def _refuse(request: Request, error: Exception) -> Response:
    code = error.code if isinstance(error, RefusedError) else 500
    return JSONResponse({"detail": str(error)}, code)


def _sha256(text: str) -> str:
    return sha256(text.encode()).hexdigest()
