"""Calibration of scores: how well they agree with the observed share of correct picks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cryoseg_ext.arrays import FloatArray
from cryoseg_ext.evaluation.picks import RankedPicks

N_BINS = 10
"""Bins of equal width from 0 to 1."""


@dataclass(frozen=True)
class Reliability:
    """Picks in bins of equal width of the score.

    Parameters
    ----------
    count, mean_score, share_right : NDArray[np.float64]
        ``(10,)`` number, mean score and share of correct picks in each bin; NaN in empty bins.
    """

    count: FloatArray
    mean_score: FloatArray
    share_right: FloatArray

    @property
    def expected_calibration_error(self) -> float:
        """Mean difference of score and share, weighted by count (Naeini et al. 2015); NaN without picks."""
        off = np.abs(self.mean_score - self.share_right) * self.count
        return float(np.nansum(off) / self.count.sum()) if self.count.sum() else float("nan")


def reliability(ranked: RankedPicks) -> Reliability | None:
    """Return the reliability of scores; None if some are not probabilities between 0 and 1."""
    score = ranked.score
    if len(score) and not 0 <= score[-1] <= score[0] <= 1:
        return None
    number = np.minimum((score * N_BINS).astype(int), N_BINS - 1)
    count = np.bincount(number, minlength=N_BINS).astype(np.float64)
    with np.errstate(invalid="ignore"):
        mean_score = np.bincount(number, score, N_BINS) / count
        share_right = np.bincount(number, ranked.hit, N_BINS) / count
    return Reliability(count, mean_score, share_right)
