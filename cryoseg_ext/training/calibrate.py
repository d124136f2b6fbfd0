"""From candidates to a probability, and the default threshold, on simulated fields never trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from cryoseg_ext.arrays import FloatArray, Image, Mask
from cryoseg_ext.evaluation import score_picks
from cryoseg_ext.evaluation.matching import MATCH_DIAMETERS
from cryoseg_ext.extract.candidates import Candidates
from cryoseg_ext.extract.consensus import Consensus
from cryoseg_ext.extract.peaks import find_candidates
from cryoseg_ext.extract.score import Calibration
from cryoseg_ext.extract.selection import extract_picks
from cryoseg_ext.image.scale import WorkingMicrograph
from cryoseg_ext.model.checkpoint import Model
from cryoseg_ext.model.inference import ONE_VIEW
from cryoseg_ext.pipeline import maps_of
from cryoseg_ext.progress import tracked
from cryoseg_ext.training.correctness import label_candidates
from cryoseg_ext.training.dataset import simulate_field, working_field

N_FIELDS = 240
"""Number of simulated fields."""
WIDTH_FACTOR = 2
"""Their width over that of the training's fields: more candidates give each other more context."""
_CONSENSUS_ROUNDS = 3
"""Rounds of fitting the consensus, after which it has converged."""
_CONSENSUS_RIDGE = 1e-3
"""Ridge of the consensus for each candidate."""
_MIN_SPREAD = 1e-3
"""Added to the standard deviation of each ring of the profiles, so that none is divided by zero."""


def calibrate(model: Model, field_px: int, seed: int) -> Model:
    """Return `model` calibrated, with the threshold of highest F1, on `N_FIELDS` fresh fields.

    They are seen in one view. Where views disagree, their mean is nearer to even odds, so on micrographs,
    which are less like the training than these fields are, scores are more cautious than here.

    Parameters
    ----------
    model : Model
        The model with its CRF; its own calibration and threshold are not used.
    field_px : int
        Width of the fields of the training in working pixels.
    seed : int
        Random seed of the fields.
    """
    fields = [
        _candidates(model, WIDTH_FACTOR * field_px, [seed, index])
        for index in tracked(range(N_FIELDS), "Calibrating the score on simulated fields")
    ]
    radius_px = MATCH_DIAMETERS * fields[0][0].diameter_px
    calibration = fit_scores(
        [label_candidates(candidates, centres_px, radius_px) for _, candidates, centres_px in fields]
    )
    picks = [extract_picks(candidates, working, calibration) for working, candidates, _ in fields]
    scores = score_picks(zip((centres_px for *_, centres_px in fields), picks, strict=True), radius_px)
    return replace(model, calibration=calibration, threshold=round(scores.best_threshold, 2))


def _candidates(
    model: Model, field_px: int, seed: list[int]
) -> tuple[WorkingMicrograph, Candidates, FloatArray]:
    working, centres_px = working_field(simulate_field(np.random.default_rng(seed), field_px))
    return working, find_candidates(maps_of(working, model, views=ONE_VIEW)), centres_px


def fit_scores(micrographs: Sequence[tuple[Candidates, Mask]]) -> Calibration:
    """Return the calibration, with its consensus, of micrographs' candidates from `label_candidates`."""
    correct = np.concatenate([labels for _, labels in micrographs])
    alone = fit_calibration(np.concatenate([candidates.features for candidates, _ in micrographs]), correct)
    pairs = [(alone.log_odds(candidates.features), candidates.profiles) for candidates, _ in micrographs]
    return replace(alone, consensus=fit_consensus(pairs, correct))


def fit_consensus(micrographs: Sequence[tuple[FloatArray, Image]], correct: Mask) -> Consensus:
    """Return the field of highest pseudo-likelihood (Besag 1975) at its own mean-field solution.

    Parameters
    ----------
    micrographs : sequence of (NDArray[np.float64], NDArray[np.float32])
        ``(n,)`` unary log odds and ``(n, maps, rings)`` profiles of the candidates of each micrograph.
    correct : NDArray[np.bool_]
        Which of all candidates, one micrograph after the other, are particles.
    """
    all_profiles = np.concatenate([profiles for _, profiles in micrographs])
    unary = np.concatenate([log_odds for log_odds, _ in micrographs])
    mean, spread = all_profiles.mean(axis=0), all_profiles.std(axis=0) + _MIN_SPREAD
    tables = (tuple(map(tuple, table.astype(float).tolist())) for table in (mean, spread))
    consensus = Consensus(1.0, 0.0, ((0.0,) * 3,) * all_profiles.shape[1], *tables)
    for _ in range(_CONSENSUS_ROUNDS):
        terms = [
            consensus.similarity(expit(consensus(log_odds, profiles)), profiles)
            for log_odds, profiles in micrographs
        ]
        design = np.column_stack([unary, np.concatenate(terms)])
        scales = design.std(axis=0) + 1e-6
        prior = Calibration(0.0, (scales[0], *np.zeros(len(scales) - 1)))
        fit = fit_calibration(design / scales, correct, prior=prior, ridge=_CONSENSUS_RIDGE * len(correct))
        scale, *weights = fit.weights / scales
        rows = tuple(map(tuple, np.reshape(weights, (all_profiles.shape[1], 3)).tolist()))
        consensus = replace(consensus, scale=float(scale), bias=fit.intercept, weights=rows)
    return consensus


def fit_calibration(
    features: FloatArray,
    correct: Mask | FloatArray,
    *,
    weight: FloatArray | None = None,
    prior: Calibration | None = None,
    ridge: float = 1e-3,
) -> Calibration:
    """Return the logistic regression of maximum likelihood, with a ridge that keeps it finite.

    Parameters
    ----------
    features : NDArray[np.float64]
        ``(n, k)`` features of the candidates.
    correct : NDArray[np.bool_] or NDArray[np.float64]
        ``(n,)`` whether each candidate is a particle, or the probability that it is.
    weight : NDArray[np.float64], optional
        ``(n,)`` weight of each candidate; 1 by default.
    prior : Calibration, optional
        Coefficients that the ridge pulls to; zero by default.
    ridge : float
        Penalty for a squared unit of distance from `prior`.
    """
    design = np.concatenate([np.ones((len(features), 1)), features], axis=1)
    weight = np.ones(len(features)) if weight is None else weight
    middle = np.zeros(design.shape[1]) if prior is None else np.array([prior.intercept, *prior.weights])

    def negative_log_likelihood(weights: FloatArray) -> tuple[float, FloatArray]:
        logit, off = design @ weights, weights - middle
        loss = weight @ (np.logaddexp(0, logit) - logit * correct) + ridge * (off**2).sum()
        return float(loss), design.T @ (weight * (expit(logit) - correct)) + 2 * ridge * off

    fit = minimize(negative_log_likelihood, middle, jac=True, method="L-BFGS-B")
    return Calibration(float(fit.x[0]), tuple(float(w) for w in fit.x[1:]))
