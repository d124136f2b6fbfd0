"""The calibrated score of a candidate particle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from cryoseg_ext.arrays import FloatArray
from cryoseg_ext.extract.candidates import Candidates
from cryoseg_ext.extract.consensus import Consensus

FEATURES = ("centre_logit", "support", "contaminant", "crystalline")
"""Logit of the centre map at the peak; mean particle and contaminant probabilities around it; the share of
its surroundings where the ice is crystalline."""


@dataclass(frozen=True)
class Calibration:
    """Probability that a candidate is a particle.

    A logistic regression on the features of each candidate (Platt 1999), refined by the other candidates of
    the micrograph.

    Parameters
    ----------
    intercept : float
        Log odds of a candidate whose features are 0.
    weights : tuple of float
        Weight of each of `FEATURES`.
    consensus : Consensus, optional
        Field over the candidates of a micrograph; without it each candidate is scored alone.
    """

    intercept: float
    weights: tuple[float, ...]
    consensus: Consensus | None = None

    def __call__(self, candidates: Candidates) -> FloatArray:
        """Return the ``(n,)`` probabilities of all candidates of a micrograph."""
        log_odds = self.log_odds(candidates.features)
        if self.consensus is not None:
            log_odds = self.consensus(log_odds, candidates.profiles)
        return expit(log_odds)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """Return the calibration from the result of `dataclasses.asdict`, also after a trip through JSON.

        Raises
        ------
        KeyError, TypeError, ValueError
            If the values come from another version.
        """
        # Models of version 0.1 have none.
        consensus = Consensus.from_dict(found) if (found := values.get("consensus")) else None
        return cls(float(values["intercept"]), tuple(values["weights"]), consensus)

    def log_odds(self, features: FloatArray) -> FloatArray:
        """Return the ``(n,)`` log odds of candidates from their ``(n, 4)`` features alone."""
        return features @ np.asarray(self.weights) + self.intercept
