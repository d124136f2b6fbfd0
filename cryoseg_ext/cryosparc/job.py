"""A running External job of CryoSPARC: whatever happens, it is marked completed only at its good end."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from types import FrameType
from typing import Any

from cryoseg_ext.cryosparc import client
from cryoseg_ext.cryosparc.client import ServerGoneError, asking
from cryoseg_ext.cryosparc.groups import PARTICLE_SLOTS, Exposure, exposures
from cryoseg_ext.cryosparc.particles import PickedExposure, fill_particles
from cryoseg_ext.errors import CryosegError

INPUT, OUTPUT = "exposures", "particles"
INPUT_SLOTS = ("micrograph_blob", "mscope_params")
TITLE = "cryoseg picks"

_ACTIVE = ("running", "waiting")
_ENDED = ("completed", "killed", "failed")
_STATUS_INTERVAL_S = 5.0
_TERMINATED_CODE = 128 + signal.SIGTERM
_Handler = Callable[[int, FrameType | None], object] | signal.Handlers


class JobKilledError(CryosegError):
    """Somebody killed or cleared the job in CryoSPARC."""


@dataclass
class ExternalJob:
    """An External job that takes exposures and gives particles.

    Parameters
    ----------
    client_job : cryosparc.controllers.job.ExternalJobController
        The client's own job (``cryosparc.job.ExternalJob`` in version 4).
    project_folder, folder : Path
        Of the project and of the job, without symbolic links.
    """

    client_job: Any
    project_folder: Path
    folder: Path
    _progress_shown_s: float = field(default=-math.inf, init=False)
    _status_read_s: float = field(default=-math.inf, init=False)
    _status: str = field(default="", init=False)

    @property
    def uid(self) -> str:
        """The job's number, such as J45."""
        return str(self.client_job.uid)

    def log(self, text: str, level: str = "text") -> None:
        """Add a line to the event log; `level` is text, warning or error."""
        with asking(f"write to the log of {self.uid}", "look at the job in CryoSPARC"):
            self.client_job.log(text, level=level)

    def show_progress(self, text: str, *, last: bool) -> None:
        """Show how far the job is; calls that follow too fast are left out, except for the last."""
        now_s = time.monotonic()
        if last or now_s - self._progress_shown_s >= client.PROGRESS_INTERVAL_S:
            self._progress_shown_s = now_s
            with asking(f"write to the log of {self.uid}", "look at the job in CryoSPARC"):
                client.show_progress(self.client_job, text)

    def log_picture(self, png: bytes, text: str) -> None:
        """Add a picture to the event log."""
        with asking(f"add a picture to the log of {self.uid}", "look at the job in CryoSPARC"):
            self.client_job.log_plot(BytesIO(png), text, formats=["png"])

    def read_exposures(self) -> list[Exposure]:
        """Return the exposures that the connected output has at present."""
        with asking(f"load the exposures of {self.uid}", "wait until the connected job has micrographs"):
            results = self.client_job.load_input(INPUT, list(INPUT_SLOTS))
        return exposures(f"the input of {self.uid}", results)

    def save_particles(self, picked: Sequence[PickedExposure], min_distance_A: float) -> int:
        """Save the picks as the job's particles and return their number."""
        number = sum(len(one.picks) for one in picked)
        with asking(f"save the particles of {self.uid}", "look at the job in CryoSPARC"):
            particles = self.client_job.alloc_output(OUTPUT, number)
            fill_particles(particles, picked, min_distance_A)
            self.client_job.save_output(OUTPUT, particles)
        return number

    def set_images(self, image: Path) -> None:
        """Show a picture on the job and its output."""
        with asking(f"set the picture of {self.uid}", "look at the job in CryoSPARC"):
            client.set_images(self.client_job, OUTPUT, image)

    def check_folder(self) -> None:
        """Raise `CryosegError` where the job's folder is not one to write to."""
        if not os.access(self.folder, os.W_OK):
            raise CryosegError(
                f"{self.folder}, the folder of {self.uid}, cannot be written: run as a user who may"
            )

    def is_killed(self) -> bool:
        """Whether somebody ended the job in CryoSPARC; it is asked every few seconds at most."""
        now_s = time.monotonic()
        if now_s - self._status_read_s >= _STATUS_INTERVAL_S:
            self._status_read_s = now_s
            self._status = _status(self.client_job)
        return self._status not in _ACTIVE

    def raise_if_killed(self) -> None:
        """Raise `JobKilledError` when somebody ended the job in CryoSPARC."""
        if self.is_killed():
            raise JobKilledError(f"{self.uid} was ended in CryoSPARC: it is {self._status} there")


def open_job(
    instance: Any, project_uid: str, workspace_uid: str | None, source: str | None, job_uid: str | None
) -> ExternalJob:
    """Make an External job that is connected to exposures, or find the one to go on with.

    Parameters
    ----------
    instance : cryosparc.tools.CryoSPARC
        From `client.connect`.
    project_uid, workspace_uid : str
        Such as P3 and W1.
    source : str
        Job and output with the exposures, such as ``J12:exposures_accepted``.
    job_uid : str, optional
        An earlier job; then `workspace_uid` and `source` are not used.

    Raises
    ------
    CryosegError
        If one of them does not exist, or the folders are not on this machine.
    """
    with asking(f"find project {project_uid}", "check --project"):
        project = instance.find_project(project_uid)
        project_folder = client.directory(project)
    if not project_folder.is_dir():
        raise CryosegError(
            f"{project_folder}, the folder of {project_uid}, is not on this machine: run cryoseg on the "
            "CryoSPARC master or a worker"
        )
    job = _earlier_job(project, job_uid) if job_uid else _new_job(project, workspace_uid, source)
    with asking(f"tell the folder of {job.uid}", "look at the job in CryoSPARC"):
        folder = client.directory(job)
    return ExternalJob(job, project_folder.resolve(), folder.resolve())


def source_has_ended(instance: Any, project_uid: str, source: str) -> bool:
    """Whether the job that the exposures come from is completed, failed or killed."""
    job_uid, _ = split_source(source)
    with asking(f"find job {job_uid}", "check --exposures"):
        return _status(instance.find_job(project_uid, job_uid)) in _ENDED


def split_source(source: str) -> tuple[str, str]:
    """Return job and output of ``J12:exposures_accepted``."""
    job_uid, _, output = source.partition(":")
    if not job_uid or not output:
        raise CryosegError(f"--exposures {source}: give job and output, as in J12:exposures_accepted")
    return job_uid, output


@contextmanager
def running(job: ExternalJob, tell: Callable[[str], None]) -> Iterator[None]:
    """Run the body as the job: completed at its end, failed after an exception, Ctrl-C or SIGTERM.

    Parameters
    ----------
    job : ExternalJob
        The job.
    tell : Callable[[str], None]
        Told how to go on after a failure.
    """
    with _signals({signal.SIGTERM: _raise_exit}):
        with asking(f"start {job.uid}", "leave --job out to make a new job"):
            if _status(job.client_job) not in _ACTIVE:
                job.client_job.start("running")
        try:
            yield
            with asking(f"complete {job.uid}", "look at the job in CryoSPARC"):
                client.stop(job.client_job)
        except BaseException as error:
            # A second Ctrl-C must not come between the job and its mark.
            with _signals({signal.SIGTERM: signal.SIG_IGN, signal.SIGINT: signal.SIG_IGN}):
                marked = _mark_failed(job.client_job, error)
            tell(f"{marked}; what is finished is kept: run the same command with --job {job.uid} to go on")
            raise


def _new_job(project: Any, workspace_uid: str | None, source: str | None) -> Any:
    if not workspace_uid or not source:
        raise CryosegError("give --workspace and --exposures for a new job, or --job to go on with one")
    source_job, output = split_source(source)
    with asking(f"find job {source_job}", "check --exposures"):
        project.find_job(source_job)
    with asking(f"make a job in workspace {workspace_uid} of {project.uid}", "check --workspace"):
        job = project.create_external_job(workspace_uid, title=TITLE)
    try:
        with asking(f"connect {source} with {job.uid}", "check --exposures"):
            job.add_input("exposure", INPUT, min=1, max=1, slots=list(INPUT_SLOTS), title="Exposures")
            job.connect(INPUT, source_job, output)
            job.add_output("particle", OUTPUT, slots=list(PARTICLE_SLOTS), title="Picked particles")
    except BaseException as error:
        _mark_failed(job, error)
        raise
    return job


def _earlier_job(project: Any, job_uid: str) -> Any:
    mend = "give --job the number that cryoseg told, or leave it out for a new job"
    with asking(f"find the External job {job_uid}", mend):
        job = project.find_external_job(job_uid)
        job.alloc_output(OUTPUT, 0)
    return job


def _status(client_job: Any) -> str:
    with asking(f"tell the status of {client_job.uid}", "look at the job in CryoSPARC"):
        return str(client_job.refresh().status)


def _mark_failed(client_job: Any, error: BaseException) -> str:
    """Mark a job failed as far as possible, and return what became of it."""
    if isinstance(error, JobKilledError):
        return str(error)
    if isinstance(error, ServerGoneError):
        return f"{client_job.uid} could not be marked failed"
    try:
        with asking(f"mark {client_job.uid} failed", "mark it in CryoSPARC"):
            if not isinstance(error, (CryosegError, KeyboardInterrupt, SystemExit)):
                client_job.log("".join(traceback.format_exception(error)), level="error")
            client.stop(client_job, _explain(error))
    except CryosegError as unmarked:
        return str(unmarked)
    return f"{client_job.uid} is marked failed"


def _explain(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "stopped by Ctrl-C"
    if isinstance(error, SystemExit):
        return "stopped by SIGTERM (a queue's time limit?)"
    if isinstance(error, CryosegError):
        return str(error)
    return f"an error in cryoseg itself, please report it: {type(error).__name__}: {error}"


@contextmanager
def _signals(handlers: Mapping[signal.Signals, _Handler]) -> Iterator[None]:
    """Handle signals in another way within the body; Python lets only the main thread do that."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    previous = {one: signal.signal(one, handlers[one]) for one in handlers} if in_main_thread else {}
    try:
        yield
    finally:
        for one, handler in previous.items():
            signal.signal(one, handler)


def _raise_exit(signal_number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a handler's form
    raise SystemExit(_TERMINATED_CODE)
