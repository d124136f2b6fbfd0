"""A job keeps the diameter that it estimated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.micrographs import ListedMicrograph
from cryoseg_ext.image.repair import RepairedMicrograph
from cryoseg_ext.job.diameter import N_SAMPLE, STORED_NAME, sampled_diameter
from cryoseg_ext.size.estimate import Measurement
from tests.cryoseg_ext.size.drawn import long_particles


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let every micrograph hold particles of 100 Å, and return the pixel sizes that were measured with."""
    sizes_A: list[float] = []

    def measure(_: Any, pixel_size_A: float, __: Any) -> list[Measurement]:
        sizes_A.append(pixel_size_A)
        return long_particles(100.0)

    monkeypatch.setattr("cryoseg_ext.size.measure.measure", measure)
    return sizes_A


def _tasks(folder: Path, n: int) -> list[ListedMicrograph]:
    rng = np.random.default_rng(0)
    tasks = [ListedMicrograph(f"{k}", folder / f"{k}.mrc", 1.0 + k) for k in range(n)]
    for task in tasks:
        if not task.path.exists():
            mrcfile.write(task.path, rng.normal(size=(64, 64)).astype(np.float32))
    return tasks


def _no_model() -> Any:
    return None


def test_a_few_micrographs_all_over_the_run_are_looked_at(tmp_path: Path, looked_at: list[float]) -> None:
    estimate = sampled_diameter(_tasks(tmp_path, 2 * N_SAMPLE), "digest", tmp_path, _no_model)
    assert estimate.diameter_A == 100
    assert looked_at == [1.0 + 2 * k for k in range(N_SAMPLE)]


def test_bright_protein_is_measured_as_its_negative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[RepairedMicrograph] = []

    def measure(repaired: RepairedMicrograph, _: float, __: Any) -> list[Measurement]:
        measured.append(repaired)
        return long_particles(100.0)

    monkeypatch.setattr("cryoseg_ext.size.measure.measure", measure)
    tasks = _tasks(tmp_path, 1)
    for invert in (False, True):
        sampled_diameter(tasks, "digest", tmp_path, _no_model, invert=invert)
    dark, bright = measured
    np.testing.assert_array_equal(bright.image, -dark.image)


def test_it_is_kept_with_more_micrographs_and_not_with_another_model(
    tmp_path: Path, looked_at: list[float]
) -> None:
    first = sampled_diameter(_tasks(tmp_path, 3), "digest", tmp_path, _no_model)
    assert sampled_diameter(_tasks(tmp_path, 20), "digest", tmp_path, _no_model) == first
    assert len(looked_at) == 3
    sampled_diameter(_tasks(tmp_path, 3), "another", tmp_path, _no_model)
    assert len(looked_at) == 6


def test_other_micrographs_or_a_damaged_file_are_a_new_start(tmp_path: Path, looked_at: list[float]) -> None:
    tasks = _tasks(tmp_path, 3)
    sampled_diameter(tasks, "digest", tmp_path, _no_model)
    sampled_diameter(tasks[1:], "digest", tmp_path, _no_model)
    assert len(looked_at) == 5
    (tmp_path / STORED_NAME).write_text('{"settings": ')
    sampled_diameter(tasks[1:], "digest", tmp_path, _no_model)
    assert len(looked_at) == 7


def test_a_micrograph_that_cannot_be_read_is_passed_over_and_none_is_an_error(
    tmp_path: Path, looked_at: list[float]
) -> None:
    tasks = _tasks(tmp_path, 2)
    tasks[0].path.write_bytes(b"no micrograph")
    assert sampled_diameter(tasks, "digest", tmp_path, _no_model).n_micrographs == 1
    tasks[1].path.unlink()
    with pytest.raises(CryosegError, match=r"no particle diameter can be estimated: .*0\.mrc"):
        sampled_diameter(tasks, "another", tmp_path, _no_model)


def test_where_no_micrograph_can_be_used_that_is_the_error(tmp_path: Path) -> None:
    with pytest.raises(CryosegError, match="no particle diameter can be estimated: there are no"):
        sampled_diameter([], "digest", tmp_path, _no_model)
