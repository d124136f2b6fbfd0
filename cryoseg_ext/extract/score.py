"""The calibrated score of a candidate particle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from cryoseg_ext.extract.candidates import Candidates
from cryoseg_ext.extract.consensus import Consensus

FEATURES = ("centre_logit", "support", "contaminant")
"""Centre map's logit at the peak; mean particle and contaminant probability around it."""


@dataclass(frozen=True)
class Calibration:
    """From candidates to the probability that each is a particle.

    A logistic regression on the features of each (Platt 1999), and what the candidates of a micrograph tell
    about each other.

    Parameters
    ----------
    intercept : float
    weights : tuple of float
        One for each of `FEATURES`.
    consensus : Consensus, optional
        The field that joins the candidates of a micrograph; without it each stands for itself.
    """

    intercept: float
    weights: tuple[float, ...]
    consensus: Consensus | None = None

    def __call__(self, candidates: Candidates) -> NDArray[np.float64]:
        """Return the ``(n,)`` probabilities of all candidates of a micrograph."""
        log_odds = self.log_odds(candidates.features)
        if self.consensus is not None:
            log_odds = self.consensus(log_odds, candidates.profiles)
        score: NDArray[np.float64] = expit(log_odds)
        return score

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """Return what `dataclasses.asdict` described, also after a trip through JSON.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is of another version.
        """
        # Models of version 0.1 have none.
        consensus = Consensus.from_dict(found) if (found := values.get("consensus")) else None
        return cls(float(values["intercept"]), tuple(values["weights"]), consensus)

    def log_odds(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``(n,)`` log odds for ``(n, 3)`` features, each by itself."""
        log_odds: NDArray[np.float64] = features @ np.asarray(self.weights) + self.intercept
        return log_odds
