"""The field over the candidates of a micrograph: look-alikes rise and fall together, their number stays."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from cryoseg_ext.arrays import FloatArray, Image, Mask
from cryoseg_ext.extract.consensus import Consensus
from cryoseg_ext.model.checkpoint import load_model
from cryoseg_ext.options.crf import CrfChoice
from cryoseg_ext.pipeline import calibration_of
from cryoseg_ext.training.calibrate import fit_consensus

MAPS, RINGS = 2, 12
PLAIN = Consensus(
    1.0, 0.0, ((0.1, 0.4, -0.3), (-0.2, 0.2, 0.1)), ((0.0,) * RINGS,) * MAPS, ((1.0,) * RINGS,) * MAPS
)


def _candidates(rng: np.random.Generator, n: int) -> tuple[FloatArray, Image]:
    return rng.normal(size=n), rng.normal(size=(n, MAPS, RINGS)).astype(np.float32)


def _micrograph(rng: np.random.Generator, n: int = 120) -> tuple[FloatArray, Image, Mask]:
    """Particles look alike, as do the others, otherwise in each micrograph; the network half sees it."""
    right = rng.uniform(size=n) < 0.5
    looks = rng.normal(size=(2, MAPS, RINGS))
    profiles = looks[right.astype(int)] + rng.normal(size=(n, MAPS, RINGS))
    return 1.5 * (2 * right - 1) + 2 * rng.normal(size=n), profiles.astype(np.float32), right


def test_a_learned_field_puts_more_particles_first_on_new_micrographs() -> None:
    rng = np.random.default_rng(0)
    learned_on = [_micrograph(rng) for _ in range(30)]
    field = fit_consensus(
        [(log_odds, profiles) for log_odds, profiles, _ in learned_on],
        np.concatenate([right for *_, right in learned_on]),
    )

    def share_right(scores: FloatArray, right: Mask) -> float:
        return float(right[np.argsort(-scores)[: right.sum()]].mean())

    new = [_micrograph(rng) for _ in range(10)]
    alone = np.mean([share_right(log_odds, right) for log_odds, _, right in new])
    together = np.mean([share_right(field(log_odds, looks), right) for log_odds, looks, right in new])
    assert together > alone + 0.05


@given(st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_the_order_of_the_candidates_does_not_matter(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    log_odds, profiles = _candidates(rng, n)
    order = rng.permutation(n)
    refined = PLAIN(log_odds, profiles)
    assert np.isfinite(refined).all()
    np.testing.assert_allclose(PLAIN(log_odds[order], profiles[order]), refined[order], atol=1e-8)


def test_the_sums_over_all_pairs_are_those_of_a_double_loop() -> None:
    log_odds, profiles = _candidates(np.random.default_rng(1), 30)
    q = expit(log_odds)
    pairs = np.einsum("imr,jmr->ijm", profiles, profiles) / RINGS
    own = np.einsum("iim->im", pairs)
    particle, background = (np.einsum("j,ijm->im", p, pairs) / (p.sum() + 3) for p in (q, 1 - q))
    terms = np.stack([own, particle, background], axis=2).reshape(30, -1)
    np.testing.assert_allclose(
        PLAIN.similarity(q, profiles), terms - q @ terms / (q.sum() + 3), rtol=1e-5, atol=1e-6
    )


def test_without_weights_the_candidates_stand_for_themselves() -> None:
    log_odds, profiles = _candidates(np.random.default_rng(2), 20)
    np.testing.assert_array_equal(replace(PLAIN, weights=((0.0,) * 3,) * MAPS)(log_odds, profiles), log_odds)


@pytest.mark.parametrize("crf", [None, CrfChoice(solver="none")])
def test_no_field_is_left_where_the_user_wants_no_solver(crf: CrfChoice | None) -> None:
    model = load_model()
    assert calibration_of(model).consensus is not None
    assert calibration_of(model, crf).consensus is None
