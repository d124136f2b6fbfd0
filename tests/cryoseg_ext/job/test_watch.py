"""Micrographs that appear, whole or in pieces, while a job picks."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.micrographs import read_micrographs
from cryoseg_ext.job.result import JobResult
from cryoseg_ext.job.run import Job
from cryoseg_ext.job.watch import SteadyList, watch
from cryoseg_ext.options.job import JobOptions
from cryoseg_ext.options.size import AUTO, ParticleSize
from cryoseg_ext.size.estimate import Measurement
from tests.cryoseg_ext.job.small import ABOVE, BY_DEFAULT, SmallHost, picks_of
from tests.cryoseg_ext.size.drawn import long_particles
from tests.engine import Engine, blobs, write_micrograph

INTERVAL_S = 0.05
UNTIL_IDLE = replace(BY_DEFAULT, watch_until_idle_min=0.4 / 60)
# In pieces, with pauses of one look and a half, and a longer one with no change at all.
WRITER = """
import pathlib, sys, time
source, target, pause_s = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), float(sys.argv[3])
for path in sorted(source.iterdir()):
    content = path.read_bytes()
    with (target / path.name).open("wb", buffering=0) as file:
        for start in range(0, len(content), 30000):
            file.write(content[start : start + 30000])
            time.sleep(pause_s * (4 if start == 0 else 1.5))
"""


class Stopped(BaseException):
    """The user has ended the job."""


class Watched(SmallHost):
    """A host whose user ends the job on a sentence, and that counts what is written each time."""

    def __init__(self, stop_at: str = "never") -> None:
        super().__init__(Path("job"))
        self.stop_at = stop_at
        self.n_written: list[int] = []

    def check(self) -> None:
        if any(self.stop_at in text for text in self.said):
            raise Stopped

    def write_outputs(self, result: JobResult) -> None:
        self.n_written.append(len(result.finished))


def _watch(
    host: SmallHost, options: JobOptions = UNTIL_IDLE, has_ended: Callable[[], bool] = lambda: False
) -> JobResult:
    return watch(
        Job(options, host), SteadyList(["in"], lambda: read_micrographs(["in"])), has_ended, INTERVAL_S
    )


@pytest.fixture
def empty(folder: Path) -> Path:
    """Return the folder, whose micrographs wait in ``later``."""
    (folder / "in").rename("later")
    (folder / "in").mkdir()
    return folder


def test_micrographs_are_picked_as_they_appear_and_only_whole(empty: Path, engine: Engine) -> None:
    host = Watched()
    arguments = [sys.executable, "-c", WRITER, "later", "in", str(INTERVAL_S)]
    with subprocess.Popen(arguments) as process:
        result = _watch(host, replace(BY_DEFAULT, watch=True), lambda: process.poll() is not None)
    assert process.returncode == 0
    assert list(result.finished) == [f"in/{name}.mrc" for name in "abc"]
    assert len(engine.picked) == 3
    assert result.skipped == {}
    assert host.warned == []
    assert [picks_of(name) for name in "abc"] == [ABOVE] * 3
    # Renewed as it goes, but not for each micrograph if that takes long.
    assert host.n_written[-1] == 3
    assert sum("holds no micrographs" in text for text in host.said) == 1


def test_a_file_that_stays_broken_is_skipped_at_the_end(folder: Path) -> None:
    whole = (folder / "in/b.mrc").read_bytes()
    (folder / "in/b.mrc").write_bytes(whole[:50000])
    host = Watched()
    result = _watch(host)
    assert list(result.finished) == ["in/a.mrc", "in/c.mrc"]
    assert list(result.skipped) == ["in/b.mrc"]
    assert [text.startswith("Skipped: in/b.mrc is truncated") for text in host.warned] == [True]
    assert sum(text.startswith("Waiting until it is whole: in/b.mrc") for text in host.said) == 1


def test_another_file_of_the_same_name_is_picked_again(folder: Path, engine: Engine) -> None:
    class Replacing(Watched):
        def waiting(self, text: str) -> None:
            super().waiting(text)
            if "so far" in text and len(engine.picked) == 3:
                write_micrograph(folder / "in/new", blobs(7)).replace("in/b.mrc")

    assert len(_watch(Replacing()).finished) == 3
    assert len(engine.picked) == 4


def test_what_is_picked_stands_when_the_user_ends_the_watch(folder: Path, engine: Engine) -> None:
    host = Watched(stop_at="3 micrographs so far")
    with pytest.raises(Stopped):
        _watch(host, replace(BY_DEFAULT, watch=True))
    assert host.n_written[-1] == 3
    assert (folder / "job/review.html").exists()
    # The watch goes on from there.
    assert len(_watch(Watched()).finished) == len(engine.picked) == 3


def test_results_are_not_renewed_for_each_micrograph(
    folder: Path, monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    for seed in range(9):
        write_micrograph(folder / f"in/more{seed}.mrc", blobs(seed))
    monkeypatch.setattr("cryoseg_ext.job.run.write_reports", lambda *_: time.sleep(0.2))
    host = Watched()
    _watch(host)
    assert len(engine.picked) == 12
    assert host.n_written == [1, 12]


def test_an_estimate_of_the_diameter_waits_for_enough_micrographs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(*_: object) -> list[Measurement]:
        return long_particles(100.0)

    monkeypatch.setattr("cryoseg_ext.size.measure.measure", measure)

    class Adding(Watched):
        def waiting(self, text: str) -> None:
            super().waiting(text)
            if text == "3 micrographs so far; waiting for 6 to estimate the particle diameter":
                for seed, name in enumerate("def"):
                    write_micrograph(folder / f"in/{name}.mrc", blobs(seed))

    estimating = replace(BY_DEFAULT, size=ParticleSize(AUTO), watch_until_idle_min=1.5 / 60)
    host = Adding()
    assert len(_watch(host, estimating).finished) == 6
    assert any("6 micrographs" in text for text in host.said if text.startswith("Particle diameter: 100 Å"))
    # With no more to come, it is made of those that there are.
    for name in "abcd":
        (folder / f"in/{name}.mrc").unlink()
    (folder / "job/particle_diameter.json").unlink()
    assert len(_watch(Watched(), estimating).finished) == 2


def test_a_watch_without_anything_ends_with_the_reason(empty: Path) -> None:
    host = Watched()
    with pytest.raises(CryosegError, match="in holds no micrographs"):
        _watch(host)
    assert host.n_written == []


def test_a_wrong_model_ends_the_watch_at_once(folder: Path) -> None:
    with pytest.raises(CryosegError, match="no such model file"):
        _watch(Watched(), replace(BY_DEFAULT, watch=True, model=Path("nothing.safetensors")))


def test_a_list_is_read_again_only_when_it_has_been_written(folder: Path) -> None:
    path = folder / "micrographs.star"
    steady = SteadyList([path], lambda: read_micrographs([path]))
    head = "data_\n\nloop_\n_rlnMicrographName #1\n_rlnMicrographPixelSize #2\n"
    with pytest.raises(CryosegError, match="does not exist"):
        steady()
    path.write_text(f"{head}in/a.mrc 5\n")
    first = steady()
    assert steady() is steady() is first
    # Rows are written, one after another: a shorter list is none.
    path.write_text(head)
    assert steady() is first
    path.write_text(f"{head}in/a.mrc 5\nin/b.mrc 5\n")
    assert steady() is first
    assert list(steady().by_name) == ["in/a.mrc", "in/b.mrc"]
