"""Whether a score is the probability that it claims to be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cryoseg_ext.evaluation.matching import FloatArray
from cryoseg_ext.evaluation.picks import RankedPicks

N_BINS = 10


@dataclass(frozen=True)
class Reliability:
    """Picks in equal bins of the score.

    Parameters
    ----------
    count, mean_score, share_right : NDArray[np.float64]
        ``(10,)``; the last two are NaN in an empty bin.
    """

    count: FloatArray
    mean_score: FloatArray
    share_right: FloatArray

    @property
    def expected_calibration_error(self) -> float:
        """Mean distance of score and share, each bin by its count (Naeini et al. 2015); NaN without picks."""
        off = np.abs(self.mean_score - self.share_right) * self.count
        return float(np.nansum(off) / self.count.sum()) if self.count.sum() else float("nan")


def reliability(ranked: RankedPicks) -> Reliability | None:
    """Return the reliability of scores; None where some are no probabilities between 0 and 1."""
    score = ranked.score
    if len(score) and not 0 <= score[-1] <= score[0] <= 1:
        return None
    number = np.minimum((score * N_BINS).astype(int), N_BINS - 1)
    count = np.bincount(number, minlength=N_BINS).astype(np.float64)
    with np.errstate(invalid="ignore"):
        mean_score = np.bincount(number, score, N_BINS) / count
        share_right = np.bincount(number, ranked.hit, N_BINS) / count
    return Reliability(count, mean_score, share_right)
