"""The protocol of CryoSPARC 4.7: JSON-RPC at ``/api`` of three ports, and plain requests for data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from pydantic import ConfigDict, ValidationError, validate_call
from typing_extensions import TypedDict

from tests.cryoseg_ext.cryosparc.instance import EMAIL, LICENSE, PASSWORD, Instance, Job, RefusedError

Method = Callable[..., Any]
STRICT = ConfigDict(strict=True)


class Slot(TypedDict):
    """A slot whose name is not its data type."""

    prefix: str
    dtype: str
    required: Literal[True]


def rpc_app(instance: Instance) -> FastAPI:
    """Return the server's program; the same one answers on all three ports."""
    app = FastAPI()
    functions = (*_core(instance), *_jobs(instance), *_visualisation(instance))
    methods: dict[str, Method] = {function.__name__: function for function in functions}

    @app.post("/api")
    async def call(request: Request) -> dict[str, Any]:
        _check_client(request)
        message = await request.json()
        if message["method"] == "system.describe":
            return {"result": {"procs": [{"name": name} for name in methods]}}
        parameters = message["params"]
        positional, named = ([], parameters) if isinstance(parameters, dict) else (parameters, {})
        try:
            checked = validate_call(config=STRICT)(methods[message["method"]])
            return {"result": checked(*positional, **named)}
        except (RefusedError, ValidationError) as error:
            return {"error": {"name": "ServerError", "code": 500, "message": str(error)}}

    _add_data(app, instance)
    return app


def _core(instance: Instance) -> tuple[Method, ...]:
    def get_id_by_email_password(email: str, password: str) -> str:
        if (email, password) != (EMAIL, PASSWORD):
            raise RefusedError(401, "Invalid email or password")
        return "user"

    def get_running_version() -> str:
        return instance.version

    def get_project(project_uid: str) -> dict[str, Any]:
        instance.check_project(project_uid)
        return {"uid": project_uid}

    def get_project_dir_abs(project_uid: str) -> str:
        instance.check_project(project_uid)
        return str(instance.project_folder)

    return get_id_by_email_password, get_running_version, get_project, get_project_dir_abs


def _jobs(instance: Instance) -> tuple[Method, ...]:
    def get_job(project_uid: str, job_uid: str) -> dict[str, Any]:
        return _document(instance, instance.job(project_uid, job_uid))

    def get_job_dir_abs(project_uid: str, job_uid: str) -> str:
        return str(instance.job_folder(instance.job(project_uid, job_uid).uid))

    def run_external_job(project_uid: str, job_uid: str, status: Literal["running", "waiting"]) -> None:
        instance.set_status(instance.job(project_uid, job_uid), status)

    def set_job_status(project_uid: str, job_uid: str, status: Literal["completed", "failed"]) -> None:
        job = instance.job(project_uid, job_uid)
        instance.set_status(job, status, job.log[-1] if status == "failed" else "")

    def job_send_streamlog(
        project_uid: str,
        job_uid: str,
        message: str,
        error: bool = False,
        flags: list[str] | None = None,
        imgfiles: list[dict[str, str]] | None = None,
    ) -> str:
        job = instance.job(project_uid, job_uid)
        if imgfiles:
            job.plots.append(message)
            return "plot"
        return str(instance.write_log(job, message))

    return get_job, get_job_dir_abs, run_external_job, set_job_status, job_send_streamlog


def _visualisation(instance: Instance) -> tuple[Method, ...]:
    def create_external_job(
        project_uid: str, workspace_uid: str, user: Literal["user"], title: str, desc: str | None
    ) -> str:
        return instance.create_external_job(project_uid, workspace_uid, title).uid

    def add_external_job_input(
        project_uid: str,
        job_uid: str,
        type: str,  # noqa: A002
        name: str,
        min: int,  # noqa: A002
        max: int | Literal["inf"],  # noqa: A002
        slots: list[str | Slot],
        title: str,
    ) -> None:
        pairs = [(one, one) if isinstance(one, str) else (one["prefix"], one["dtype"]) for one in slots]
        instance.add_input(instance.job(project_uid, job_uid), name, type, title, dict(pairs))

    def add_external_job_output(
        project_uid: str,
        job_uid: str,
        type: str,  # noqa: A002
        name: str,
        slots: list[str],
        passthrough: str | None,
        title: str,
    ) -> None:
        instance.add_output(instance.job(project_uid, job_uid), name, type, title, slots)

    def connect_external_job(
        project_uid: str,
        source_job_uid: str,
        source_output: str,
        target_job_uid: str,
        target_input: str,
        slots: list[str],
        title: str,
        desc: str,
    ) -> None:
        job = instance.job(project_uid, target_job_uid)
        instance.connect(job, target_input, source_job_uid, source_output)

    return create_external_job, add_external_job_input, add_external_job_output, connect_external_job


def _add_data(app: FastAPI, instance: Instance) -> None:
    async def refuse(request: Request, error: Exception) -> Response:
        code = error.code if isinstance(error, RefusedError) else 500
        return JSONResponse({"detail": str(error)}, code)

    app.exception_handler(RefusedError)(refuse)

    @app.post("/load_job_input")
    async def load_job_input(request: Request) -> Response:
        asked = await request.json()
        if set(asked) != {"project_uid", "job_uid", "input_name", "slots"}:
            raise RefusedError(422, f"unknown fields in {asked}")
        job = instance.job(asked["project_uid"], asked["job_uid"])
        dataset = instance.load_input(job, asked["input_name"], asked["slots"])
        return Response(b"".join(dataset.stream()), media_type="application/x-cryosparc-dataset")

    @app.post("/projects/{project}/jobs/{uid}/files")
    async def upload(project: str, uid: str, filename: str, format: str, request: Request) -> dict[str, str]:  # noqa: A002
        instance.job(project, uid)
        return instance.upload_asset(filename, format, await request.body())

    @app.post("/external/projects/{project}/jobs/{uid}/outputs/{name}/dataset")
    async def save_output(project: str, uid: str, name: str, request: Request) -> str:
        instance.save_output(instance.job(project, uid), name, await request.body())
        return "saved"


def _document(instance: Instance, job: Job) -> dict[str, Any]:
    results = [
        {
            "group_name": name,
            "name": slot,
            "passthrough": False,
            "metafiles": [],
            "min_fields": [
                (column.removeprefix(f"{slot}/"), dtype)
                for column, dtype in instance.fields_of(job, name)
                if column.startswith(f"{slot}/")
            ],
        }
        for name, output in job.outputs.items()
        for slot in output.slots
    ]
    return {
        "uid": job.uid,
        "project_uid": "P3",
        "job_type": job.type,
        "status": job.status,
        "input_slot_groups": [{"name": name} for name in job.inputs],
        "output_result_groups": [
            {"name": name, "type": output.type, "title": output.title, "contains": []}
            for name, output in job.outputs.items()
        ],
        "output_results": results,
    }


def _check_client(request: Request) -> None:
    if request.headers.get("license-id") != LICENSE:
        raise HTTPException(403, "unknown licence")
