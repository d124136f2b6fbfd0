"""Defects are put on a micrograph and taken out of its truth."""

import numpy as np
import pytest

from cryoseg_ext.image.repair import repair
from cryoseg_ext.simulation import SimulatedMicrograph
from cryoseg_ext.simulation.defects import Defects
from cryoseg_ext.simulation.session import SessionOptions, load_specimens, simulate_session_micrograph

SHAPE, BORDER_PX = (300, 340), 40


def _simulate(index: int = 0, **defects: object) -> SimulatedMicrograph:
    options = SessionOptions(
        SHAPE, pixel_size_A=6.0, diameter_A=150.0, family="ellipsoid", contaminants=False, n_particles=40,
        defects=Defects(**defects),  # type: ignore[arg-type]
    )  # fmt: skip
    return simulate_session_micrograph(options, load_specimens(options), index)


def test_the_truth_has_no_particle_in_a_dead_border() -> None:
    sides = set()
    for index, border in enumerate(("constant", "striped", "constant"), start=7):
        sound, spoiled = _simulate(index), _simulate(index, dead_border_px=BORDER_PX, border=border)
        live = repair(spoiled.image).valid
        assert live.sum() == (SHAPE[0] - BORDER_PX) * (SHAPE[1] - BORDER_PX)
        sides.add((bool(live[0].any()), bool(live[:, 0].any())))
        np.testing.assert_array_equal(spoiled.image[live], sound.image[live])
        np.testing.assert_array_equal(spoiled.labels, np.where(live, sound.labels, 0))
        inside = live[sound.y_px.round().astype(int), sound.x_px.round().astype(int)]
        assert 0 < inside.sum() < len(inside)
        np.testing.assert_array_equal(spoiled.x_px, sound.x_px[inside])
        np.testing.assert_array_equal(spoiled.y_px, sound.y_px[inside])
        assert len(spoiled.orientations) == inside.sum()
        centres = spoiled.instances[spoiled.y_px.round().astype(int), spoiled.x_px.round().astype(int)]
        assert (centres == np.arange(1, inside.sum() + 1)).mean() > 0.9
    assert len(sides) > 1


def test_gain_errors_and_hot_pixels_are_those_of_the_detector() -> None:
    first, second = (_simulate(index, gain_error=0.05, hot_pixels=30) for index in range(2))
    changes = [spoiled.image - _simulate(k).image for k, spoiled in enumerate((first, second))]
    hot = [change > 0.5 * change.max() for change in changes]
    assert 5 < hot[0].sum() <= 30
    np.testing.assert_array_equal(hot[0], hot[1])
    cold = ~(changes[0] > 0.2 * changes[0].max())
    assert np.corrcoef(changes[0][cold], changes[1][cold])[0, 1] > 0.9
    # The relative error times the mean, which 40 electrons per Å^2 make some thirty times the noise.
    assert changes[0][cold].std() == pytest.approx(0.05 * 33, rel=0.3)


def test_an_inverted_file_is_the_negative() -> None:
    np.testing.assert_array_equal(_simulate(inverted=True).image, -_simulate().image)
