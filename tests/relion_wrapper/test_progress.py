"""How far a RELION job is, as its ``run.out`` shows it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cryoseg_ext.progress import showing, tell, tracked
from relion_wrapper.job import JobAborted, RelionJob
from relion_wrapper.progress import RelionProgress

if TYPE_CHECKING:
    from tests.relion_wrapper.conftest import Project

START = '\r    000/??? sec ~~(,_,">' + 60 * " " + "[oo]"
END = r"\r +\d+\.\d\d/\d+\.\d\d sec \.{60}~~\(,_,\">\[oo\]\n"


def test_each_work_has_a_title_and_the_bar_of_relion(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with showing(RelionProgress(RelionJob(tmp_path))):
        for what in ("Reading micrographs", "Training"):
            # As fast as this, a bar is drawn at its beginning and its end alone.
            list(tracked(range(1000), what))
    titles = [f" {what} ...\n{re.escape(START)}{END}" for what in ("Reading micrographs", "Training")]
    assert re.fullmatch("".join(titles), capsys.readouterr().out)


def test_a_bar_that_is_left_has_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    display = RelionProgress(RelionJob(tmp_path))
    with showing(display):
        tell("Training", 0, 10)
        display.break_line()
        tell("Training", 5, 10)
        tell("Calibrating", 0, 2)
    lines = capsys.readouterr().out.split("\n")
    assert [line[:12] for line in lines[::2]] == [" Training ..", " Training ..", " Calibrating"]
    assert lines[3].startswith("\r    000/??? sec " + 30 * "." + "~~(,_")


def test_a_picking_job_shows_its_micrographs(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert project.run() == 0
    assert re.search(f" Picking micrographs ...\n{re.escape(START)}{END}", capsys.readouterr().out)


def test_abort_is_heeded_whatever_the_job_does(tmp_path: Path) -> None:
    with showing(RelionProgress(RelionJob(tmp_path))):
        work = tracked("ab", "Reading micrographs")
        next(work)
        (tmp_path / "RELION_JOB_ABORT_NOW").touch()
        with pytest.raises(JobAborted):
            next(work)
