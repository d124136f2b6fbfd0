"""A job in several processes: the same bytes as in one, whatever dies."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from cryoseg_ext.processes import at_most_cores
from cryoseg_ext.simulation import draw_conditions, draw_specimen, simulate_micrograph
from tests.engine import write_micrograph

pytestmark = [
    pytest.mark.skipif(at_most_cores(2) < 2, reason="one processor has one worker"),
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="workers are found in /proc"),
]
PIXEL_SIZE_A, DIAMETER_A = 5.0, 120.0


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with small micrographs, one of them damaged, and the results of one process."""
    folder = tmp_path_factory.mktemp("project")
    rng = np.random.default_rng(4)
    specimen = draw_specimen(rng, "symmetric")
    for number in range(7):
        simulated = simulate_micrograph(
            rng, (192, 256), PIXEL_SIZE_A, specimen, DIAMETER_A, draw_conditions(rng)
        )
        write_micrograph(folder / f"in/{number}.mrc", simulated.image, PIXEL_SIZE_A)
    (folder / "in/3.mrc").write_bytes(b"no micrograph")
    with _job(folder, 1) as job:
        assert job.wait() == 0
    (folder / "picks").rename(folder / "expected")
    return folder


@pytest.fixture(autouse=True)
def _new_results(project: Path) -> None:
    shutil.rmtree(project / "picks", ignore_errors=True)


def _job(folder: Path, workers: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", "from cryoseg_ext.cli import main; main()", "pick", "in"]
    options = ["--particle_diameter", f"{DIAMETER_A}", "--masks", "--j", f"{workers}", "--out", "picks"]
    return subprocess.Popen([*command, *options], cwd=folder, stderr=subprocess.PIPE, text=True)


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def _children(parent: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            values = dict(line.split(":", 1) for line in status.read_text().splitlines())
        except OSError:
            continue
        if int(values["PPid"]) == parent:
            found.append(int(status.parent.name))
    return found


def _workers(job: int) -> list[int]:
    """Return the workers, which the server of processes starts."""
    return [worker for server in _children(job) for worker in _children(server)]


def _wait_for_results(folder: Path, n: int) -> None:
    deadline_s = time.monotonic() + 60
    while len(list((folder / "picks").glob("*_candidates.star"))) < n:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_two_processes_give_the_bytes_of_one(project: Path) -> None:
    with _job(project, 2) as job:
        _, told = job.communicate()
    assert job.returncode == 0
    assert "3.mrc" in told
    assert _contents(project / "picks") == _contents(project / "expected")


def test_a_worker_that_is_killed_costs_nothing(project: Path) -> None:
    with _job(project, 2) as job:
        _wait_for_results(project, 1)
        for worker in _workers(job.pid):
            os.kill(worker, signal.SIGKILL)
        _, told = job.communicate()
    assert job.returncode == 0, told
    assert _contents(project / "picks") == _contents(project / "expected")


def test_a_job_that_is_killed_takes_its_workers_along_and_goes_on(project: Path) -> None:
    with _job(project, 2) as job:
        _wait_for_results(project, 2)
        workers = _workers(job.pid)
        assert workers
        job.kill()
        job.communicate()
    deadline_s = time.monotonic() + 10
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    with _job(project, 2) as job:
        job.communicate()
    assert _contents(project / "picks") == _contents(project / "expected")
