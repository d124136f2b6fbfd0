"""One run of a RELION External job: whatever happens, it leaves exactly one exit file, written last."""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from cryoseg_ext.errors import CryosegError

SUCCESS_FILE = "RELION_JOB_EXIT_SUCCESS"
FAILURE_FILE = "RELION_JOB_EXIT_FAILURE"
ABORTED_FILE = "RELION_JOB_EXIT_ABORTED"
ABORT_REQUEST_FILE = "RELION_JOB_ABORT_NOW"

# The exit codes of RELION's own programs. RELION goes by the file, ccpem-pipeliner by the code alone.
FAILURE_CODE = 1
ABORTED_CODE = 2


class JobAborted(Exception):  # noqa: N818 - a user's wish, not an error
    """The user asked for the job to stop."""


class JobTerminated(Exception):  # noqa: N818 - the queue's doing, not an error
    """The system told the job to stop (SIGTERM), as a queue does when the wall time is over."""


@dataclass(frozen=True)
class RelionJob:
    """A running job.

    Parameters
    ----------
    directory : Path
        The job folder, ``--o``.
    """

    directory: Path

    def abort_requested(self) -> bool:
        """Tell whether RELION's Abort button was pressed; the GUI sends no signal, it makes a file."""
        return (self.directory / ABORT_REQUEST_FILE).exists()

    def stop_if_aborted(self) -> None:
        """Raise `JobAborted` when RELION's Abort button was pressed."""
        if self.abort_requested():
            raise JobAborted


@contextmanager
def relion_job(directory: Path) -> Iterator[RelionJob]:
    """Run the body as the RELION job in `directory` and record how it ended.

    The body's end leaves ``RELION_JOB_EXIT_SUCCESS``; `JobAborted` and Ctrl-C leave
    ``RELION_JOB_EXIT_ABORTED``; SIGTERM and any other exception leave ``RELION_JOB_EXIT_FAILURE``. An abort
    request found at the start is honoured (a queued job may have been aborted while it waited) and is
    removed with the end of the job.

    Parameters
    ----------
    directory : Path
        The job folder; made when missing.

    Yields
    ------
    RelionJob
        The handle to poll for an abort.

    Raises
    ------
    SystemExit
        With RELION's exit code, when the job did not succeed.
    """
    _open_directory(directory)
    previous = signal.signal(signal.SIGTERM, _raise_terminated)
    try:
        yield RelionJob(directory)
    except (JobAborted, KeyboardInterrupt):
        warn("the job was aborted; what is finished is kept, Continue goes on from there")
        _finish(directory, ABORTED_FILE)
        raise SystemExit(ABORTED_CODE) from None
    except BaseException as error:
        warn(_explain(error))
        _finish(directory, FAILURE_FILE)
        raise SystemExit(FAILURE_CODE) from None
    else:
        _finish(directory, SUCCESS_FILE)
    finally:
        signal.signal(signal.SIGTERM, previous)


def _open_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _remove_exit_files(directory)
    except OSError as error:
        warn(f"the job folder {directory} cannot be written ({error.strerror}): give another --o")
        raise SystemExit(FAILURE_CODE) from None


def _raise_terminated(signal_number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a handler's form
    raise JobTerminated


def _finish(directory: Path, exit_file: str) -> None:
    # A second SIGTERM must not come between the removal and the writing.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _remove_exit_files(directory)
    (directory / ABORT_REQUEST_FILE).unlink(missing_ok=True)
    sys.stdout.flush()
    (directory / exit_file).touch()


def _remove_exit_files(directory: Path) -> None:
    for name in (SUCCESS_FILE, FAILURE_FILE, ABORTED_FILE):
        (directory / name).unlink(missing_ok=True)


def _explain(error: BaseException) -> str:
    if isinstance(error, CryosegError):
        return str(error)
    if isinstance(error, JobTerminated):
        return "the job was stopped by SIGTERM (a queue's time limit?): press Continue to go on from there"
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}; correct this and press Continue"
    if isinstance(error, MemoryError):
        return "the memory is not enough: give the job more memory, or run fewer jobs at a time"
    return f"an error in cryoseg itself, please report it:\n{''.join(traceback.format_exception(error))}"


def say(line: str) -> None:
    """Write a line to standard output, which RELION keeps in ``run.out``."""
    sys.stdout.write(f" {line}\n")
    sys.stdout.flush()


def warn(sentence: str) -> None:
    """Write a sentence to standard error, which RELION keeps in ``run.err``."""
    sys.stderr.write(f"cryoseg-relion: {sentence}\n")
    sys.stderr.flush()
