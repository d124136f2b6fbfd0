"""Particle picks on one micrograph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Picks:
    """Particle centres on one micrograph, in falling order of score.

    Parameters
    ----------
    x_px, y_px : NDArray[np.float64]
        ``(n,)`` centres in pixels of the micrograph on disk; 0 is the centre of the first stored column or
        row, and y grows with the stored row.
    score : NDArray[np.float64]
        ``(n,)`` calibrated probability that the pick is a particle, in [0, 1] (the figure of merit).
    """

    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    score: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.score)

    def above(self, threshold: float) -> Picks:
        """Return the picks whose score is at least `threshold`."""
        keep = self.score >= threshold
        return Picks(self.x_px[keep], self.y_px[keep], self.score[keep])
