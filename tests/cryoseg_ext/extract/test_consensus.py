"""The field over the candidates of a micrograph: look-alikes rise and fall together, and all of them with how
sure the sure ones are."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from cryoseg_ext.arrays import FloatArray, Image, Mask
from cryoseg_ext.extract.candidates import Candidates
from cryoseg_ext.extract.consensus import Consensus
from cryoseg_ext.extract.score import FEATURES, Calibration
from cryoseg_ext.model.checkpoint import load_model
from cryoseg_ext.options.crf import CrfChoice
from cryoseg_ext.pipeline import calibration_of
from cryoseg_ext.training.calibrate import fit_consensus

MAPS, RINGS = 2, 12
IDENTITY = tuple(tuple(float(row == column) for column in range(RINGS)) for row in range(RINGS))
WEIGHTS = ((0.1, 0.4, -0.3), (-0.2, 0.2, 0.1))
PLAIN = Consensus(1.0, 0.0, 0.0, WEIGHTS, ((0.0,) * RINGS,) * MAPS, (IDENTITY,) * MAPS)
ALONE = Calibration(0.0, (1.0, 0.0, 0.0, 0.0))


def _candidates(log_odds: FloatArray, profiles: FloatArray) -> Candidates:
    """Candidates whose first feature is their log odds."""
    features = np.pad(log_odds[:, None], ((0, 0), (0, len(FEATURES) - 1)))
    return Candidates(log_odds, log_odds, features, profiles.astype(np.float32))


def _any(rng: np.random.Generator, n: int) -> tuple[FloatArray, Image]:
    return rng.normal(size=n), rng.normal(size=(n, MAPS, RINGS)).astype(np.float32)


def _micrograph(rng: np.random.Generator, share_right: float = 0.5, n: int = 120) -> tuple[Candidates, Mask]:
    """Particles look alike, as do the others, otherwise in each micrograph; the network half sees it."""
    right = rng.uniform(size=n) < share_right
    looks = rng.normal(size=(2, MAPS, RINGS))
    profiles = looks[right.astype(int)] + rng.normal(size=(n, MAPS, RINGS))
    return _candidates(1.5 * (2 * right - 1) + 2 * rng.normal(size=n), profiles), right


def test_a_learned_field_puts_more_particles_first_on_new_micrographs() -> None:
    rng = np.random.default_rng(0)
    field = fit_consensus([_micrograph(rng) for _ in range(30)], ALONE)

    def share_right(scores: FloatArray, right: Mask) -> float:
        return float(right[np.argsort(-scores)[: right.sum()]].mean())

    new = [_micrograph(rng) for _ in range(10)]
    unary = [ALONE.log_odds(found.features) for found, _ in new]
    alone = np.mean([share_right(own, right) for own, (_, right) in zip(unary, new, strict=True)])
    together = np.mean(
        [
            share_right(field(own, found.profiles), right)
            for own, (found, right) in zip(unary, new, strict=True)
        ]
    )
    assert together > alone + 0.05


def test_a_learned_field_trusts_no_candidate_where_none_is_sure() -> None:
    rng = np.random.default_rng(3)
    field = fit_consensus([_micrograph(rng, share) for share in np.tile([0.02, 0.6], 20)], ALONE)
    log_odds, profiles = _any(rng, 40)
    beside_sure_ones = np.concatenate([log_odds, np.full(40, 6.0)])
    alone = field(log_odds, profiles).mean()
    assert alone < field(beside_sure_ones, np.tile(profiles, (2, 1, 1)))[:40].mean() - 0.5


@given(st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_the_order_of_the_candidates_does_not_matter(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    log_odds, profiles = _any(rng, n)
    order = rng.permutation(n)
    refined = PLAIN(log_odds, profiles)
    assert np.isfinite(refined).all()
    np.testing.assert_allclose(PLAIN(log_odds[order], profiles[order]), refined[order], atol=1e-8)


def test_the_sums_over_all_pairs_are_those_of_a_double_loop() -> None:
    log_odds, profiles = _any(np.random.default_rng(1), 30)
    profiles[::2] *= 3
    q = expit(log_odds)
    looks = profiles / np.maximum(np.sqrt((profiles**2).mean(axis=2)) / 2, 1)[..., None]
    pairs = np.einsum("imr,jmr->ijm", looks, looks) / RINGS
    own = np.einsum("iim->im", pairs)
    particle, background = (np.einsum("j,ijm->im", p, pairs) / (p.sum() + 10) for p in (q, 1 - q))
    terms = np.stack([own, particle, background], axis=2).reshape(30, -1)
    np.testing.assert_allclose(
        PLAIN.terms(q, profiles)[:, :-1], terms - q @ terms / (q.sum() + 10), rtol=1e-5, atol=1e-6
    )


def test_without_weights_the_candidates_stand_for_themselves() -> None:
    log_odds, profiles = _any(np.random.default_rng(2), 20)
    np.testing.assert_array_equal(replace(PLAIN, weights=((0.0,) * 3,) * MAPS)(log_odds, profiles), log_odds)


@pytest.mark.parametrize("crf", [None, CrfChoice(solver="none")])
def test_no_field_is_left_where_the_user_wants_no_solver(crf: CrfChoice | None) -> None:
    model = load_model()
    assert calibration_of(model).consensus is not None
    assert calibration_of(model, crf).consensus is None
