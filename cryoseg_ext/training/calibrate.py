"""From candidates to a probability, and the default threshold, on simulated fields never trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from cryoseg_ext.arrays import FloatArray, Image, Mask
from cryoseg_ext.evaluation.matching import MATCH_DIAMETERS
from cryoseg_ext.evaluation.picks import draw_curve, rank_picks
from cryoseg_ext.extract.candidates import Candidates
from cryoseg_ext.extract.consensus import Consensus
from cryoseg_ext.extract.peaks import find_candidates
from cryoseg_ext.extract.score import FEATURES, Calibration
from cryoseg_ext.extract.selection import extract_picks
from cryoseg_ext.image.scale import WORKING_DIAMETER_PX, WorkingMicrograph
from cryoseg_ext.model.checkpoint import Model
from cryoseg_ext.model.inference import ONE_VIEW, VIEWS, View
from cryoseg_ext.pipeline import maps_of
from cryoseg_ext.progress import tracked
from cryoseg_ext.training.correctness import label_candidates
from cryoseg_ext.training.dataset import simulate_field, working_field

N_FIELDS = 240
"""Number of simulated fields."""
WIDTH_FACTOR = 2
"""Their width over that of the training's fields: more candidates give each other more context."""
ORDINARY_SNR = 0.4
"""Signal-to-noise ratio from which a field counts for the default threshold."""
F1_GIVEN = 0.01
"""What the default threshold gives of the best F1 for fewer false picks."""
CRYSTALLINE_LOG_ODDS = -2.0
"""Weight of crystalline ice, which is not fitted: simulated particles in it are as right as others, and real
ones will not align. Less than certainty, as other ice is mistaken for it."""
_RADIUS_PX = MATCH_DIAMETERS * WORKING_DIAMETER_PX
_CONSENSUS_ROUNDS = 3
"""Rounds of fitting the consensus, after which it has converged."""
_CONSENSUS_RIDGE = 1e-3
"""Ridge of the consensus for each candidate."""
_SHRINKAGE = 0.1
"""Share of its diagonal that is added to a covariance, so that no direction is divided by next to nothing."""
_MIN_VARIANCE = 1e-6
"""Smallest variance of a ring."""


class SeenField(NamedTuple):
    """A simulated field as a network sees it."""

    working: WorkingMicrograph
    candidates: Candidates
    centres_px: FloatArray
    """``(n, 2)`` true centres (x, y) in working pixels."""
    snr: float


def calibrate(model: Model, field_px: int, seed: int) -> Model:
    """Return `model` calibrated on fresh fields, with a threshold.

    Scores are fitted to one view. Where views disagree, their mean is nearer to even odds, so on micrographs,
    which are less like the training than these fields are, scores are more cautious than here. The threshold
    is for the views that micrographs are seen in.

    Parameters
    ----------
    model : Model
        The model with its CRF; its own calibration and threshold are not used.
    field_px : int
        Width of the fields of the training in working pixels.
    seed : int
        Random seed of the fields.
    """
    fields = see_fields(model, field_px, seed, ONE_VIEW)
    labelled = [label_candidates(one.candidates, one.centres_px, _RADIUS_PX) for one in fields]
    calibration = fit_scores(labelled)
    fields = see_fields(model, field_px, seed, VIEWS)
    return replace(model, calibration=calibration, threshold=choose_threshold(calibration, fields))


def see_fields(model: Model, field_px: int, seed: int, views: tuple[View, ...]) -> list[SeenField]:
    """Return `N_FIELDS` simulated fields as a model sees them.

    Parameters
    ----------
    model, field_px, seed
        As for `calibrate`.
    views : tuple of View
        How the network looks at them.
    """
    seen = []
    what = "Calibrating the score" if views == ONE_VIEW else "Choosing the threshold"
    for index in tracked(range(N_FIELDS), f"{what} on simulated fields"):
        field = simulate_field(np.random.default_rng([seed, index]), WIDTH_FACTOR * field_px)
        working, centres_px = working_field(field)
        found = find_candidates(maps_of(working, model, views=views))
        seen.append(SeenField(working, found, centres_px, field.conditions.snr))
    return seen


def choose_threshold(calibration: Calibration, fields: Sequence[SeenField]) -> float:
    """Return the highest threshold whose F1 is within `F1_GIVEN` of the best on fields of ordinary signal.

    F1 does not count what a lower one picks on empty micrographs.
    """
    ordinary = [
        (one.centres_px, extract_picks(one.candidates, one.working, calibration))
        for one in fields
        if one.snr >= ORDINARY_SNR and len(one.centres_px)
    ]
    curve = draw_curve(rank_picks(ordinary, _RADIUS_PX))
    threshold = curve.threshold[curve.f1 >= curve.f1.max() - F1_GIVEN].max() if curve else 1.0
    return round(float(threshold), 2)


def fit_scores(micrographs: Sequence[tuple[Candidates, Mask]]) -> Calibration:
    """Return the calibration, with its consensus, of micrographs' candidates from `label_candidates`."""
    correct = np.concatenate([labels for _, labels in micrographs])
    features = np.concatenate([candidates.features for candidates, _ in micrographs])
    fit = fit_calibration(features[:, : FEATURES.index("crystalline")], correct)
    consensus = fit_consensus(micrographs, replace(fit, weights=(*fit.weights, 0.0)))
    return replace(fit, weights=(*fit.weights, CRYSTALLINE_LOG_ODDS), consensus=consensus)


def fit_consensus(micrographs: Sequence[tuple[Candidates, Mask]], alone: Calibration) -> Consensus:
    """Return the field of highest pseudo-likelihood (Besag 1975) at its own mean-field solution.

    Parameters
    ----------
    micrographs : sequence of (Candidates, NDArray[np.bool_])
        The candidates of each micrograph, and which of them are particles.
    alone : Calibration
        What scores each candidate for itself.
    """
    candidates, labels = zip(*micrographs, strict=True)
    correct, unary = np.concatenate(labels), [alone.log_odds(one.features) for one in candidates]
    profiles = [one.profiles for one in candidates]
    n_maps = profiles[0].shape[1]
    whitening = [_whitening([one[:, k] for one in profiles], labels) for k in range(n_maps)]
    mean = _nested(np.concatenate(profiles).mean(axis=0, dtype=float))
    consensus = Consensus(1.0, 0.0, 0.0, ((0.0,) * 3,) * n_maps, mean, _nested(whitening))
    for _ in range(_CONSENSUS_ROUNDS):
        terms = [
            consensus.terms(expit(consensus(log_odds, looks)), looks)
            for log_odds, looks in zip(unary, profiles, strict=True)
        ]
        design = np.column_stack([np.concatenate(unary), np.concatenate(terms)])
        scales = design.std(axis=0) + 1e-6
        prior = Calibration(0.0, (scales[0], *np.zeros(len(scales) - 1)))
        fit = fit_calibration(design / scales, correct, prior=prior, ridge=_CONSENSUS_RIDGE * len(correct))
        scale, *weights, trust = (fit.weights / scales).tolist()
        rows = _nested(np.reshape(weights, (n_maps, 3)))
        consensus = replace(consensus, scale=scale, bias=fit.intercept, trust=trust, weights=rows)
    return consensus


def _whitening(profiles: Sequence[Image], labels: Sequence[Mask]) -> FloatArray:
    """Return the symmetric matrix that whitens profiles less the mean of their class on their micrograph."""
    pairs = zip(profiles, labels, strict=True)
    of_class = [of_one[right == label] for of_one, right in pairs for label in (False, True)]
    spread = np.concatenate(
        [profiles[0][:0], *(one - one.mean(axis=0) for one in of_class if len(one))], dtype=float
    )
    covariance = spread.T @ spread / max(len(spread), 1)
    values, vectors = np.linalg.eigh(covariance + _SHRINKAGE * np.diag(np.diag(covariance) + _MIN_VARIANCE))
    return (vectors / np.sqrt(values)) @ vectors.T


def _nested(values: Any) -> Any:
    """Return an array, or nested sequences, of numbers as nested tuples of them."""
    return tuple(map(_nested, values)) if np.ndim(values) else float(values)


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
