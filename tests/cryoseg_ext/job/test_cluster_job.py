"""A job on a cluster: the same bytes as in one process, whatever dies."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cryoseg_ext.model.weights import DEFAULT_MODEL
from cryoseg_ext.simulation import draw_conditions, draw_specimen, simulate_micrograph
from tests.cryoseg_ext.job.clusters import Cluster
from tests.engine import write_micrograph

pytest.importorskip("distributed")
pytest.importorskip("dask_jobqueue")

N = 12
PIXEL_SIZE_A, DIAMETER_A = 5.0, 120.0


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with small micrographs, one of them damaged, and the results of one process."""
    folder = tmp_path_factory.mktemp("project")
    rng = np.random.default_rng(4)
    specimen = draw_specimen(rng, "symmetric")
    simulated = simulate_micrograph(rng, (192, 256), PIXEL_SIZE_A, specimen, DIAMETER_A, draw_conditions(rng))
    for number in range(N):
        write_micrograph(folder / f"in/{number:02d}.mrc", np.roll(simulated.image, 9 * number), PIXEL_SIZE_A)
    (folder / "in/03.mrc").write_bytes(b"no micrograph")
    shutil.copy(DEFAULT_MODEL, folder / "my.safetensors")
    with _job(folder) as job:
        job.communicate()
    assert job.returncode == 0
    (folder / "picks").rename(folder / "expected")
    return folder


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two workers; the last test kills their scheduler."""
    made = Cluster(tmp_path_factory.mktemp("cluster"), 2)
    yield made
    made.kill()


@pytest.fixture(autouse=True)
def _new_results(project: Path) -> None:
    shutil.rmtree(project / "picks", ignore_errors=True)


def _job(folder: Path, *options: str) -> subprocess.Popen[str]:
    # The model stands under a path that means nothing in the folder of the workers.
    command = [
        sys.executable,
        "-c",
        "from cryoseg_ext.cli import main; main()",
        "pick",
        "in",
        "--out",
        "picks",
    ]
    command += ["--particle_diameter", f"{DIAMETER_A}", "--model", "my.safetensors", "--masks", *options]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def _wait_for_a_result(folder: Path) -> None:
    deadline_s = time.monotonic() + 120
    while not list((folder / "picks").glob("*_candidates.star")):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def _assert_is_expected(project: Path) -> None:
    found, expected = _contents(project / "picks"), _contents(project / "expected")
    assert found.keys() == expected.keys()
    assert [name for name in found if found[name] != expected[name]] == []


def test_a_worker_that_is_killed_changes_nothing(project: Path, cluster: Cluster) -> None:
    job = _job(project, "--cluster", str(cluster.file))
    _wait_for_a_result(project)
    cluster.kill_worker()
    _, errors = job.communicate()
    assert job.returncode == 0, errors
    assert errors.count("Skipped: ") == 1
    assert "Traceback" not in errors
    _assert_is_expected(project)


def test_a_job_whose_scheduler_dies_goes_on_when_it_is_run_again(project: Path, cluster: Cluster) -> None:
    job = _job(project, "--cluster", str(cluster.file))
    _wait_for_a_result(project)
    cluster.kill_scheduler()
    _, errors = job.communicate()
    assert job.returncode == 1
    assert errors.splitlines()[-1].startswith("Error: the connection to the scheduler of the cluster is lost")
    assert "Traceback" not in errors
    again = _job(project)
    _, errors = again.communicate()
    assert again.returncode == 0
    assert " 0 finished earlier" not in errors
    _assert_is_expected(project)
