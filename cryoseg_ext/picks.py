"""Particle picks on one micrograph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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

    def at(self, index: NDArray[Any]) -> Picks:
        """Return the picks at `index`, which may also be a mask."""
        return Picks(self.x_px[index], self.y_px[index], self.score[index])

    def above(self, threshold: float) -> Picks:
        """Return the picks whose score is at least `threshold`."""
        return self.at(self.score >= threshold)
