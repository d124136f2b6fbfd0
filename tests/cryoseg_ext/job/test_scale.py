"""What a job says about the scale of its micrographs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.image import scale as image_scale
from cryoseg_ext.job import scale
from cryoseg_ext.job.scale import check_size, size_line, size_warnings
from cryoseg_ext.options.job import JobOptions
from cryoseg_ext.options.picking import PickingOptions
from tests.cryoseg_ext.job.small import SIZE, run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engine import Engine

FIELD = (4096, 4096)


def test_the_working_scale_is_that_of_the_engine() -> None:
    assert scale.WORKING_DIAMETER_PX == image_scale.WORKING_DIAMETER_PX
    assert scale.LIMIT == image_scale.MAX_WORKING_PX


def test_the_line_says_all_that_decides_about_the_scale() -> None:
    line = "Micrographs of 4096 x 4096 px at 1.77 Å/px: a particle of "
    assert size_line(FIELD, 1.77, PickingOptions(190.0)) == f"{line}190 Å is 107 px wide"
    mixture = PickingOptions(190.0, smallest_diameter_A=90.0)
    assert size_line(FIELD, 1.77, mixture) == f"{line}90 to 190 Å is 51 to 107 px wide"


@pytest.mark.parametrize(
    ("shape", "pixel_size_A", "diameter_A"),
    [
        (FIELD, 1.77, 190.0),
        ((4092, 5760), 0.83, 150.0),
        ((1024, 1080), 3.0, 180.0),
    ],
)
def test_usual_micrographs_are_picked_without_a_word(
    shape: tuple[int, int], pixel_size_A: float, diameter_A: float
) -> None:
    options = PickingOptions(diameter_A)
    check_size(shape, pixel_size_A, options)
    assert size_warnings(shape, pixel_size_A, options) == []
    # Ten times too large, or too small.
    (sentence,) = size_warnings(shape, pixel_size_A, PickingOptions(10 * diameter_A))
    assert f"particles of {10 * diameter_A:g} Å wide: check that the diameter is in Å" in sentence
    with pytest.raises(CryosegError, match="check that the diameter is in Å, not nm"):
        check_size(shape, pixel_size_A, PickingOptions(diameter_A / 10))


def test_few_pixels_of_a_small_field_are_picked_with_a_warning() -> None:
    options = PickingOptions(100.0)
    check_size((512, 512), 10.0, options)
    (sentence,) = size_warnings((512, 512), 10.0, options)
    assert sentence.startswith("a particle of 100 Å is only 10 px wide at 10 Å/px: check")


def test_a_pixel_size_that_contradicts_the_header_is_told(folder: Path, engine: Engine) -> None:
    _, host = run(JobOptions(SIZE, pixel_size_A=0.5))
    assert host.warned[0] == (
        "in/a.mrc: its header says 5 Å/px, but 0.5 is used, as the list or --pixel_size says: check which is "
        "right"
    )
