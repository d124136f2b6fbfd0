"""From candidates to a probability, and the default threshold, on simulated fields never trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from cryoseg_ext.evaluation import match_picks, score_picks
from cryoseg_ext.extract.candidates import Candidates
from cryoseg_ext.extract.consensus import Consensus
from cryoseg_ext.extract.peaks import find_candidates
from cryoseg_ext.extract.score import Calibration
from cryoseg_ext.extract.selection import extract_picks
from cryoseg_ext.image.scale import WorkingMicrograph, normalise
from cryoseg_ext.model.checkpoint import Model
from cryoseg_ext.model.inference import ONE_VIEW
from cryoseg_ext.picks import Picks
from cryoseg_ext.pipeline import maps_of
from cryoseg_ext.training.dataset import simulate_field

N_FIELDS = 240
WIDER = 2
"""Wider than the training's fields: the candidates of a whole micrograph say more about each other."""
MATCH_DIAMETERS = 0.3
_ROUNDS, _RIDGE, _SPREAD = 3, 1e-3, 1e-3
"""Of the consensus: a third round hardly moves it; the ridge is per candidate."""


def calibrate(model: Model, field_px: int, seed: int) -> Model:
    """Return `model` calibrated, with the threshold of highest F1, on `N_FIELDS` fresh fields.

    They are seen in one view. Where views disagree, their mean is nearer to even odds, so on micrographs,
    which are less like the training than these fields are, scores are more cautious than here.

    Parameters
    ----------
    model : Model
        With its CRF; its own calibration and threshold are not used.
    field_px : int
        Width of the fields in working pixels.
    seed : int
        Of the fields.
    """
    fields = [_candidates(model, WIDER * field_px, [seed, index]) for index in range(N_FIELDS)]
    calibration = fit_scores(
        [
            rightness(candidates, truth_xy_px, MATCH_DIAMETERS * working.diameter_px)
            for working, candidates, truth_xy_px in fields
        ]
    )
    scores = score_picks(
        (
            (truth_xy_px, extract_picks(candidates, working, calibration))
            for working, candidates, truth_xy_px in fields
        ),
        MATCH_DIAMETERS * fields[0][0].diameter_px,
    )
    return replace(model, calibration=calibration, threshold=round(scores.best_threshold, 2))


def _candidates(
    model: Model, field_px: int, seed: list[int]
) -> tuple[WorkingMicrograph, Candidates, NDArray[np.float64]]:
    field = simulate_field(np.random.default_rng(seed), field_px)
    valid = np.ones(field.image.shape, np.bool_)
    working = WorkingMicrograph(normalise(field.image, valid), valid, (field_px, field_px))
    candidates = find_candidates(maps_of(working, model, views=ONE_VIEW))
    return working, candidates, np.stack([field.x_px, field.y_px], axis=1)


def rightness(
    candidates: Candidates, truth_xy_px: NDArray[np.float64], radius_px: float
) -> tuple[Candidates, NDArray[np.bool_]]:
    """Return the candidates of a micrograph, best first, and which of them are particles.

    They are ranked by the centre map, so that of two peaks on one particle the better one is the right one.
    """
    ranked = candidates.at(np.argsort(-candidates.features[:, 0], kind="stable"))
    picks = Picks(ranked.x_px, ranked.y_px, ranked.features[:, 0])
    return ranked, match_picks(truth_xy_px, picks, radius_px)


def fit_scores(micrographs: Sequence[tuple[Candidates, NDArray[np.bool_]]]) -> Calibration:
    """Return the calibration, with its consensus, of the candidates of micrographs and their `rightness`."""
    right = np.concatenate([one for _, one in micrographs])
    alone = fit_calibration(np.concatenate([one.features for one, _ in micrographs]), right)
    found = [(alone.log_odds(one.features), one.profiles) for one, _ in micrographs]
    return replace(alone, consensus=fit_consensus(found, right))


def fit_consensus(
    micrographs: Sequence[tuple[NDArray[np.float64], NDArray[np.float32]]], right: NDArray[np.bool_]
) -> Consensus:
    """Return the field of highest pseudo-likelihood (Besag 1975) at its own mean-field solution.

    Parameters
    ----------
    micrographs : sequence of (NDArray[np.float64], NDArray[np.float32])
        ``(n,)`` unary log odds and ``(n, maps, rings)`` profiles of the candidates of each.
    right : NDArray[np.bool_]
        Of all candidates one after the other, which are particles.
    """
    looks = np.concatenate([profiles for _, profiles in micrographs])
    unary = np.concatenate([log_odds for log_odds, _ in micrographs])
    mean, spread = looks.mean(axis=0), looks.std(axis=0) + _SPREAD
    tables = (tuple(map(tuple, one.astype(float).tolist())) for one in (mean, spread))
    consensus = Consensus(1.0, 0.0, ((0.0,) * 3,) * looks.shape[1], *tables)
    for _ in range(_ROUNDS):
        terms = np.concatenate(
            [
                consensus.likeness(expit(consensus(log_odds, profiles)), profiles)
                for log_odds, profiles in micrographs
            ]
        )
        design = np.column_stack([unary, terms])
        scales = design.std(axis=0) + 1e-6
        prior = Calibration(0.0, (scales[0], *np.zeros(len(scales) - 1)))
        fit = fit_calibration(design / scales, right, prior=prior, ridge=_RIDGE * len(right))
        scale, *weights = fit.weights / scales
        rows = tuple(map(tuple, np.reshape(weights, (looks.shape[1], 3)).tolist()))
        consensus = replace(consensus, scale=float(scale), bias=fit.intercept, weights=rows)
    return consensus


def fit_calibration(
    features: NDArray[np.float64],
    right: NDArray[np.bool_] | NDArray[np.float64],
    *,
    weight: NDArray[np.float64] | None = None,
    prior: Calibration | None = None,
    ridge: float = 1e-3,
) -> Calibration:
    """Return the maximum-likelihood logistic regression, very slightly ridged to stay finite.

    Parameters
    ----------
    features : NDArray[np.float64]
        ``(n, k)``.
    right : NDArray[np.bool_]
        ``(n,)``, whether the candidate is a particle, or how probably.
    weight : NDArray[np.float64], optional
        ``(n,)`` of the candidates; 1 by default.
    prior : Calibration, optional
        What the ridge pulls to; zero by default.
    ridge : float
        Penalty of a squared unit of distance from `prior`.
    """
    design = np.concatenate([np.ones((len(features), 1)), features], axis=1)
    weight = np.ones(len(features)) if weight is None else weight
    middle = np.zeros(design.shape[1]) if prior is None else np.array([prior.intercept, *prior.weights])

    def negative_log_likelihood(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logit, off = design @ weights, weights - middle
        loss = weight @ (np.logaddexp(0, logit) - logit * right) + ridge * (off**2).sum()
        return float(loss), design.T @ (weight * (expit(logit) - right)) + 2 * ridge * off

    fit = minimize(negative_log_likelihood, middle, jac=True, method="L-BFGS-B")
    return Calibration(float(fit.x[0]), tuple(float(w) for w in fit.x[1:]))
