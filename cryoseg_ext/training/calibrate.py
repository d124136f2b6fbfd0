"""From features to a probability, and the default threshold, on simulated fields never trained on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from cryoseg_ext.evaluation import match_picks, score_picks
from cryoseg_ext.extract import Calibration, Candidates, extract_picks, find_candidates
from cryoseg_ext.network.checkpoint import Model
from cryoseg_ext.normalise import WorkingMicrograph, normalise
from cryoseg_ext.picks import Picks
from cryoseg_ext.pipeline import maps_of
from cryoseg_ext.training.dataset import simulate_field

N_FIELDS = 240
MATCH_DIAMETERS = 0.3


def calibrate(model: Model, field_px: int, seed: int) -> Model:
    """Return `model` calibrated, with the threshold of highest F1, on `N_FIELDS` fresh fields.

    Parameters
    ----------
    model : Model
        With its CRF; its own calibration and threshold are not used.
    field_px : int
        Width of the fields in working pixels.
    seed : int
        Of the fields.
    """
    fields = [_candidates(model, field_px, [seed, index]) for index in range(N_FIELDS)]
    features, right = [], []
    for working, candidates, truth_xy_px in fields:
        # Ranked by the centre map, so that of two peaks on one particle the better one is the right one.
        order = np.argsort(-candidates.features[:, 0], kind="stable")
        ranked = Picks(candidates.x_px[order], candidates.y_px[order], candidates.features[order, 0])
        right.append(match_picks(truth_xy_px, ranked, MATCH_DIAMETERS * working.diameter_px))
        features.append(candidates.features[order])
    calibration = fit_calibration(np.concatenate(features), np.concatenate(right))
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
    maps = maps_of(working, model)
    candidates = find_candidates(maps.centre, maps.particle, maps.contaminant)
    return working, candidates, np.stack([field.x_px, field.y_px], axis=1)


def fit_calibration(
    features: NDArray[np.float64],
    right: NDArray[np.bool_],
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
        ``(n,)``, whether the candidate is a particle.
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
