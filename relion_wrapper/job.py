"""One run of a RELION External job: whatever happens, it leaves exactly one exit file, written last."""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import described, locked
from cryoseg_ext.words import printable

SUCCESS_FILE = "RELION_JOB_EXIT_SUCCESS"
FAILURE_FILE = "RELION_JOB_EXIT_FAILURE"
ABORTED_FILE = "RELION_JOB_EXIT_ABORTED"
ABORT_REQUEST_FILE = "RELION_JOB_ABORT_NOW"

# The exit codes of RELION's own programs. RELION goes by the file, ccpem-pipeliner by the code alone.
FAILURE_CODE = 1
ABORTED_CODE = 2

_ENDING = (signal.SIGTERM, signal.SIGHUP)


class JobAborted(BaseException):
    """The user asked for the job to stop."""


class JobTerminated(BaseException):
    """The system told the job to stop by a signal, as a queue does when the wall time is over."""


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
    ``RELION_JOB_EXIT_ABORTED``; SIGTERM, SIGHUP and any other exception leave
    ``RELION_JOB_EXIT_FAILURE``. An abort request found at the start is honoured (a queued job may have been
    aborted while it waited) and is removed with the end of the job. A second job in the same folder ends at
    once and leaves no exit file, which would be taken for that of the first.

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
    with _held(directory):
        previous = {number: signal.getsignal(number) for number in _ENDING}
        for number, handler in previous.items():
            # As `nohup` leaves it.
            if handler != signal.SIG_IGN:
                signal.signal(number, _raise_terminated)
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
            for number, handler in previous.items():
                signal.signal(number, handler)


@contextmanager
def _held(directory: Path) -> Iterator[None]:
    """Keep other jobs out of the job folder, which is made or emptied of exit files."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(directory, "wait for its end, or abort it"))
            _remove_exit_files(directory)
        except CryosegError as error:
            warn(str(error))
            raise SystemExit(FAILURE_CODE) from None
        except OSError as error:
            warn(f"the job folder {directory} cannot be written ({error.strerror}): give another --o")
            raise SystemExit(FAILURE_CODE) from None
        yield


def _raise_terminated(signal_number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a handler's form
    raise JobTerminated(signal.Signals(signal_number).name)


def _finish(directory: Path, exit_file: str) -> None:
    # A second signal must not come between the removal and the writing.
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
    # The terminal or the disk that the output goes to may be gone.
    with suppress(OSError):
        sys.stdout.flush()
    try:
        _remove_exit_files(directory)
        (directory / ABORT_REQUEST_FILE).unlink(missing_ok=True)
        (directory / exit_file).touch()
    except OSError as error:
        warn(f"{directory / exit_file} cannot be written ({error.strerror}), so RELION does not see the end")
        raise SystemExit(FAILURE_CODE) from None


def _remove_exit_files(directory: Path) -> None:
    for name in (SUCCESS_FILE, FAILURE_FILE, ABORTED_FILE):
        (directory / name).unlink(missing_ok=True)


def _explain(error: BaseException) -> str:
    if isinstance(error, CryosegError):
        return str(error)
    if isinstance(error, JobTerminated):
        return f"the job was stopped by {error} (a queue's time limit?): press Continue to go on from there"
    if isinstance(error, OSError):
        return f"{described(error)}; correct this and press Continue"
    if isinstance(error, MemoryError):
        return "the memory is not enough: give the job more memory, or run fewer jobs at a time"
    return f"an error in cryoseg itself, please report it:\n{''.join(traceback.format_exception(error))}"


def say(line: str) -> None:
    """Write a line to standard output, which RELION keeps in ``run.out``."""
    with suppress(OSError):
        sys.stdout.write(f" {printable(line)}\n")
        sys.stdout.flush()


def warn(sentence: str) -> None:
    """Write a sentence to standard error, which RELION keeps in ``run.err``."""
    # A terminal that was closed costs the messages, not the exit file.
    with suppress(OSError):
        sys.stderr.write(f"cryoseg-relion: {printable(sentence)}\n")
        sys.stderr.flush()
