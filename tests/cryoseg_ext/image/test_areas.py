from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from cryoseg_ext.arrays import Image
from cryoseg_ext.image.areas import (
    FILM_PARTICLES,
    AreaShares,
    Verdict,
    assess,
    measure_areas,
    n_fitting,
)
from cryoseg_ext.image.mottle import crystalline_ice, is_filtered
from cryoseg_ext.picks import Picks

DIAMETER_PX = 10.0
PARTICLE_PX = np.pi / 4 * DIAMETER_PX**2


NOISE = np.random.default_rng(0).normal(size=(200, 200)).astype(np.float32)
NOTHING = np.zeros_like(NOISE, np.bool_)


def test_areas_are_shares_of_the_whole_field_and_a_dead_border_is_not_dirt() -> None:
    contaminated, valid = NOTHING.copy(), ~NOTHING
    valid[:, :20] = False
    contaminated[10:20, 10:60] = True
    areas = measure_areas(contaminated, NOTHING, valid, NOISE, DIAMETER_PX)
    assert areas == AreaShares(contaminated=10 * 40 / 40_000, film=0.0, dead=0.1)
    assert areas.usable == pytest.approx(1 - 0.01 - 0.1)


def test_only_a_coherent_even_area_of_many_particles_is_film() -> None:
    crystals, film = NOTHING.copy(), NOTHING.copy()
    side = int(np.sqrt(FILM_PARTICLES * PARTICLE_PX))
    for corner in (0, 60, 120):
        crystals[corner : corner + side, corner : corner + side] = True
    film[:, -50:] = True
    areas = measure_areas(crystals | film, NOTHING, ~NOTHING, NOISE, DIAMETER_PX)
    assert areas.film == pytest.approx(film.mean())
    assert areas.contaminated == pytest.approx(film.mean() + crystals.mean(), abs=1e-4)
    uneven = NOISE + np.where(film, 3 * blobs(), 0)
    assert measure_areas(crystals | film, NOTHING, ~NOTHING, uneven, DIAMETER_PX).film < 0.01


def test_a_mottle_as_wide_as_particles_is_crystalline_ice_and_particles_are_not() -> None:
    half = NOTHING.copy()
    half[:100] = True
    mottled = NOISE + np.where(half, 0.5 * blobs(), 0)
    found = crystalline_ice(mottled, ~NOTHING, DIAMETER_PX)
    assert found[:85].mean() > 0.95
    assert found[115:].mean() < 0.05
    areas = measure_areas(NOTHING, found, ~NOTHING, mottled, DIAMETER_PX)
    assert areas.mottled == pytest.approx(found.mean(), abs=1e-4)
    # The same as particles, which are in the mask.
    particles = np.clip(blobs(), 0, None)
    assert crystalline_ice(NOISE + particles, particles == 0, DIAMETER_PX).mean() < 0.01


def test_a_filtered_image_is_recognised_by_its_finest_noise() -> None:
    assert not is_filtered(NOISE + 3 * blobs())
    assert is_filtered(gaussian_filter(NOISE, 1.0))


def blobs() -> Image:
    """Return a random pattern of unit variance, correlated over half a diameter."""
    field = gaussian_filter(np.random.default_rng(1).normal(size=NOISE.shape), DIAMETER_PX / 3)
    return (field / field.std()).astype(np.float32)


def test_picks_are_counted_and_none_has_a_mean_score_of_0() -> None:
    areas = AreaShares(0.0, 0.0, 0.0)
    picks = Picks(np.zeros(3), np.zeros(3), np.array([0.9, 0.6, 0.2]))
    some, none = assess(picks, areas, 20), assess(picks.above(1), areas, 20)
    assert (some.n_picks, none.n_picks) == (3, 0)
    assert some.mean_score == pytest.approx(1.7 / 3)
    assert none.mean_score == 0


@pytest.mark.parametrize(
    ("areas", "n_picks", "verdict"),
    [
        (AreaShares(0.0, 0.0, 0.0), 30, Verdict.GOOD),
        (AreaShares(0.0, 0.0, 0.0), 3, Verdict.FEW_PARTICLES),
        (AreaShares(0.2, 0.0, 0.0), 3, Verdict.CONTAMINATED),
        (AreaShares(0.1, 0.0, 0.0, 0.5), 3, Verdict.CRYSTALLINE_ICE),
        (AreaShares(0.4, 0.0, 0.0, 0.5), 30, Verdict.CONTAMINATED),
        (AreaShares(0.4, 0.3, 0.0, 0.3), 30, Verdict.CARBON_OR_EDGE),
        (AreaShares(0.4, 0.3, 0.6), 30, Verdict.DEAD),
    ],
)
def test_the_verdict_names_what_is_worst(areas: AreaShares, n_picks: int, verdict: Verdict) -> None:
    picks = Picks(np.zeros(n_picks), np.zeros(n_picks), np.ones(n_picks))
    assert assess(picks, areas, n_fitting=100.0).verdict is verdict


def test_the_particles_that_fit_are_counted_in_the_usable_area() -> None:
    areas = AreaShares(contaminated=0.25, film=0.0, dead=0.25)
    # Half of 1000 x 2000 Å, of which a circle of 100 Å takes a hexagon.
    assert n_fitting((500, 1000), 2.0, 100.0, areas) == pytest.approx(1e6 / (100**2 * np.sqrt(3) / 2))
