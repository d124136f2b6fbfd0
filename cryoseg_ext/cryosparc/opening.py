"""Finding a project and its jobs in CryoSPARC, and making an External job there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryoseg_ext.cryosparc import versions
from cryoseg_ext.cryosparc.client import Login, asking, connect, find_login
from cryoseg_ext.cryosparc.job import EXPOSURES, LOOK, OUTPUT, ExternalJob, exposure_slots
from cryoseg_ext.cryosparc.running import mark_failed, status
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.groups import PARTICLE_SLOTS
from cryoseg_ext.model.checkpoint import Model, load_model

_ENDED = ("completed", "killed", "failed")


@dataclass(frozen=True)
class Project:
    """A CryoSPARC project whose folder is on this machine.

    Parameters
    ----------
    client_project : cryosparc.controllers.project.ProjectController
        The client's own project (``cryosparc.project.Project`` in version 4).
    folder : Path
        Its folder, without symbolic links.
    mismatch : str or None
        One sentence, if CryoSPARC and the client here are not of the same version.
    """

    client_project: Any
    folder: Path
    mismatch: str | None


@dataclass(frozen=True)
class JobInput:
    """An input that a job has.

    Parameters
    ----------
    name : str
        Its name, which is also that of the option that names its source.
    type : str
        CryoSPARC's type: exposure, particle or volume.
    slots : Mapping[str, str]
        The slots that must be there, and the data type of each.
    source : str, optional
        Job and output that a new job is connected with, such as ``J12:exposures_accepted``.
    """

    name: str
    type: str
    slots: Mapping[str, str]
    source: str | None

    @property
    def job_and_output(self) -> tuple[str, str]:
        """The parts of `source`."""
        job_uid, _, output = (self.source or "").partition(":")
        if not job_uid or not output:
            raise CryosegError(
                f"--{self.name} {self.source}: give job and output, as in J12:exposures_accepted"
            )
        return job_uid, output


def exposure_input(source: str | None, image_slot: str) -> JobInput:
    """Return the input for exposures, with the slot of the images that are read."""
    return JobInput(EXPOSURES, "exposure", exposure_slots(image_slot), source)


def enter_project(project_uid: str, login: Login | None, tell: Callable[[str], None]) -> Project:
    """Connect to CryoSPARC and find a project and its folder.

    Parameters
    ----------
    project_uid : str
        Such as P3.
    login : Login, optional
        From `find_login`; the environment variables and the saved token by default.
    tell : callable
        Told of a mismatch of versions.

    Raises
    ------
    CryosegError
        If the login fails, there is no such project, or its folder is not on this machine.
    """
    instance, mismatch = connect(login or find_login())
    if mismatch:
        tell(mismatch)
    with asking(f"find project {project_uid}", "check --project"):
        project = instance.find_project(project_uid)
        folder = versions.directory(project)
    if not folder.is_dir():
        raise CryosegError(
            f"{folder}, the folder of {project_uid}, is not on this machine: run cryoseg on the "
            "CryoSPARC master or a worker"
        )
    return Project(project, folder.resolve(), mismatch)


def find_model(project: Project, model: Path | str | None) -> Path | None:
    """Return the file of a model: a training job such as ``J45`` stands for the one in its folder."""
    if model is None or not re.fullmatch(r"J\d+", str(model)):
        return None if model is None else Path(model)
    from cryoseg_ext.training.fine_tune import MODEL

    with asking(f"find job {model}", "check the model's job"):
        return versions.directory(project.client_project.find_job(str(model))) / MODEL


def load_named_model(
    project: Project, model: Path | str | None, device: str, architecture: str | None = None
) -> Model:
    """Load a model that `find_model` finds.

    Raises
    ------
    CryosegError
        If it cannot be used, or there is no such device.
    """
    try:
        return load_model(find_model(project, model), device, architecture)
    except (RuntimeError, AssertionError) as error:
        raise CryosegError(f"--device {device}: PyTorch finds no such device here: give cpu") from error


def open_job(
    project: Project,
    workspace_uid: str | None,
    title: str,
    inputs: Sequence[JobInput],
    *,
    picks: bool,
    job_uid: str | None,
) -> ExternalJob:
    """Make an External job that is connected to its sources, or find the one to go on with.

    Parameters
    ----------
    project : Project
        From `find_project`.
    workspace_uid : str
        For a new job, such as W1.
    title : str
        What a new job is called.
    inputs : Sequence[JobInput]
        Of a new job, with their sources.
    picks : bool
        Whether the job gives particles.
    job_uid : str, optional
        An earlier job; then `workspace_uid` and the sources are not used.

    Raises
    ------
    CryosegError
        If one of them does not exist, or the earlier job is of another kind.
    """
    if job_uid:
        job = _earlier_job(project, inputs, job_uid, picks=picks)
    else:
        job = _new_job(project, workspace_uid, title, inputs, picks=picks)
    with asking(f"tell the folder of {job.uid}", LOOK):
        folder = versions.directory(job)
    return ExternalJob(job, project.folder, folder.resolve())


def ending_of(project: Project, source: JobInput) -> Callable[[], bool]:
    """Return what asks whether no more will come from a source; never, if it has ended already."""
    if source.source is None:
        return lambda: False
    job_uid, _ = source.job_and_output

    def has_ended() -> bool:
        with asking(f"find job {job_uid}", f"check --{source.name}"):
            return status(project.client_project.find_job(job_uid)) in _ENDED

    return (lambda: False) if has_ended() else has_ended


def _new_job(
    project: Project, workspace_uid: str | None, title: str, inputs: Sequence[JobInput], *, picks: bool
) -> Any:
    if not workspace_uid or not all(one.source for one in inputs):
        options = " and ".join(f"--{name}" for name in ("workspace", *(one.name for one in inputs)))
        raise CryosegError(f"give {options} for a new job, or --job to go on with one")
    for one in inputs:
        source_uid, _ = one.job_and_output
        with asking(f"find job {source_uid}", f"check --{one.name}"):
            project.client_project.find_job(source_uid)
    place = f"workspace {workspace_uid} of {project.client_project.uid}"
    with asking(f"make a job in {place}", "check --workspace"):
        job = project.client_project.create_external_job(workspace_uid, title=title)
    try:
        for one in inputs:
            with asking(f"connect {one.source} with {job.uid}", f"check --{one.name}"):
                slots = [versions.slot(name, dtype) for name, dtype in one.slots.items()]
                job.add_input(one.type, one.name, min=1, max=1, slots=slots, title=one.name.capitalize())
                job.connect(one.name, *one.job_and_output)
        if picks:
            with asking(f"add an output to {job.uid}", LOOK):
                job.add_output("particle", OUTPUT, slots=list(PARTICLE_SLOTS), title="Picked particles")
    except BaseException as error:
        mark_failed(job, error)
        raise
    return job


def _earlier_job(project: Project, inputs: Sequence[JobInput], job_uid: str, *, picks: bool) -> Any:
    mend = "give --job the number that cryoseg told, or leave it out for a new job"
    with asking(f"find the External job {job_uid}", mend):
        job = project.client_project.find_external_job(job_uid)
        if picks:
            job.alloc_output(OUTPUT, 0)
    if not {one.name for one in inputs} <= versions.input_names(job):
        raise CryosegError(f"{job_uid} is another kind of job: {mend}")
    return job
