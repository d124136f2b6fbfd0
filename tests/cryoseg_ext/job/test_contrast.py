"""The warning of the other contrast, also where the stated diameter is wrong by a third."""

from __future__ import annotations

import functools

import pytest

from cryoseg_ext.image.repair import RepairedMicrograph, repair
from cryoseg_ext.job.contrast import contrast_hint
from cryoseg_ext.model.checkpoint import Model, load_model
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.pipeline import pick_repaired
from cryoseg_ext.simulation.session import SessionOptions, load_specimens, simulate_session_micrograph

PIXEL_SIZE_A, DIAMETER_A = 3.5, 180.0
STATED_A = (DIAMETER_A / 1.5, 1.33 * DIAMETER_A)


@functools.cache
def _model() -> Model:
    return load_model()


@functools.cache
def _dark(n_particles: int) -> RepairedMicrograph:
    options = SessionOptions(
        (512, 480), PIXEL_SIZE_A, family="symmetric", diameter_A=DIAMETER_A, snr=1.0, n_particles=n_particles
    )
    return repair(simulate_session_micrograph(options, load_specimens(options), 0).image)


def _hint(options: PickingOptions, *, bright: bool, n_particles: int = 40) -> str | None:
    dark = _dark(n_particles)
    # What is given to pick from has been inverted where the user wants that.
    shown = RepairedMicrograph(-dark.image if bright != options.invert else dark.image, dark.valid)
    return contrast_hint(pick_repaired(shown, PIXEL_SIZE_A, _model(), options), _model(), options)


@pytest.mark.parametrize("stated_A", STATED_A)
def test_the_wrong_contrast_is_named_and_the_right_one_is_not(stated_A: float) -> None:
    hint = _hint(PickingOptions(stated_A), bright=True)
    assert hint
    assert "particles if protein is bright" in hint
    assert hint.endswith("if so give --invert")
    assert _hint(PickingOptions(stated_A), bright=False) is None


def test_an_inversion_that_is_not_needed_is_named() -> None:
    hint = _hint(PickingOptions(DIAMETER_A, invert=True), bright=False)
    assert hint
    assert hint.endswith("if so leave out --invert")
    assert _hint(PickingOptions(DIAMETER_A, invert=True), bright=True) is None


def test_a_mixture_of_sizes_is_looked_at_in_its_middle() -> None:
    assert _hint(PickingOptions(250.0, smallest_diameter_A=150.0), bright=True)


@pytest.mark.parametrize("bright", [False, True])
def test_a_micrograph_with_hardly_a_particle_gives_no_warning(bright: bool) -> None:
    assert _hint(PickingOptions(DIAMETER_A), bright=bright, n_particles=2) is None
