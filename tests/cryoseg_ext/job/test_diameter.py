"""A job keeps the diameter that it estimated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.micrographs import ListedMicrograph
from cryoseg_ext.image.repair import RepairedMicrograph
from cryoseg_ext.job.diameter import N_SAMPLE, STORED_NAME, sampled_diameter
from cryoseg_ext.progress import showing
from cryoseg_ext.size.estimate import Measurement
from tests.cryoseg_ext.size.drawn import long_particles
from tests.told import Told


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
    with showing(told := Told()):
        estimate = sampled_diameter(_tasks(tmp_path, 2 * N_SAMPLE), "digest", tmp_path, _no_model)
    assert estimate.diameter_A == 100
    # The negative of the first one too.
    assert looked_at == [1.0, *(1.0 + 2 * k for k in range(N_SAMPLE))]
    assert told.steps("Estimating the particle diameter") == list(range(N_SAMPLE + 2))
    assert told.finished == ["Estimating the particle diameter"]


def test_bright_protein_is_measured_as_its_negative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[RepairedMicrograph] = []

    def measure(repaired: RepairedMicrograph, _: float, __: Any) -> list[Measurement]:
        measured.append(repaired)
        return long_particles(100.0)

    monkeypatch.setattr("cryoseg_ext.size.measure.measure", measure)
    tasks = _tasks(tmp_path, 1)
    for invert in (False, True):
        sampled_diameter(tasks, "digest", tmp_path, _no_model, invert=invert)
    dark, negative, bright, not_bright = measured
    for opposite in (negative, bright):
        np.testing.assert_array_equal(opposite.image, -dark.image)
    np.testing.assert_array_equal(not_bright.image, dark.image)


def _shown(
    monkeypatch: pytest.MonkeyPatch, dark: dict[float, list[Measurement]], bright: list[Measurement]
) -> None:
    """Let micrographs show this when protein is dark, by their pixel sizes, and that when it is bright."""
    looked_at: list[float] = []

    def measure(_: Any, pixel_size_A: float, __: Any) -> list[Measurement]:
        looked_at.append(pixel_size_A)
        return dark[pixel_size_A] if looked_at.count(pixel_size_A) == 1 else bright

    monkeypatch.setattr("cryoseg_ext.size.measure.measure", measure)


@pytest.mark.parametrize(
    ("invert", "contrast"),
    [
        (False, "protein looks bright: give --invert; then 240 Å"),
        (True, "protein looks dark: leave out --invert; then 240 Å"),
    ],
)
def test_the_other_contrast_is_named_where_it_shows_clearly_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invert: bool, contrast: str
) -> None:
    few = [replace(measurement, n_expected=6.0) for measurement in long_particles(45.0)]
    # The first micrograph is empty.
    _shown(monkeypatch, {1.0: few, 2.0: few}, long_particles(240.0))
    tasks = _tasks(tmp_path, 2)
    estimate = sampled_diameter(tasks, "digest", tmp_path, _no_model, invert=invert)
    assert not estimate.sure
    assert str(estimate).endswith(
        f"; this is UNSURE: {contrast} (25 particles on a micrograph in place of 6)"
    )
    assert sampled_diameter(tasks, "digest", tmp_path, _no_model, invert=invert) == estimate


def test_it_is_the_reason_where_nothing_can_be_estimated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _shown(monkeypatch, {1.0: []}, long_particles(240.0))
    with pytest.raises(CryosegError, match=r"estimated: protein looks bright: give --invert; then 240 Å"):
        sampled_diameter(_tasks(tmp_path, 1), "digest", tmp_path, _no_model)


@pytest.mark.parametrize("n_dark", [13.0, 25.0])
def test_the_contrast_is_not_doubted_where_both_show_about_as_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_dark: float
) -> None:
    dark = [replace(measurement, n_expected=n_dark) for measurement in long_particles(150.0)]
    _shown(monkeypatch, {1.0: dark}, long_particles(240.0))
    estimate = sampled_diameter(_tasks(tmp_path, 1), "digest", tmp_path, _no_model)
    assert (estimate.contrast, estimate.sure) == ("", True)


def test_it_is_kept_with_more_micrographs_and_not_with_another_model(
    tmp_path: Path, looked_at: list[float]
) -> None:
    first = sampled_diameter(_tasks(tmp_path, 3), "digest", tmp_path, _no_model)
    assert sampled_diameter(_tasks(tmp_path, 20), "digest", tmp_path, _no_model) == first
    assert len(looked_at) == 4
    sampled_diameter(_tasks(tmp_path, 3), "another", tmp_path, _no_model)
    assert len(looked_at) == 8


def test_other_micrographs_or_a_damaged_file_are_a_new_start(tmp_path: Path, looked_at: list[float]) -> None:
    tasks = _tasks(tmp_path, 3)
    sampled_diameter(tasks, "digest", tmp_path, _no_model)
    sampled_diameter(tasks[1:], "digest", tmp_path, _no_model)
    assert len(looked_at) == 7
    (tmp_path / STORED_NAME).write_text('{"settings": ')
    sampled_diameter(tasks[1:], "digest", tmp_path, _no_model)
    assert len(looked_at) == 10


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
