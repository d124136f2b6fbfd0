from __future__ import annotations

import numpy as np
import pytest

from cryoseg_ext.image.areas import FILM_PARTICLES, AreaShares, assess, measure_areas
from cryoseg_ext.picks import Picks

DIAMETER_PX = 10.0
PARTICLE_PX = np.pi / 4 * DIAMETER_PX**2


def test_areas_are_shares_of_the_whole_field_and_a_dead_border_is_not_dirt() -> None:
    valid = np.ones((100, 200), bool)
    valid[:, :20] = False
    contaminated = np.zeros_like(valid)
    contaminated[10:20, 10:60] = True
    areas = measure_areas(contaminated, valid, DIAMETER_PX)
    assert areas == AreaShares(contaminated=10 * 40 / 20_000, film=0.0, dead=0.1)
    assert areas.usable == pytest.approx(1 - 0.02 - 0.1)


def test_only_a_coherent_area_of_many_particles_is_film() -> None:
    valid = np.ones((200, 200), bool)
    crystals, film = np.zeros_like(valid), np.zeros_like(valid)
    side = int(np.sqrt(FILM_PARTICLES * PARTICLE_PX))
    for corner in (0, 60, 120):
        crystals[corner : corner + side, corner : corner + side] = True
    film[:, -15:] = True
    assert film.sum() > FILM_PARTICLES * PARTICLE_PX
    areas = measure_areas(crystals | film, valid, DIAMETER_PX)
    assert areas.film == pytest.approx(film.mean())
    assert areas.contaminated == pytest.approx(film.mean() + crystals.mean(), abs=1e-4)


def test_picks_are_counted_and_none_has_a_mean_score_of_0() -> None:
    areas = AreaShares(0.0, 0.0, 0.0)
    picks = Picks(np.zeros(3), np.zeros(3), np.array([0.9, 0.6, 0.2]))
    some, none = assess(picks, areas), assess(picks.above(1), areas)
    assert (some.n_picks, none.n_picks) == (3, 0)
    assert some.mean_score == pytest.approx(1.7 / 3)
    assert none.mean_score == 0
