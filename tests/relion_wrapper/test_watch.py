"""A list of micrographs that grows, watched by one job or looked at by one run after another."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import starfile

from tests.engine import blobs, write_micrograph

if TYPE_CHECKING:
    from tests.relion_wrapper.conftest import Project


@dataclass
class Said:
    """What the host has said, and what happens in the project on it."""

    then: dict[str, Callable[[], object]] = field(default_factory=dict)
    """By a part of the sentence."""
    lines: list[str] = field(default_factory=list)

    def __call__(self, line: str) -> None:
        self.lines.append(line)
        for part in [part for part in self.then if part in line]:
            self.then.pop(part)()


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Said:
    """Return what is said by a host that looks for new micrographs often."""
    said = Said()
    monkeypatch.setattr("relion_wrapper.host.say", said)
    monkeypatch.setattr("cryoseg_ext.job.watch.watch.__defaults__", (lambda: False, 0.05))
    return said


def _listed(project: Project) -> list[str]:
    path = project.job / "autopick.star"
    return list(starfile.read(path, always_dict=True)["coordinate_files"]["rlnMicrographName"])


def test_new_rows_are_picked_until_none_come(project: Project, said: Said) -> None:
    (project.folder / "micrographs.star").unlink()
    said.then = {
        "Waiting: micrographs.star does not exist": lambda: project.write_star([]),
        "Waiting: micrographs.star lists no micrographs": lambda: project.write_star(project.names[:2]),
        "2 micrographs so far; waiting for more": lambda: project.write_star(project.names),
    }
    assert project.run("--watch_until_idle", "0.03") == 0
    assert said.then == {}
    assert project.exit_files() == ["EXIT_SUCCESS"]
    assert _listed(project) == project.names
    assert len(project.picked) == 3


def test_an_abort_ends_the_watch_with_lists_of_all_that_is_picked(project: Project, said: Said) -> None:
    said.then = {"3 micrographs so far": (project.job / "RELION_JOB_ABORT_NOW").touch}
    assert project.run("--watch") == 2
    assert project.exit_files() == ["EXIT_ABORTED"]
    assert _listed(project) == project.names
    assert (project.job / "logfile.pdf").exists()


def _stamps(project: Project) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in project.job.rglob("*") if path.is_file()}


def test_a_pass_with_nothing_new_writes_nothing_and_says_the_same(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert project.run() == 0
    first = capsys.readouterr().out
    before = _stamps(project)
    # As RELION writes it again each time.
    project.write_star(project.names)
    code = "import sys; from relion_wrapper.cli import main; main(sys.argv[1:]); print(*sys.modules)"
    arguments = ["--o", "External/job002/", "--in_mics", "micrographs.star", "--particle_diameter", "100"]
    arguments += ["--model", "model.safetensors"]
    assert project.run("--model", "model.safetensors") == 0
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True
    )
    assert not {"torch", "numpy", "pandas", "matplotlib", "scipy"} & set(done.stdout.split())
    assert "Nothing has changed since the last run" in done.stdout
    said = first[first.index("6 picks") :]
    assert said in done.stdout
    exit_file = "RELION_JOB_EXIT_SUCCESS"
    assert {name for name, time_ns in _stamps(project).items() if before.get(name) != time_ns} >= {exit_file}


@pytest.mark.parametrize(
    "change",
    [
        lambda project: write_micrograph(project.folder / project.names[1], blobs(9)),
        lambda project: (project.job / "Movies/mic.1_autopick.star").unlink(),
        lambda project: (project.job / "review.html").write_text("other"),
        lambda project: (project.job / "job.star").write_text("_rlnJobType 99\n"),
        lambda project: project.write_star(project.names[:2]),
        lambda project: (project.folder / "model.safetensors").write_bytes(b"other"),
        lambda project: (project.job / ".cryoseg-last-run.json").write_text("{"),
    ],
    ids=["image", "coordinates", "page", "RELION", "list", "model", "record"],
)
def test_a_pass_after_a_change_runs(
    project: Project, change: object, capsys: pytest.CaptureFixture[str]
) -> None:
    project.run()
    change(project)  # type: ignore[operator]
    capsys.readouterr()
    assert project.run() == 0
    assert "Nothing has changed" not in capsys.readouterr().out
    assert project.run() == 0
    assert "Nothing has changed" in capsys.readouterr().out


def test_a_skipped_micrograph_is_tried_again(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    (project.folder / project.names[1]).write_bytes(b"cut short")
    for _ in range(2):
        assert project.run() == 0
        assert "Skipped 1 micrograph" in capsys.readouterr().out


def test_another_option_runs(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.run()
    for more in (["--threshold", "0.1"], ["--masks"], ["--pick_on", "MotionCorr/job001/Movies"]):
        assert project.run(*more) == 0
        assert "Nothing has changed" not in capsys.readouterr().out
    assert Path("External/job002/masks").is_dir()
