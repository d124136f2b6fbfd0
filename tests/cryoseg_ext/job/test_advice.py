"""Advice on boxes and on the number of picks."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from cryoseg_ext.job.advice import advise, extraction_box, faint_particles
from cryoseg_ext.options.extraction import ExtractionOptions
from cryoseg_ext.options.job import JobOptions
from cryoseg_ext.options.size import ParticleSize
from cryoseg_ext.picks import Picks
from cryoseg_ext.report.content import SCORE_BINS
from tests.cryoseg_ext.job.small import BY_DEFAULT, run
from tests.engine import AREAS, DIAMETER_A, PIXEL_SIZE_A, SHAPE, Engine, blobs, filament, write_micrograph


def _is_good(size_px: int) -> bool:
    for prime in (2, 3, 5):
        while size_px % prime == 0:
            size_px //= prime
    return size_px == 1


def _smallest_good(least_px: float) -> int:
    size_px = 2 * math.ceil(least_px / 2 - 1e-6)
    while not _is_good(size_px):
        size_px += 2
    return size_px


@given(diameter_A=st.floats(20, 2000), pixel_size_A=st.floats(0.2, 12))
def test_a_box_is_the_smallest_good_one(diameter_A: float, pixel_size_A: float) -> None:
    box = extraction_box(diameter_A, pixel_size_A)
    assert box.size_px % 2 == 0
    assert box.size_px == _smallest_good(1.5 * diameter_A / pixel_size_A)
    if box.binned_px is None:
        assert box.binned_pixel_size_A == pytest.approx(pixel_size_A)
        assert _smallest_good(box.size_px * pixel_size_A / 4) >= 0.75 * box.size_px
    else:
        assert box.binned_px % 2 == 0
        assert box.binned_px == _smallest_good(box.size_px * pixel_size_A / 4)
        # Two pixels of it are no more than 8 Å, and it shows the same field.
        assert 2 * box.binned_pixel_size_A <= 8 + 1e-6
        assert box.binned_pixel_size_A * box.binned_px == pytest.approx(pixel_size_A * box.size_px)


@pytest.mark.parametrize(
    ("diameter_A", "pixel_size_A", "size_px", "binned_px"),
    [
        (180, 1.77, 160, 72),
        (180, 1.8, 150, 72),
        (120, 0.83, 240, 50),
        (250, 0.654, 576, 96),
        (100, 5, 30, None),
    ],
)
def test_boxes_of_usual_sessions(
    diameter_A: float, pixel_size_A: float, size_px: int, binned_px: int | None
) -> None:
    box = extraction_box(diameter_A, pixel_size_A)
    assert (box.size_px, box.binned_px) == (size_px, binned_px)


@pytest.mark.usefixtures("folder")
def test_a_job_tells_how_many_picks_there_are_and_how_many_would_fit() -> None:
    result, _ = run()
    # 120 x 200 px of 5 Å, of which AREAS leaves 72 %, and discs of 100 Å.
    fitting = SHAPE[0] * SHAPE[1] * PIXEL_SIZE_A**2 * AREAS.usable / (math.sqrt(3) / 2 * DIAMETER_A**2)
    assert advise(result).lines == [
        "Picks per micrograph: median 2, from 2 to 2; circles of 100 Å that fill the usable area side by "
        f"side would be about {fitting:.0f}: a limit, not what to expect",
        "Box size: 30 px at 5 Å/px (1.5 particle diameters or a little more); no need to scale it down for a "
        "first 2D classification",
    ]


def test_each_pixel_size_has_its_box(folder: Path) -> None:
    write_micrograph(folder / "in/d.mrc", blobs(3), 2.5)
    write_micrograph(folder / "in/e.mrc", blobs(4), 2.5001)
    advice = advise(run()[0])
    assert [(box.pixel_size_A, box.size_px) for box in advice.boxes] == [(2.5, 60), (5.0, 30)]
    assert advice.lines[1].startswith("Box size: 60 px at 2.5 Å/px, 30 px at 5 Å/px (1.5 particle diameters")
    assert advice.lines[1].endswith("extract the micrographs of each pixel size by themselves")


@pytest.mark.usefixtures("folder")
def test_filaments_and_mixtures_are_told_what_is_certain(engine: Engine) -> None:
    mixed = advise(run(JobOptions(ParticleSize(min_diameter_A=60.0, max_diameter_A=100.0)))[0])
    assert "circles" not in mixed.picks
    assert mixed.boxes[0].size_px == 30
    engine.candidates = filament((30.0, 50.0, 70.0), 60.0)
    extraction = ExtractionOptions(helical_rise_A=100.0)
    result, _ = run(JobOptions(ParticleSize(50.0), extraction=extraction))
    assert advise(result).lines == ["Segments per micrograph: median 3, from 3 to 3"]


@pytest.mark.usefixtures("folder")
def test_no_pick_is_no_error() -> None:
    result, _ = run(replace(BY_DEFAULT, threshold=1.0))
    assert result.n_picks == 0
    assert advise(result).picks.startswith("Picks per micrograph: median 0, from 0 to 0;")


def test_faint_particles_are_told_of_the_threshold_of_best_expected_f1() -> None:
    # Of 100 candidates with a score of 0.405 and 20 of 0.805, 40.5 and 16.1 are particles.
    counts = np.zeros(SCORE_BINS, np.int64)
    counts[40], counts[80] = 100, 20
    assert faint_particles(counts, 0.61) == (
        "Faint particles: the scores expect 120 picks at a threshold of 0.4 to be better (47% right, 100% of "
        "all) than the 20 at 0.61 (80% right, 28% of all)"
    )
    assert faint_particles(counts, 0.4) is None


@pytest.mark.usefixtures("folder")
def test_a_job_of_faint_particles_tells_so(engine: Engine) -> None:
    x_px, y_px = (at.ravel().astype(float) for at in np.meshgrid(range(20, 200, 20), range(20, 120, 20)))
    engine.candidates = Picks(x_px, y_px, np.full(len(x_px), 0.45))
    result, _ = run()
    n_all = len(x_px) * len(result.finished)
    told = f"Faint particles: the scores expect {n_all} picks at a threshold of 0.45 to be better"
    assert advise(result).lines[1].startswith(told)
    assert advise(run(replace(BY_DEFAULT, threshold=0.9))[0]).faint is None


@given(counts=arrays(np.int64, SCORE_BINS, elements=st.integers(0, 1000)), threshold=st.floats(0, 1))
def test_no_threshold_is_told_that_the_scores_do_not_expect_to_be_better(
    counts: NDArray[np.int64], threshold: float
) -> None:
    told = faint_particles(counts, threshold)
    score = np.repeat((np.arange(SCORE_BINS) + 0.5) / SCORE_BINS, counts)

    def f1(lowest: float) -> float:
        return float(2 * score[score >= lowest].sum() / ((score >= lowest).sum() + score.sum()))

    if told:
        other = float(re.search(r"threshold of ([0-9.]+)", told)[1])  # type: ignore[index]
        assert other < threshold
        assert f1(other) >= f1(math.ceil(threshold * SCORE_BINS - 1e-6) / SCORE_BINS) + 0.05


def test_an_empty_session_is_told_nothing() -> None:
    counts = np.zeros(SCORE_BINS, np.int64)
    assert faint_particles(counts, 0.61) is None
    counts[10:30] = 5
    assert faint_particles(counts, 0.61) is None
