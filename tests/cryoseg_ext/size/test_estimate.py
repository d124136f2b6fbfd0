"""The estimate is where measured and stated diameter agree, and says how sure it is."""

from __future__ import annotations

import numpy as np
import pytest

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.network import load_model
from cryoseg_ext.repair import repair
from cryoseg_ext.simulation.session import SessionOptions, load_specimens, simulate_session_micrograph
from cryoseg_ext.size.estimate import Measurement, estimate_diameter
from cryoseg_ext.size.measure import LADDER_A, measure


def _micrograph(true_A: float, n: int, seed: int = 0, score: float = 0.95) -> list[Measurement]:
    """Return outlines that hardly grow beyond the true size, and noise as large as stated far below it."""
    rng = np.random.default_rng(seed)
    measurements = []
    for stated_A in LADDER_A:
        near = abs(np.log(stated_A / true_A)) < 0.8
        typical_A = true_A * (stated_A / true_A) ** 0.2 if near else 0.9 * stated_A
        extent_A = typical_A * np.exp(0.03 * rng.normal(size=n))
        measurements.append(
            Measurement(stated_A, extent_A, 0.8 * extent_A, np.full(n, score if near else 0.5))
        )
    return measurements


@pytest.mark.parametrize("true_A", [80.0, 150.0, 400.0])
def test_the_diameter_that_agrees_with_itself_is_found(true_A: float) -> None:
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
            one.stated_A,
            np.append(one.extent_A, [900.0] * 12 + [30.0] * 12),
            np.append(one.width_A, [600.0] * 12 + [20.0] * 12),
            np.append(one.score, [0.9] * 24),
        )
        for one in clean[0]
    ]
    assert estimate_diameter([dirty]).diameter_A == pytest.approx(
        estimate_diameter(clean).diameter_A, rel=0.03
    )


def test_micrographs_that_disagree_make_it_unsure() -> None:
    estimate = estimate_diameter([_micrograph(90, 30), _micrograph(260, 30)])
    assert not estimate.sure
    assert "UNSURE: check the picks, or give --particle_diameter" in str(estimate)


def test_what_hardly_looks_like_particles_makes_it_unsure() -> None:
    assert not estimate_diameter([_micrograph(150, 60, score=0.55)]).sure


def test_without_particles_it_says_to_give_the_diameter() -> None:
    with pytest.raises(CryosegError, match="too few particles .* give --particle_diameter in Å"):
        estimate_diameter([_micrograph(150, 2), []])


@pytest.mark.parametrize(
    ("family", "true_A", "pixel_size_A"), [("symmetric", 180, 3.0), ("barrel", 110, 2.0)]
)
def test_simulated_particles_are_as_large_as_they_were_made(
    family: str, true_A: float, pixel_size_A: float
) -> None:
    options = SessionOptions((768, 700), pixel_size_A, family=family, diameter_A=true_A, snr=1.0, seed=5)
    micrograph = simulate_session_micrograph(options, load_specimens(options), 0)
    measured = [measure(repair(micrograph.image), pixel_size_A, load_model())]
    estimate = estimate_diameter(measured)
    assert estimate.diameter_A == pytest.approx(true_A, rel=0.15)
    assert estimate.sure
    assert estimate == estimate_diameter(measured)
