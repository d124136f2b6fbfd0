"""From features to a probability, and the default threshold, on simulated fields never trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from torch import nn

from cryoseg_ext.crf import CrfOptions, refine
from cryoseg_ext.evaluation import match_picks, score_picks
from cryoseg_ext.extract import Calibration, Candidates, extract_picks, find_candidates
from cryoseg_ext.network.checkpoint import Model
from cryoseg_ext.network.inference import segment
from cryoseg_ext.normalise import WorkingMicrograph, normalise
from cryoseg_ext.picks import Picks
from cryoseg_ext.training.dataset import simulate_field

N_FIELDS = 240
MATCH_DIAMETERS = 0.3


def calibrate(
    network: nn.Module, architecture: dict[str, Any], device: str, field_px: int, seed: int
) -> tuple[Calibration, float]:
    """Return calibration and threshold of highest F1 over `N_FIELDS` fresh fields.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode.
    architecture : dict
        Of `network`.
    device : str
        Torch device it is on.
    field_px : int
        Width of the fields in working pixels.
    seed : int
        Of the fields.
    """
    unscored = Model(network, architecture, Calibration(0.0, (1.0, 0.0, 0.0)), 0.5, device=device)
    fields = [_candidates(unscored, field_px, [seed, index]) for index in range(N_FIELDS)]
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
    return calibration, round(scores.best_threshold, 2)


def _candidates(
    model: Model, field_px: int, seed: list[int]
) -> tuple[WorkingMicrograph, Candidates, NDArray[np.float64]]:
    field = simulate_field(np.random.default_rng(seed), field_px)
    valid = np.ones(field.image.shape, np.bool_)
    working = WorkingMicrograph(normalise(field.image, valid), valid, (field_px, field_px))
    output = segment(working.image, model)
    particle = refine(output.particle_logit, working.image, working.diameter_px, CrfOptions())
    candidates = find_candidates(output.centre, particle, output.contaminant)
    return working, candidates, np.stack([field.x_px, field.y_px], axis=1)


def fit_calibration(features: NDArray[np.float64], right: NDArray[np.bool_]) -> Calibration:
    """Return the maximum-likelihood logistic regression, very slightly ridged to stay finite.

    Parameters
    ----------
    features : NDArray[np.float64]
        ``(n, k)``.
    right : NDArray[np.bool_]
        ``(n,)``, whether the candidate is a particle.
    """
    design = np.concatenate([np.ones((len(features), 1)), features], axis=1)

    def negative_log_likelihood(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logit = design @ weights
        loss = np.logaddexp(0, logit).sum() - logit[right].sum() + 1e-3 * (weights**2).sum()
        return float(loss), design.T @ (expit(logit) - right) + 2e-3 * weights

    fit = minimize(negative_log_likelihood, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B")
    return Calibration(float(fit.x[0]), tuple(float(w) for w in fit.x[1:]))
