from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import LOCK_NAME
from relion_wrapper.job import JobAborted, relion_job

SUCCESS, FAILURE, ABORTED = (f"RELION_JOB_EXIT_{name}" for name in ("SUCCESS", "FAILURE", "ABORTED"))


def _terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def _hang_up() -> None:
    os.kill(os.getpid(), signal.SIGHUP)


def _raise(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(
    ("ending", "exit_file", "code"),
    [
        (lambda: None, SUCCESS, None),
        (lambda: _raise(CryosegError("a.mrc is cut short: copy it again.")), FAILURE, 1),
        (lambda: _raise(ZeroDivisionError()), FAILURE, 1),
        (lambda: _raise(SystemExit(0)), FAILURE, 1),
        (lambda: _raise(MemoryError()), FAILURE, 1),
        (lambda: _raise(OSError(28, "No space left on device", "x.star")), FAILURE, 1),
        (_terminate, FAILURE, 1),
        (_hang_up, FAILURE, 1),
        (lambda: _raise(JobAborted()), ABORTED, 2),
        (lambda: _raise(KeyboardInterrupt()), ABORTED, 2),
    ],
    ids=["done", "bad input", "bug", "exit", "memory", "disk full", "SIGTERM", "SIGHUP", "abort", "Ctrl-C"],
)
@pytest.mark.parametrize("stale", [SUCCESS, FAILURE, ABORTED])
def test_every_ending_leaves_one_exit_file_and_its_exit_code(
    tmp_path: Path, ending: object, exit_file: str, code: int | None, stale: str
) -> None:
    assert callable(ending)
    folder = tmp_path / "External/job002"
    folder.mkdir(parents=True)
    (folder / stale).touch()
    exit_code = None
    try:
        with relion_job(folder):
            assert [path.name for path in folder.iterdir()] == [LOCK_NAME]
            ending()
    except SystemExit as end:
        exit_code = end.code
    assert exit_code == code
    assert [path.name for path in folder.iterdir()] == [exit_file]
    assert {signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)} == {signal.SIG_DFL}


def test_bad_input_is_told_in_one_line_and_a_bug_with_its_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit), relion_job(tmp_path):
        raise CryosegError("a.mrc is cut short: copy it again.")
    assert capsys.readouterr().err == "cryoseg-relion: a.mrc is cut short: copy it again.\n"
    with pytest.raises(SystemExit), relion_job(tmp_path):
        raise ZeroDivisionError("by zero")
    assert "Traceback" in capsys.readouterr().err


def test_an_abort_asked_for_before_the_start_is_honoured_and_cleared(tmp_path: Path) -> None:
    (tmp_path / "RELION_JOB_ABORT_NOW").touch()
    with pytest.raises(SystemExit), relion_job(tmp_path) as job:
        job.stop_if_aborted()
    assert [path.name for path in tmp_path.iterdir()] == [ABORTED]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit), relion_job(tmp_path / "file/job002"):
        pass
    assert "give another --o" in capsys.readouterr().err


def test_a_signal_that_nohup_ignores_stays_ignored(tmp_path: Path) -> None:
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with relion_job(tmp_path):
            _hang_up()
    finally:
        signal.signal(signal.SIGHUP, previous)
    assert [path.name for path in tmp_path.iterdir()] == [SUCCESS]


def test_a_second_job_in_the_folder_ends_at_once_and_leaves_the_first_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with relion_job(tmp_path):
        with pytest.raises(SystemExit) as end, relion_job(tmp_path):
            raise AssertionError
        assert end.value.code == 1
        assert [path.name for path in tmp_path.iterdir()] == [LOCK_NAME]
    assert [path.name for path in tmp_path.iterdir()] == [SUCCESS]
    assert "another job of cryoseg is writing to this folder" in capsys.readouterr().err


def test_a_folder_that_is_gone_at_the_end_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "job002"
    with pytest.raises(SystemExit) as end, relion_job(folder):
        shutil.rmtree(folder)
    assert end.value.code == 1
    assert "RELION_JOB_EXIT_SUCCESS cannot be written" in capsys.readouterr().err
