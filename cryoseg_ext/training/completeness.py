"""How complete the picks are, and where a particle may be that nobody picked.

Picks are incomplete by nature, and a network told that unpicked particles are background unlearns them. A
network told nothing where there is no pick keeps its mistakes. Which of the two a candidate without a pick is
can be learnt from the picks themselves (Elkan & Noto 2008): a classifier learns, from what the network that
the training starts from sees there, the probability g that a candidate has a pick. Particles that happen not
to be picked look like picked ones, so where g is highest it is c, the share of the particles that have a
pick, while the network's mistakes look different and have a low g. Then ``r = g / c`` is the probability
that a candidate is a particle, and ``q = r (1 - c) / (1 - r c)`` that one without a pick is (Bayes).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import logit

from cryoseg_ext.extract import Calibration
from cryoseg_ext.network import Model
from cryoseg_ext.network.architectures import stride_of
from cryoseg_ext.network.encoder import ResidualEncoder
from cryoseg_ext.normalise import WorkingMicrograph
from cryoseg_ext.training.calibrate import fit_calibration

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_MOST_COMPLETE = 0.98
_PRIOR_CANDIDATES = 10
_RIDGE = 500.0
"""Some 250 features and a few hundred candidates: most of each feature's weight is noise."""


def look(working: WorkingMicrograph, model: Model, xy_px: Array, score: Array) -> Array:
    """Return what the network sees at points of a micrograph: ``(n, k)`` features.

    They are the encoder's and the log-odds of the score; of a network of others only the latter.

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

    The g of a micrograph's candidates is learnt on the other micrographs. Its c is the share with a pick
    among its surest candidates, those that make up a quarter of the picks expected; that of all micrographs
    together counts as ten more candidates, so that a few cannot decide.

    Parameters
    ----------
    looks : Sequence[NDArray[np.float64]]
        ``(n, k)`` of each micrograph, from `look`.
    picked : Sequence[NDArray[np.bool_]]
        ``(n,)`` which of its candidates have a pick.
    """
    together = np.concatenate(looks)
    middle, spread = together.mean(axis=0), together.std(axis=0) + 1e-6
    scaled = [(one - middle) / spread for one in looks]
    g = [_learnt_on_others(scaled, picked, index) for index in range(len(looks))]
    surest = [p[_surest(one)] for one, p in zip(g, picked, strict=True)]
    all_surest = np.concatenate(surest)
    # Where nothing is found, nothing says that picks are missing.
    overall = float(all_surest.mean()) if len(all_surest) else 1.0
    shares = [
        min((one.sum() + _PRIOR_CANDIDATES * overall) / (len(one) + _PRIOR_CANDIDATES), _MOST_COMPLETE)
        for one in surest
    ]
    r = [np.minimum(one / max(overall, 1e-6), 1) for one in g]
    return shares, [one * (1 - c) / (1 - one * c) for one, c in zip(r, shares, strict=True)]


def _learnt_on_others(scaled: Sequence[Array], picked: Sequence[Mask], index: int) -> Array:
    others = [other for other in range(len(scaled)) if other != index]
    features = np.concatenate([scaled[other] for other in others])
    right = np.concatenate([picked[other] for other in others])
    # The ridge is not to pull on how many there are.
    share = np.clip(right.mean() if len(right) else 0.5, 1e-4, 1 - 1e-4)
    prior = Calibration(float(logit(share)), (0.0,) * features.shape[1])
    return fit_calibration(features, right, prior=prior, ridge=_RIDGE)(scaled[index])


def _surest(g: Array) -> NDArray[np.int64]:
    order = np.argsort(-g, kind="stable")
    surest: NDArray[np.int64] = order[np.cumsum(g[order]) <= g.sum() / 4]
    return surest
