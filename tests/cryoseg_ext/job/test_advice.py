"""Advice on boxes and on the number of picks."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoseg_ext.job.advice import advise, extraction_box
from cryoseg_ext.options.extraction import ExtractionOptions
from cryoseg_ext.options.job import JobOptions
from cryoseg_ext.options.size import ParticleSize
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
