"""The estimated diameter and its interval, on drawn measurements and on a simulated micrograph."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cryoseg_ext.arrays import Image
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.image.repair import repair
from cryoseg_ext.model.checkpoint import load_model
from cryoseg_ext.simulation.session import SessionOptions, load_specimens, simulate_session_micrograph
from cryoseg_ext.size.estimate import Measurement, estimate_diameter
from cryoseg_ext.size.measure import LADDER_A, measure
from tests.cryoseg_ext.size.drawn import fading, radii


def _micrograph(true_A: float, n: int, seed: int = 0, score: float = 0.95) -> list[Measurement]:
    """Return outlines that hardly grow beyond the true size, and noise as large as stated far below it."""
    rng = np.random.default_rng(seed)
    measurements = []
    for stated_A in LADDER_A:
        near = abs(np.log(stated_A / true_A)) < 0.8
        typical_A = true_A * (stated_A / true_A) ** 0.2 if near else 0.9 * stated_A
        extent_A = typical_A * np.exp(0.03 * rng.normal(size=n))
        scores = np.full(n, score if near else 0.5)
        profile = np.tile(fading(true_A, stated_A), (n, 1))
        measurements.append(Measurement(stated_A, extent_A, 0.8 * extent_A, scores, profile))
    return measurements


def _shell(true_A: float, stated_A: float) -> Image:
    """Return the profile of the mean of shells, which are darkest at 0.4 of their diameter."""
    profile = np.interp(radii(true_A, stated_A), [0, 0.4, 0.5], [-1.0, -1.4, 1.4])
    return np.minimum(profile, 0.5).astype(np.float32)


@pytest.mark.parametrize("true_A", [80.0, 150.0, 400.0])
def test_the_diameter_at_which_picks_are_surest_is_found(true_A: float) -> None:
    estimate = estimate_diameter([_micrograph(true_A, 40, seed) for seed in range(3)])
    assert estimate.diameter_A == pytest.approx(true_A, rel=0.08)
    assert estimate.low_A < true_A < estimate.high_A
    assert estimate.sure
    assert str(estimate).startswith(f"Particle diameter: {estimate.diameter_A:.0f} Å (between ")
    assert str(estimate).endswith("Å; 3 micrographs, 120 particles)")


def test_aggregates_and_fragments_do_not_change_it() -> None:
    clean = [_micrograph(150, 60)]
    dirty = [
        Measurement(
            measurement.stated_A,
            np.append(measurement.extent_A, [900.0] * 12 + [30.0] * 12),
            np.append(measurement.width_A, [600.0] * 12 + [20.0] * 12),
            np.append(measurement.score, [0.9] * 24),
            np.concatenate([measurement.profile, measurement.profile[:24]]),
        )
        for measurement in clean[0]
    ]
    assert estimate_diameter([dirty]).diameter_A == pytest.approx(
        estimate_diameter(clean).diameter_A, rel=0.03
    )


def test_outlines_that_are_too_long_do_not_count_for_shells() -> None:
    too_long = _micrograph(230, 60)
    shells = [
        replace(measurement, profile=np.tile(_shell(180, measurement.stated_A), (60, 1)))
        for measurement in too_long
    ]
    assert estimate_diameter([too_long]).diameter_A == pytest.approx(230, rel=0.08)
    assert estimate_diameter([shells]).diameter_A == pytest.approx(180, rel=0.03)


def test_what_is_bright_on_average_is_no_particle() -> None:
    bright = [replace(measurement, profile=-measurement.profile) for measurement in _micrograph(150, 40)]
    with pytest.raises(CryosegError, match="too few particles"):
        estimate_diameter([bright])


def test_micrographs_that_disagree_make_it_unsure() -> None:
    estimate = estimate_diameter([_micrograph(90, 30), _micrograph(260, 30)])
    assert not estimate.sure
    assert "UNSURE: check the picks, or give --particle_diameter" in str(estimate)


def test_what_hardly_looks_like_particles_makes_it_unsure() -> None:
    assert not estimate_diameter([_micrograph(150, 60, score=0.55)]).sure


def test_without_particles_it_says_to_give_the_diameter() -> None:
    with pytest.raises(CryosegError, match=r"too few particles .* give --particle_diameter in Å"):
        estimate_diameter([_micrograph(150, 2), []])


def test_simulated_particles_are_as_large_as_they_were_made() -> None:
    options = SessionOptions((768, 700), 3.0, family="symmetric", diameter_A=180, snr=1.0, seed=5)
    micrograph = simulate_session_micrograph(options, load_specimens(options), 0)
    measured = [measure(repair(micrograph.image), options.pixel_size_A, load_model())]
    estimate = estimate_diameter(measured)
    assert estimate.diameter_A == pytest.approx(options.diameter_A, rel=0.15)
    assert estimate.sure
    assert estimate == estimate_diameter(measured)
