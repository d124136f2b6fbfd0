"""How complete the picks are, and where a particle may be that nobody picked.

Picks are incomplete by nature, and a network told that unpicked particles are background unlearns them. A
network told nothing where there is no pick keeps its mistakes. Which of the two a candidate without a pick is
can be learnt from the picks themselves (Elkan & Noto 2008). A logistic regression orders the candidates by
how likely a pick is, from what the network that the training starts from sees there. Particles that happen
not to be picked look like picked ones, so the probability of a pick does not rise beyond c, the share of the
particles that have one: it is ``g = c r`` with the probability ``r`` that a candidate is a particle, a
logistic function of that order. c and r are fitted together by maximum likelihood. Then
``q = r (1 - c) / (1 - r c)`` is the probability that a candidate without a pick is a particle (Bayes).

Few picks cannot order the candidates: the fewer there are, the more the network's own scores order them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

from cryoseg_ext.extract.score import Calibration
from cryoseg_ext.image.scale import WorkingMicrograph
from cryoseg_ext.model.checkpoint import Model
from cryoseg_ext.network.architectures import stride_of
from cryoseg_ext.network.encoder import ResidualEncoder
from cryoseg_ext.training.calibrate import fit_calibration

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_PRIOR_CANDIDATES = 10
_RIDGE = 500.0
"""Some 250 features and a few hundred candidates: most of each feature's weight is noise."""
_PRIOR_PICKS = 100
"""An order learnt from that many picks weighs as much as that of the scores."""


def look(working: WorkingMicrograph, model: Model, xy_px: Array, score: Array) -> Array:
    """Return what the network sees at points of a micrograph: ``(n, k)`` features.

    First the log-odds of the score, then what the encoder sees, where the network is one of ours.

    Parameters
    ----------
    working : WorkingMicrograph
        The micrograph.
    model : Model
        The network.
    xy_px : NDArray[np.float64]
        ``(n, 2)`` points (x, y) in working pixels.
    score : NDArray[np.float64]
        ``(n,)`` the network's scores there.
    """
    odds: Array = logit(np.clip(score, 1e-4, 1 - 1e-4))[:, None]
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
        seen = [torch.nn.functional.grid_sample(level, grid, align_corners=False) for level in levels]
    return np.concatenate([odds, *(one[0, :, :, 0].cpu().numpy().T for one in seen)], axis=1)


def unpicked_probability(looks: Sequence[Array], picked: Sequence[Mask]) -> tuple[list[float], list[Array]]:
    """Return the share c of the particles with a pick, and q for each candidate, for each micrograph.

    The order of a micrograph's candidates is learnt on the other micrographs.

    Parameters
    ----------
    looks : Sequence[NDArray[np.float64]]
        ``(n, k)`` of each micrograph, from `look`: the log-odds first.
    picked : Sequence[NDArray[np.bool_]]
        ``(n,)`` which of its candidates have a pick.
    """
    together = np.concatenate(looks)
    # Where nothing is found, nothing says that picks are missing.
    if len(together) == 0:
        return [1.0] * len(looks), [np.zeros(0)] * len(looks)
    middle, spread = together.mean(axis=0), together.std(axis=0) + 1e-6
    scaled = [(one - middle) / spread for one in looks]
    order = np.concatenate([_learnt_on_others(scaled, picked, index) for index in range(len(looks))])
    of = np.repeat(np.arange(len(looks)), [len(one) for one in looks])
    n_picked = sum(int(one.sum()) for one in picked)
    order = n_picked * _standardised(order) + _PRIOR_PICKS * np.concatenate(scaled)[:, 0]
    order = _standardised(order)
    c, r = fit_scaled_logistic(order, np.concatenate(picked), of, len(looks))
    q = r * (1 - c[of]) / (1 - r * c[of])
    return c.tolist(), [q[of == index] for index in range(len(looks))]


def fit_scaled_logistic(
    order: Array, picked: Mask, group: NDArray[np.int64], n_groups: int
) -> tuple[Array, Array]:
    """Fit ``P(picked) = c[group] r`` with ``r = expit(slope order + intercept)``; return c and r.

    The c of a group is held near that of all together as if by ten more candidates, so that a few cannot
    decide.

    Parameters
    ----------
    order : NDArray[np.float64]
        ``(n,)``, standardised; higher where a pick is more likely.
    picked : NDArray[np.bool_]
        ``(n,)``.
    group : NDArray[np.int64]
        ``(n,)``, from 0.
    n_groups : int
        Groups without a candidate count.
    """

    def loss(weights: Array) -> tuple[float, Array]:
        slope, intercept, overall, off = weights[0], weights[1], weights[2], weights[3:]
        r, c = expit(slope * order + intercept), expit(overall + off)[group]
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


def _standardised(order: Array) -> Array:
    standardised: Array = (order - order.mean()) / (order.std() + 1e-6)
    return standardised


def _learnt_on_others(scaled: Sequence[Array], picked: Sequence[Mask], index: int) -> Array:
    others = [other for other in range(len(scaled)) if other != index]
    features = np.concatenate([scaled[other] for other in others])
    right = np.concatenate([picked[other] for other in others])
    # The ridge is not to pull on how many there are.
    share = np.clip(right.mean() if len(right) else 0.5, 1e-4, 1 - 1e-4)
    prior = Calibration(float(logit(share)), (0.0,) * features.shape[1])
    fit = fit_calibration(features, right, prior=prior, ridge=_RIDGE)
    odds: Array = fit.intercept + scaled[index] @ np.array(fit.weights)
    return odds
