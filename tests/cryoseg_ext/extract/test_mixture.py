"""Particles of several sizes are each found once, with their own size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from cryoseg_ext.extract.mixture import merge_sizes
from cryoseg_ext.model.checkpoint import load_model
from cryoseg_ext.options.extraction import ExtractionOptions
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.picks import Picks
from cryoseg_ext.pipeline import pick_micrograph
from cryoseg_ext.simulation import Conditions, Scale, draw_specimen, simulate_at
from cryoseg_ext.simulation.placement import draw_centres
from cryoseg_ext.simulation.presets import TYPICAL

PIXEL_A = 4.0


def _picks(*rows: tuple[float, float, float, float]) -> Picks:
    """Return picks of (x in Å, y in Å, score, size in Å)."""
    x_A, y_A, score, size_A = np.array(rows, np.float64).reshape(-1, 4).T
    return Picks(x_A / PIXEL_A, y_A / PIXEL_A, score, size_A)


def _sizes(found: list[tuple[Picks, float]], **options: float) -> list[float]:
    merged = merge_sizes(found, PIXEL_A, ExtractionOptions(**options))  # type: ignore[arg-type]
    assert (np.diff(merged.score) <= 0).all()
    assert merged.diameter_A is not None
    return list(map(float, merged.diameter_A))


def test_a_large_particle_beats_its_parts_and_a_small_one_the_blur_of_a_larger_scale() -> None:
    parts = (900.0, 70.0, 0.95, 100.0), (900.0, -70.0, 0.9, 90.0)
    small, blurred = (0.0, 0.0, 0.9, 115.0), (5.0, 0.0, 0.95, 140.0)
    whole = (900.0, 0.0, 0.9, 235.0)
    assert sorted(_sizes([(_picks(*parts, small), 120), (_picks(whole, blurred), 240)])) == [115, 235]


def test_a_pair_of_small_particles_is_not_one_large_one() -> None:
    pair = (-60.0, 0.0, 0.95, 118.0), (60.0, 0.0, 0.95, 118.0)
    assert _sizes([(_picks(*pair), 120), (_picks((0.0, 0.0, 0.6, 240.0)), 240)]) == [118, 118]


def test_a_small_particle_beside_a_large_one_is_kept_and_a_distance_asked_for_removes_it() -> None:
    found = [(_picks((190.0, 0.0, 0.8, 118.0)), 120.0), (_picks((0.0, 0.0, 0.9, 240.0)), 240.0)]
    assert _sizes(found) == [240, 118]
    assert _sizes(found, min_distance_A=200.0) == [240]


def test_without_a_mask_the_stated_size_stands_in_and_a_measured_pick_goes_first() -> None:
    unmeasured = (0.0, 0.0, 0.9, np.nan)
    assert _sizes([(_picks(unmeasured), 120), (_picks((0.0, 0.0, 0.9, 200.0)), 240)]) == [200]
    assert _sizes([(_picks(unmeasured), 120), (_picks(), 240)]) == [120]


def test_both_specimens_of_a_simulated_mixture_are_found_with_their_sizes() -> None:
    rng = np.random.default_rng(1)
    conditions: Conditions = replace(TYPICAL, contaminated=False, dose_e_A2=None, snr=0.7)
    shape, sizes_A = (560, 560), (120.0, 240.0)
    centres = draw_centres(rng, shape, 40, 200 / PIXEL_A, 35)
    fields = [
        simulate_at(rng, shape, Scale(PIXEL_A, size_A), draw_specimen(rng, family), conditions, centres[part])
        for family, size_A, part in zip(
            ("shell", "barrel"), sizes_A, (slice(0, 25), slice(25, 40)), strict=True
        )
    ]
    options = PickingOptions(260.0, smallest_diameter_A=110.0)
    model = load_model()
    picks = pick_micrograph(fields[0].image + fields[1].clean, PIXEL_A, model, options).candidates
    picks = picks.above(model.threshold)
    assert picks.diameter_A is not None
    assert len(picks) < 1.2 * len(centres)
    tree = cKDTree(np.stack([picks.x_px, picks.y_px], axis=1))
    for field, size_A in zip(fields, sizes_A, strict=True):
        distance_px, nearest = tree.query(np.stack([field.x_px, field.y_px], axis=1))
        found = distance_px < 0.3 * size_A / PIXEL_A
        assert found.mean() > 0.85
        # The longest extent of a barrel shows only from the side.
        assert np.mean(abs(picks.diameter_A[nearest[found]] / size_A - 1) < 0.2) > 0.6
