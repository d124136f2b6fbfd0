"""How complete the picks are, and where a particle may be that nobody picked.

Picks are usually incomplete. A network that is trained with unpicked particles as background unlearns them,
and one that is not trained where there is no pick keeps its mistakes. Whether a candidate without a pick is a
particle or a mistake can be learnt from the picks themselves (Elkan & Noto 2008). A logistic regression
orders the candidates by how likely a pick is, from the features of the network that the training starts from.
Particles without a pick resemble those with one, so the probability of a pick does not rise
beyond c, the share of the particles that have one: it is ``g = c r`` with the probability ``r`` that a
candidate is a particle, a logistic function of that order. c and r are fitted together by maximum likelihood.
Then ``q = r (1 - c) / (1 - r c)`` is the probability that a candidate without a pick is a particle (Bayes).

Few picks cannot order the candidates: the fewer there are, the more the network's own scores order them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

from cryoseg_ext.arrays import FloatArray, Mask
from cryoseg_ext.extract.score import Calibration
from cryoseg_ext.image.scale import WorkingMicrograph
from cryoseg_ext.model.checkpoint import Model
from cryoseg_ext.network.architectures import stride_of
from cryoseg_ext.network.encoder import ResidualEncoder
from cryoseg_ext.training.calibrate import fit_calibration

_PRIOR_CANDIDATES = 10
"""Candidates that the share of picked particles of all micrographs counts as, for each micrograph."""
_RIDGE = 500.0
"""Ridge of the order: with as many features as candidates, most of each feature's weight is noise."""
_PRIOR_PICKS = 100
"""Number of picks at which the order that is learnt weighs as much as that of the scores."""


def candidate_features(
    working: WorkingMicrograph, model: Model, xy_px: FloatArray, score: FloatArray
) -> FloatArray:
    """Return ``(n, k)`` features of the network at points of a micrograph.

    The first one is the log odds of the score; for the networks of this package, those of the encoder follow.

    Parameters
    ----------
    working : WorkingMicrograph
        The micrograph.
    model : Model
        The network.
    xy_px : NDArray[np.float64]
        ``(n, 2)`` points (x, y) in working pixels.
    score : NDArray[np.float64]
        ``(n,)`` scores of the network at the points.
    """
    odds: FloatArray = logit(np.clip(score, 1e-4, 1 - 1e-4))[:, None]
    if not isinstance(model.network, ResidualEncoder):
        return odds
    height, width = working.image.shape
    stride = stride_of(model.network)
    image = torch.from_numpy(working.image)[None, None].to(model.device)
    image = torch.nn.functional.pad(image, (0, -width % stride, 0, -height % stride))
    with torch.inference_mode():
        levels = model.network.features(image)[1:]
        size = torch.tensor([image.shape[3], image.shape[2]], dtype=torch.float64)
        # grid_sample's coordinates: -1 and 1 are the outer edges of the outermost pixels.
        grid = ((2 * torch.from_numpy(xy_px) + 1) / size - 1).to(levels[0])[None, :, None]
        sampled = [torch.nn.functional.grid_sample(level, grid, align_corners=False) for level in levels]
    return np.concatenate([odds, *(level[0, :, :, 0].cpu().numpy().T for level in sampled)], axis=1)


def unpicked_probability(
    features: Sequence[FloatArray], picked: Sequence[Mask]
) -> tuple[list[float], list[FloatArray]]:
    """Return the share c of the particles with a pick, and q for each candidate, for each micrograph.

    The order of a micrograph's candidates is learnt on the other micrographs.

    Parameters
    ----------
    features : Sequence[NDArray[np.float64]]
        ``(n, k)`` features of the candidates of each micrograph, from `candidate_features`.
    picked : Sequence[NDArray[np.bool_]]
        ``(n,)`` which candidates of each micrograph have a pick.
    """
    n_micrographs = len(features)
    together = np.concatenate(features)
    # Without candidates, nothing indicates that picks are missing.
    if len(together) == 0:
        return [1.0] * n_micrographs, [np.zeros(0)] * n_micrographs
    mean, spread = together.mean(axis=0), together.std(axis=0) + 1e-6
    scaled = [(values - mean) / spread for values in features]
    order = np.concatenate([_learnt_on_others(scaled, picked, index) for index in range(n_micrographs)])
    group = np.repeat(np.arange(n_micrographs), [len(values) for values in features])
    n_picked = sum(int(has_pick.sum()) for has_pick in picked)
    order = n_picked * _standardised(order) + _PRIOR_PICKS * np.concatenate(scaled)[:, 0]
    order = _standardised(order)
    c, r = fit_scaled_logistic(order, np.concatenate(picked), group, n_micrographs)
    q = r * (1 - c[group]) / (1 - r * c[group])
    return c.tolist(), [q[group == index] for index in range(n_micrographs)]


def fit_scaled_logistic(
    order: FloatArray, picked: Mask, group: NDArray[np.int64], n_groups: int
) -> tuple[FloatArray, FloatArray]:
    """Fit ``P(picked) = c[group] r`` with ``r = expit(slope order + intercept)``; return c and r.

    The c of a group is held near that of all groups as if by ten more candidates, so that a few candidates
    cannot decide.

    Parameters
    ----------
    order : NDArray[np.float64]
        ``(n,)`` standardised values, higher where a pick is more likely.
    picked : NDArray[np.bool_]
        ``(n,)`` which candidates have a pick.
    group : NDArray[np.int64]
        ``(n,)`` number of each candidate's group, from 0.
    n_groups : int
        Number of groups, also of those without a candidate.
    """

    def loss(weights: FloatArray) -> tuple[float, FloatArray]:
        slope, intercept, overall, deviation = weights[0], weights[1], weights[2], weights[3:]
        r, c = expit(slope * order + intercept), expit(overall + deviation)[group]
        g = np.clip(c * r, 1e-9, 1 - 1e-9)
        value = -np.where(picked, np.log(g), np.log1p(-g)).sum()
        excess = (g - picked) / (1 - g)
        to_r, to_c = excess * (1 - r), excess * (1 - c)
        slopes = [to_r @ order, to_r.sum(), to_c.sum(), *np.bincount(group, to_c, n_groups)]
        # A squared step of logit c costs what the curvature at c = 1/2 of that many candidates does.
        ridge = np.array([0.01, 0.01, 0.01] + [_PRIOR_CANDIDATES / 8] * n_groups)
        return float(value + ridge @ weights**2), np.array(slopes) + 2 * ridge * weights

    # Nearly all or few of the particles may have a pick: the likelihood can have a maximum at either.
    starts = [np.array([1.0, 0.0, logit(c), *[0.0] * n_groups]) for c in (0.9, 0.3)]
    fits = [minimize(loss, start, jac=True, method="L-BFGS-B") for start in starts]
    weights = min(fits, key=lambda fit: float(fit.fun)).x
    return expit(weights[2] + weights[3:]), expit(weights[0] * order + weights[1])


def _standardised(order: FloatArray) -> FloatArray:
    return (order - order.mean()) / (order.std() + 1e-6)


def _learnt_on_others(scaled: Sequence[FloatArray], picked: Sequence[Mask], index: int) -> FloatArray:
    others = [number for number in range(len(scaled)) if number != index]
    features = np.concatenate([scaled[number] for number in others])
    has_pick = np.concatenate([picked[number] for number in others])
    # The ridge must not pull on the share of candidates with a pick.
    share = np.clip(has_pick.mean() if len(has_pick) else 0.5, 1e-4, 1 - 1e-4)
    prior = Calibration(float(logit(share)), (0.0,) * features.shape[1])
    fit = fit_calibration(features, has_pick, prior=prior, ridge=_RIDGE)
    return fit.intercept + scaled[index] @ np.array(fit.weights)
