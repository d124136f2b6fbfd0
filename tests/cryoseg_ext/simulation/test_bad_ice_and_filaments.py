from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt, gaussian_filter
from scipy.spatial import cKDTree

from cryoseg_ext.arrays import FloatArray
from cryoseg_ext.network.classes import CONTAMINANT, PARTICLE
from cryoseg_ext.simulation import Conditions, Scale, draw_specimen, simulate_micrograph
from cryoseg_ext.simulation.filaments import FilamentField, simulate_filaments
from cryoseg_ext.simulation.ice import draw_bubbles, draw_crystalline, draw_grains
from cryoseg_ext.simulation.outlines import Drawing
from cryoseg_ext.simulation.stain import in_stain
from cryoseg_ext.training.dataset import SimulatedFields, simulate_filament_field

SHAPE, WIDTH_PX = (200, 260), 24.0
CLEAR = Conditions(snr=4.0, dose_e_A2=None, contaminated=False, ice_gradient=0.0, defocus_um=1.5)


def _filaments(seed: int) -> FilamentField:
    return simulate_filaments(np.random.default_rng(seed), SHAPE, Scale(6.0, 6.0 * WIDTH_PX), CLEAR)


def _finely(axis: FloatArray) -> FloatArray:
    """Return points along an axis, a few in a pixel, also outside the field."""
    at, index = np.linspace(0, len(axis) - 1, 20 * len(axis)), np.arange(len(axis))
    return np.stack([np.interp(at, index, line) for line in axis.T], axis=1)


@given(st.integers(0, 10_000))
@settings(max_examples=8, deadline=None)
def test_a_filament_shows_along_its_axis_and_nowhere_else(seed: int) -> None:
    field = _filaments(seed)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    distance_px, _ = cKDTree(np.concatenate([_finely(axis) for axis in field.axes_px])).query(
        np.stack([x, y], axis=-1)
    )
    is_particle = field.labels == PARTICLE
    assert is_particle[distance_px < 0.45 * WIDTH_PX].all()
    assert not is_particle[distance_px > 1.2 * WIDTH_PX].any()
    # A filament that leaves the field must not come in again on the other side, where it has no label.
    smooth = gaussian_filter(field.image, 3)
    far = distance_px > 1.2 * WIDTH_PX
    if far.mean() > 0.1 and is_particle.any():
        assert smooth[is_particle].mean() < smooth[far].mean() - 0.5
        assert (smooth[far] < smooth[far].mean() - 2).mean() < 0.01


def test_training_draws_fields_of_filaments_without_centres() -> None:
    fields = SimulatedFields(40, 96, seed=3)
    empty = [
        index
        for index in range(40)
        if (fields[index][1] == PARTICLE).float().mean() > 0.1 and fields[index][2].max() == 0
    ]
    assert empty
    field = simulate_filament_field(np.random.default_rng(1), 96)
    assert field.image.shape == field.labels.shape == (96, 96)


@pytest.mark.parametrize("draw", [draw_crystalline, draw_grains, draw_bubbles])
def test_bad_ice_hides_particles_where_it_lies(
    draw: Callable[[np.random.Generator, tuple[int, int], float], Drawing],
) -> None:
    rng = np.random.default_rng(5)
    drawn = [draw(rng, SHAPE, WIDTH_PX) for _ in range(6)]
    assert all(density.shape == hides.shape == SHAPE for density, hides in drawn)
    hidden = np.stack([hides > 0 for _, hides in drawn])
    assert 0.02 < hidden.mean() < 1
    density = np.stack([one for one, _ in drawn])
    assert density[hidden].std() > density[~hidden].std()


def test_stain_is_bright_beside_a_particle_and_a_field_may_have_no_particle() -> None:
    rng = np.random.default_rng(7)
    specimen = draw_specimen(rng, "globular")
    stained = replace(in_stain(rng, CLEAR), stain=2.0, snr=5.0, ice_gradient=0.0, coverage=0.05)
    field = simulate_micrograph(rng, SHAPE, 6.0, specimen, 6.0 * WIDTH_PX, stained)
    distance_px = distance_transform_edt(field.labels != PARTICLE)
    beside = (distance_px > 1) & (distance_px < 0.3 * WIDTH_PX)
    far = distance_px > 1.5 * WIDTH_PX
    assert field.clean[field.labels == PARTICLE].mean() < field.clean[far].mean() < field.clean[beside].mean()
    empty = simulate_micrograph(rng, SHAPE, 6.0, specimen, 6.0 * WIDTH_PX, replace(stained, coverage=0.0))
    assert len(empty.x_px) == 0
    assert not np.isin(empty.labels, (PARTICLE, CONTAMINANT)).any()
