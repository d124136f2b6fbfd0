from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import LOCK_NAME, described, file_stamp, locked, replace_text, replacing


def test_a_writer_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.star"
    replace_text(path, "old")
    with pytest.raises(UnicodeEncodeError), replacing(path) as temporary:
        temporary.write_text("half of the n\udc80", encoding="utf-8")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_reported_with_the_name_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.star"
    with pytest.raises(OSError, match="No space") as told, replacing(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert described(told.value) == f"{path}: No space left on device"
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="File exists") as told:
        replace_text(tmp_path / "file/a.star", "text")
    assert described(told.value).startswith(f"{tmp_path}/file")


def test_a_stamp_changes_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mrc"
    assert file_stamp(path) is None
    assert file_stamp(Path("n" * 9999)) is file_stamp(Path("a\0")) is None
    path.write_text("first")
    first = file_stamp(path)
    assert file_stamp(path) == first
    path.write_text("second")
    assert file_stamp(path) != first


def test_a_folder_is_locked_for_others_until_the_end_of_its_job(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    with (
        locked(folder),
        pytest.raises(CryosegError, match=r"job: another job .*: wait"),
        locked(folder, "wait"),
    ):
        raise AssertionError
    with locked(folder):
        pass
    # Nothing is left, as nothing was written.
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_job_that_was_killed_is_none(tmp_path: Path) -> None:
    program = (
        "import sys, os; from pathlib import Path; from cryoseg_ext.files import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    arguments = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as job:
        assert job.stdout
        assert job.stdout.readline() == "held\n"
        with pytest.raises(CryosegError), locked(tmp_path):
            raise AssertionError
        job.kill()
        job.wait()
        assert (tmp_path / LOCK_NAME).exists()
        with locked(tmp_path):
            pass
    assert list(tmp_path.iterdir()) == []
