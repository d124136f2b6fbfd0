"""Finding a project and its jobs in CryoSPARC, and making an External job there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from cryoseg_ext.cryosparc import versions
from cryoseg_ext.cryosparc.client import Login, connect, find_login, requesting
from cryoseg_ext.cryosparc.job import EXPOSURES, LOOK, OUTPUT, ExternalJob, exposure_slots
from cryoseg_ext.cryosparc.running import mark_failed, status
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.particles import PARTICLE_SLOTS
from cryoseg_ext.options.training import MODEL_FILE

_ENDED = ("completed", "killed", "failed")


@dataclass(frozen=True)
class Project:
    """A CryoSPARC project whose folder is on this machine.

    Parameters
    ----------
    client_project : cryosparc.controllers.project.ProjectController
        The client's own project (``cryosparc.project.Project`` in version 4).
    folder : Path
        Folder of the project, without symbolic links.
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
        Name, which is also that of the option that names its source.
    type : str
        CryoSPARC's type: exposure, particle or volume.
    slots : Mapping[str, str]
        Slots that must be there, and the data type of each.
    source : str, optional
        Job and output that a new job is connected with, such as ``J12:exposures_accepted``.
    """

    name: str
    type: str
    slots: Mapping[str, str]
    source: str | None

    @property
    def job_and_output(self) -> tuple[str, str]:
        """The parts of `source`; the output is empty where none is named."""
        job_uid, _, output = (self.source or "").partition(":")
        return job_uid, output


def exposure_input(source: str | None, image_slot: str) -> JobInput:
    """Return the input for exposures, with the slot of the images that are read."""
    return JobInput(EXPOSURES, "exposure", exposure_slots(image_slot), source)


def enter_project(project_uid: str, login: Login | None = None) -> Project:
    """Connect to CryoSPARC and find a project and its folder; the terminal shows a mismatch of versions.

    Parameters
    ----------
    project_uid : str
        Number of the project, such as P3.
    login : Login, optional
        From `find_login`; the environment variables and the saved token by default.

    Raises
    ------
    CryosegError
        If the login fails, there is no such project, or its folder is not on this machine.
    """
    instance, mismatch = connect(login or find_login())
    if mismatch:
        click.echo(mismatch, err=True)
    with requesting(f"find project {project_uid}", "check --project"):
        project = instance.find_project(project_uid)
        folder = versions.directory(project)
    if not folder.is_dir():
        raise CryosegError(
            f"{folder}, the folder of {project_uid}, is not on this machine: run cryoseg on the "
            "CryoSPARC master or a worker"
        )
    return Project(project, folder.resolve(), mismatch)


def find_model(project: Project, model: Path | str | None) -> Path | None:
    """Return the file of a model: a training job such as ``J45`` stands for the one in its folder.

    Raises
    ------
    CryosegError
        If there is no such job.
    """
    if model is None or not re.fullmatch(r"J\d+", str(model)):
        return None if model is None else Path(model)
    with requesting(f"find job {model}", "check the model's job"):
        return versions.directory(project.client_project.find_job(str(model))) / MODEL_FILE


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
        From `enter_project`.
    workspace_uid : str
        Workspace for a new job, such as W1.
    title : str
        Title of a new job.
    inputs : Sequence[JobInput]
        Inputs of a new job, with their sources.
    picks : bool
        Whether the job gives particles.
    job_uid : str, optional
        An earlier job; then `workspace_uid` and the sources are not used.

    Raises
    ------
    CryosegError
        If one of them does not exist, a source is of another type, or the earlier job of another kind. No
        job is made then.
    """
    if job_uid:
        job = _earlier_job(project, inputs, job_uid, picks=picks)
    else:
        job = _new_job(project, workspace_uid, title, inputs, picks=picks)
    with requesting(f"find the folder of {job.uid}", LOOK):
        folder = versions.directory(job)
    return ExternalJob(job, project.folder, folder.resolve())


def ending_of(project: Project, source: JobInput) -> Callable[[], bool]:
    """Return a function that says whether the job of a source has ended; always False, if it has already."""
    if source.source is None:
        return lambda: False
    job_uid, _ = source.job_and_output

    def has_ended() -> bool:
        with requesting(f"find job {job_uid}", f"check --{source.name}"):
            return status(project.client_project.find_job(job_uid)) in _ENDED

    return (lambda: False) if has_ended() else has_ended


def _new_job(
    project: Project, workspace_uid: str | None, title: str, inputs: Sequence[JobInput], *, picks: bool
) -> Any:
    if not workspace_uid or not all(one.source for one in inputs):
        options = " and ".join(f"--{name}" for name in ("workspace", *(one.name for one in inputs)))
        raise CryosegError(f"give {options} for a new job, or --job to go on with one")
    for one in inputs:
        _check_source(project, one)
    place = f"workspace {workspace_uid} of {project.client_project.uid}"
    with requesting(f"make a job in {place}", "check --workspace"):
        job = project.client_project.create_external_job(workspace_uid, title=title)
    try:
        for one in inputs:
            with requesting(f"connect {one.source} with {job.uid}", f"check --{one.name}"):
                slots = [versions.slot(name, dtype) for name, dtype in one.slots.items()]
                job.add_input(one.type, one.name, min=1, max=1, slots=slots, title=one.name.capitalize())
                job.connect(one.name, *one.job_and_output)
        if picks:
            with requesting(f"add an output to {job.uid}", LOOK):
                job.add_output("particle", OUTPUT, slots=list(PARTICLE_SLOTS), title="Picked particles")
    except BaseException as error:
        mark_failed(job, error)
        raise
    return job


def _check_source(project: Project, wanted: JobInput) -> None:
    """Refuse a source that is no output of the right type; CryoSPARC would do so when the job is made."""
    job_uid, output = wanted.job_and_output
    if not job_uid:
        raise CryosegError(f"--{wanted.name} {wanted.source}: give job and output, as in J12:{wanted.name}")
    with requesting(f"find job {job_uid}", f"check --{wanted.name}"):
        types = versions.output_types(project.client_project.find_job(job_uid))
    if types.get(output) == wanted.type:
        return
    fitting = [f"{job_uid}:{name}" for name, type_ in types.items() if type_ == wanted.type]
    found = f"{output} is of type {types[output]}" if output in types else f"no output {output}".rstrip()
    remedy = f"give {' or '.join(fitting)}" if fitting else f"{job_uid} has none of type {wanted.type}"
    raise CryosegError(f"--{wanted.name} {wanted.source}: {found}: {remedy}")


def _earlier_job(project: Project, inputs: Sequence[JobInput], job_uid: str, *, picks: bool) -> Any:
    remedy = "give --job the number that cryoseg showed, or leave it out for a new job"
    with requesting(f"find the External job {job_uid}", remedy):
        job = project.client_project.find_external_job(job_uid)
        if picks:
            job.alloc_output(OUTPUT, 0)
    if not {one.name for one in inputs} <= versions.input_names(job):
        raise CryosegError(f"{job_uid} is another kind of job: {remedy}")
    return job
