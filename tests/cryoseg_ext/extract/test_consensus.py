"""The field over the candidates of a micrograph: look-alikes rise and fall together, and all of them where
there are many."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from cryoseg_ext.arrays import FloatArray, Mask
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
    return Candidates(log_odds, log_odds, features, profiles.astype(np.float32), 512**2)


def _any(rng: np.random.Generator, n: int) -> tuple[FloatArray, Candidates]:
    log_odds = rng.normal(size=n)
    return log_odds, _candidates(log_odds, rng.normal(size=(n, MAPS, RINGS)))


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
        [share_right(field(own, found), right) for own, (found, right) in zip(unary, new, strict=True)]
    )
    assert together > alone + 0.05


def test_a_learned_field_expects_little_of_a_nearly_empty_micrograph() -> None:
    rng = np.random.default_rng(3)
    field = fit_consensus([_micrograph(rng, share) for share in np.tile([0.02, 0.6], 20)], ALONE)
    found, _ = _micrograph(rng)
    log_odds, on_much_more = ALONE.log_odds(found.features), replace(found, searched_px=40 * 512**2)
    assert field(log_odds, on_much_more).mean() < field(log_odds, found).mean() - 1


@given(st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_the_order_of_the_candidates_does_not_matter(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    log_odds, candidates = _any(rng, n)
    order = rng.permutation(n)
    refined = PLAIN(log_odds, candidates)
    assert np.isfinite(refined).all()
    np.testing.assert_allclose(PLAIN(log_odds[order], candidates.at(order)), refined[order], atol=1e-8)


def test_the_sums_over_all_pairs_are_those_of_a_double_loop() -> None:
    log_odds, candidates = _any(np.random.default_rng(1), 30)
    candidates.profiles[::2] *= 3
    q = expit(log_odds)
    looks = candidates.profiles / np.maximum(np.sqrt((candidates.profiles**2).mean(axis=2)) / 2, 1)[..., None]
    pairs = np.einsum("imr,jmr->ijm", looks, looks) / RINGS
    own = np.einsum("iim->im", pairs)
    particle, background = (np.einsum("j,ijm->im", p, pairs) / (p.sum() + 10) for p in (q, 1 - q))
    terms = np.stack([own, particle, background], axis=2).reshape(30, -1)
    np.testing.assert_allclose(
        PLAIN.terms(q, candidates)[:, :-1], terms - q @ terms / (q.sum() + 10), rtol=1e-5, atol=1e-6
    )


@given(st.floats(0.1, 10))
def test_a_larger_field_of_the_same_crowd_changes_nothing(factor: float) -> None:
    log_odds, candidates = _any(np.random.default_rng(4), 40)
    q, searched_px = expit(log_odds), candidates.searched_px
    larger = replace(candidates, searched_px=round(factor * searched_px))
    same = PLAIN.terms(q * larger.searched_px / searched_px, larger)[:, -1]
    np.testing.assert_allclose(same, PLAIN.terms(q, candidates)[:, -1])


def test_without_weights_the_candidates_stand_for_themselves() -> None:
    log_odds, candidates = _any(np.random.default_rng(2), 20)
    np.testing.assert_array_equal(
        replace(PLAIN, weights=((0.0,) * 3,) * MAPS)(log_odds, candidates), log_odds
    )


@pytest.mark.parametrize("crf", [None, CrfChoice(solver="none")])
def test_no_field_is_left_where_the_user_wants_no_solver(crf: CrfChoice | None) -> None:
    model = load_model()
    assert calibration_of(model).consensus is not None
    assert calibration_of(model, crf).consensus is None
