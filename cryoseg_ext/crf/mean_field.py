"""Mean-field inference in the one-channel form of the two-class dense CRF."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.crf.filters import PairwiseFilter


def mean_field(
    logit: NDArray[np.float32],
    kernels: Sequence[tuple[float, PairwiseFilter]],
    compatibility: float,
    iterations: int,
) -> NDArray[np.float32]:
    """Return the mean-field probability of the first of two classes.

    With row-normalised kernels the two-class Potts model needs one channel only: with
    ``m = P(particle) - P(background)`` every parallel update (Krähenbühl & Koltun 2011, arXiv:1210.5644)
    reads ``m <- tanh((logit + compatibility * sum(w * K m)) / 2)``.

    Parameters
    ----------
    logit : NDArray[np.float32]
        ``(y, x)`` log odds of particle against background.
    kernels : Sequence[tuple[float, PairwiseFilter]]
        Weight and row-normalised filter of every pairwise term.
    compatibility : float
        Potts penalty of two unlike labels.
    iterations : int
        Parallel updates; 0 returns the sigmoid of `logit`.

    Returns
    -------
    NDArray[np.float32]
        ``(y, x)`` probability of particle.
    """
    from scipy.special import expit

    field = logit
    for _ in range(iterations):
        margin = np.tanh(0.5 * field)
        field = logit.copy()
        for weight, kernel in kernels:
            field += np.float32(compatibility * weight) * kernel(margin)
    probability: NDArray[np.float32] = expit(field)
    return probability
