"""The calibrated score of a candidate particle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

FEATURES = ("centre_logit", "support", "contaminant")
"""Centre map's logit at the peak; mean particle and contaminant probability around it."""


@dataclass(frozen=True)
class Calibration:
    """Logistic regression from a candidate's features to the probability that it is a particle (Platt 1999).

    Parameters
    ----------
    intercept : float
    weights : tuple of float
        One for each of `FEATURES`.
    """

    intercept: float
    weights: tuple[float, ...]

    def __call__(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``(n,)`` probabilities for ``(n, 3)`` features."""
        score: NDArray[np.float64] = expit(features @ np.asarray(self.weights) + self.intercept)
        return score
