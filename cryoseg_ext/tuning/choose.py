"""The choice among settings that were tried on few micrographs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from cryoseg_ext.evaluation.bootstrap import draw_weights
from cryoseg_ext.evaluation.matching import FloatArray, match_picks
from cryoseg_ext.picks import Picks

THRESHOLDS: FloatArray = np.round(np.arange(0.02, 0.985, 0.01), 2)
"""Lowest scores that are tried."""
BLOCKS = 3
"""Into so many blocks a micrograph is cut along each axis; they are drawn again to see how sure a gain is."""
N_DRAWS = 300
CAUTION = 0.5
"""By so many of its standard errors a gain over the default is discounted."""
LEAST_GAIN = 0.01
"""What each value that is not the default's must gain at least."""
# So many neighbouring thresholds are averaged: one that was lucky is not the best one elsewhere.
_SMOOTH = 15


@dataclass(frozen=True)
class Counts:
    """Right picks and picks of every setting, threshold and block.

    Parameters
    ----------
    right, picks : NDArray[np.float64]
        ``(setting, threshold, block)``.
    truth : NDArray[np.float64]
        ``(block,)`` particles.
    """

    right: FloatArray
    picks: FloatArray
    truth: FloatArray

    @staticmethod
    def joined(counts: Sequence[Counts]) -> Counts:
        """Return the counts of several micrographs."""
        right = np.concatenate([one.right for one in counts], axis=2)
        picks = np.concatenate([one.picks for one in counts], axis=2)
        return Counts(right, picks, np.concatenate([one.truth for one in counts]))

    def precision(self) -> FloatArray:
        """Return ``(setting, threshold)`` over all blocks; 0 where there are no picks."""
        precision: FloatArray = self.right.sum(axis=2) / np.maximum(self.picks.sum(axis=2), 1)
        return precision

    def recall(self) -> FloatArray:
        """Return ``(setting, threshold)`` over all blocks."""
        recall: FloatArray = self.right.sum(axis=2) / max(self.truth.sum(), 1)
        return recall

    def f1(self, weight: FloatArray | None = None) -> FloatArray:
        """Return ``(setting, threshold)``, each block counted `weight` ``(block,)`` times."""
        weight = np.ones(len(self.truth)) if weight is None else weight
        both = self.picks @ weight + self.truth @ weight
        f1: FloatArray = 2 * (self.right @ weight) / np.maximum(both, 1)
        return f1


def count_micrograph(
    truth_xy_px: FloatArray, tried: Sequence[Picks], radius_px: float, shape: tuple[int, int]
) -> Counts:
    """Count on one micrograph.

    Parameters
    ----------
    truth_xy_px : NDArray[np.float64]
        ``(m, 2)`` true centres (x, y).
    tried : Sequence[Picks]
        Of each setting.
    radius_px : float
        Largest distance of a match, which is greedy.
    shape : tuple of int
        ``(y, x)`` of the micrograph.
    """
    right, picks = (np.zeros((len(tried), len(THRESHOLDS), BLOCKS**2)) for _ in range(2))
    for number, one in enumerate(tried):
        hit = match_picks(truth_xy_px, one, radius_px)
        block = _block(one.x_px, one.y_px, shape)
        above = one.score >= THRESHOLDS[:, None]
        for index in range(BLOCKS**2):
            in_block = above[:, block == index]
            picks[number, :, index] = in_block.sum(axis=1)
            right[number, :, index] = (in_block & hit[block == index]).sum(axis=1)
    x_px, y_px = truth_xy_px.T
    truth = np.bincount(_block(x_px, y_px, shape), minlength=BLOCKS**2)
    return Counts(right, picks, truth.astype(np.float64))


def _block(x_px: FloatArray, y_px: FloatArray, shape: tuple[int, int]) -> NDArray[np.int64]:
    ny, nx = shape
    row, column = (
        np.clip((BLOCKS * (values + 0.5) / n).astype(np.int64), 0, BLOCKS - 1)
        for values, n in ((y_px, ny), (x_px, nx))
    )
    return BLOCKS * row + column


@dataclass(frozen=True)
class Choice:
    """A setting and a threshold.

    Parameters
    ----------
    setting, threshold : int
        Their numbers.
    gain, standard_error : float
        In F1 over the default, on what it was chosen from.
    """

    setting: int
    threshold: int
    gain: float
    standard_error: float


def choose(counts: Counts, default: tuple[int, int], n_changes: Sequence[int]) -> Choice:
    """Return the setting and threshold with the surest gain of F1 over the default.

    That is the largest gain less `CAUTION` of its standard errors and `LEAST_GAIN` for each changed value;
    the default itself where no other is above 0. F1 is averaged over a few neighbouring thresholds. The
    errors come from drawing blocks of the micrographs again: what a gain owes to single particles is
    discounted, what all micrographs of the choice have in common is not.

    Parameters
    ----------
    counts : Counts
        Of all micrographs.
    default : tuple of int
        Numbers of the default's setting and threshold.
    n_changes : Sequence[int]
        In how many values each setting differs from the default.
    """
    f1 = _smoothed(counts.f1())
    gain = f1 - f1[default]
    total = squares = np.zeros_like(f1)
    for weight in draw_weights(len(counts.truth), N_DRAWS):
        drawn = _smoothed(counts.f1(weight.astype(np.float64)))
        difference = drawn - drawn[default]
        total, squares = total + difference, squares + difference**2
    error = np.sqrt(np.maximum(squares / N_DRAWS - (total / N_DRAWS) ** 2, 0))
    sure = gain - CAUTION * error - LEAST_GAIN * np.array(n_changes)[:, None]
    best = np.unravel_index(np.argmax(sure), sure.shape)
    setting, threshold = (int(best[0]), int(best[1])) if sure[best] > 0 else default
    found = setting, threshold
    return Choice(setting, threshold, float(gain[found]), float(error[found]))


def _smoothed(f1: FloatArray) -> FloatArray:
    smooth: FloatArray = uniform_filter1d(f1, _SMOOTH, axis=1, mode="nearest")
    return smooth
