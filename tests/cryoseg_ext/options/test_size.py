from __future__ import annotations

import pytest

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.options.extraction import ExtractionOptions
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.options.size import AUTO, ParticleSize


def test_a_diameter_auto_and_a_range_are_understood() -> None:
    assert ParticleSize(180.0).largest_A == 180.0
    assert ParticleSize(AUTO).largest_A is None
    assert ParticleSize(None, 120.0, 260.0).largest_A == 260.0


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ((None, None, None), "--particle_diameter is missing"),
        ((180.0, 120.0, 260.0), "give either"),
        ((180.0, None, 260.0), "give either"),
        ((None, 120.0, None), "only together"),
        ((None, None, 260.0), "only together"),
        ((None, 260.0, 120.0), "the smaller one first"),
        ((None, 120.0, 120.0), "the smaller one first"),
    ],
)
def test_a_contradiction_is_said(
    given: tuple[float | None, float | None, float | None], sentence: str
) -> None:
    with pytest.raises(CryosegError, match=sentence):
        ParticleSize(*given)


def test_a_range_is_covered_in_steps_that_the_network_bridges() -> None:
    diameters_A = PickingOptions(260.0, smallest_diameter_A=120.0).diameters_A
    assert diameters_A == pytest.approx([120, 155.3, 200.9, 260], rel=1e-3)
    assert PickingOptions(180.0).diameters_A == [180.0]


def test_filaments_have_one_width() -> None:
    with pytest.raises(CryosegError, match="give --particle_diameter with --helical_rise"):
        PickingOptions(260.0, ExtractionOptions(helical_rise_A=30.0), smallest_diameter_A=120.0)
