"""A running job of CryoSPARC: whatever happens, it is marked completed only at its good end."""

from __future__ import annotations

import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

import click

from cryoseg_ext.cryosparc import versions
from cryoseg_ext.cryosparc.client import ServerGoneError, requesting
from cryoseg_ext.errors import CryosegError

ACTIVE = ("running", "waiting")
_ENDING = (signal.SIGTERM, signal.SIGHUP)
_Handler = Callable[[int, FrameType | None], object] | signal.Handlers


class JobKilledError(CryosegError):
    """Somebody killed or cleared the job in CryoSPARC."""


@contextmanager
def running(client_job: Any) -> Iterator[None]:
    """Run the body as the job: completed at its end, failed after an exception, Ctrl-C, SIGTERM or SIGHUP.

    `client_job` is the client's own job. The terminal shows how to go on after a failure.
    """
    uid = client_job.uid
    # As `nohup` leaves it.
    ending = [one for one in _ENDING if signal.getsignal(one) != signal.SIG_IGN]
    with _signals(dict.fromkeys(ending, _raise_exit)):
        with requesting(f"start {uid}", "leave --job out to make a new job"):
            if status(client_job) not in ACTIVE:
                client_job.start("running")
            else:
                # Only a program that was killed, or lost its server, leaves a job like this.
                click.echo(
                    f"{uid} is still marked running from before and goes on: nothing else may work on it"
                )
        try:
            yield
            with requesting(f"complete {uid}", "look at the job in CryoSPARC"):
                versions.stop(client_job)
        except BaseException as error:
            # A second Ctrl-C must not come between the job and its mark.
            with _signals(dict.fromkeys((*_ENDING, signal.SIGINT), signal.SIG_IGN)):
                marked = mark_failed(client_job, error)
            click.echo(f"{marked}; what is finished is kept: run the same command with --job {uid} to go on")
            raise


def status(client_job: Any) -> str:
    """Return the status of a job in CryoSPARC, such as running."""
    with requesting(f"read the status of {client_job.uid}", "look at the job in CryoSPARC"):
        return str(client_job.refresh().status)


def mark_failed(client_job: Any, error: BaseException) -> str:
    """Mark a job failed as far as possible, and return what became of it."""
    if isinstance(error, JobKilledError):
        return str(error)
    if isinstance(error, ServerGoneError):
        return (
            f"{client_job.uid} could not be marked failed, so CryoSPARC shows it as running when it is back"
        )
    try:
        with requesting(f"mark {client_job.uid} failed", "mark it in CryoSPARC"):
            if not isinstance(error, (CryosegError, KeyboardInterrupt, SystemExit)):
                client_job.log("".join(traceback.format_exception(error)), level="error")
            versions.stop(client_job, _explain(error))
    except CryosegError as unmarked:
        return str(unmarked)
    return f"{client_job.uid} is marked failed"


def _explain(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "stopped by Ctrl-C"
    if isinstance(error, SystemExit):
        return f"stopped by {_name_of(error)} (a queue's time limit?)"
    if isinstance(error, CryosegError):
        return str(error)
    return f"an error in cryoseg itself, please report it: {type(error).__name__}: {error}"


def _name_of(end: SystemExit) -> str:
    """Return the signal that an exit code stands for."""
    return next((one.name for one in _ENDING if end.code == 128 + one), f"exit code {end.code}")


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
    raise SystemExit(128 + signal_number)
