"""The choice among settings that were tried on few micrographs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from cryoseg_ext.arrays import FloatArray
from cryoseg_ext.evaluation.bootstrap import draw_weights
from cryoseg_ext.evaluation.matching import match_picks
from cryoseg_ext.picks import Picks

THRESHOLDS: FloatArray = np.round(np.arange(0.02, 0.985, 0.01), 2)
"""Thresholds that are tried."""
BLOCKS = 3
"""Blocks of a micrograph per axis, which are resampled (bootstrap) for the standard error of a gain."""
N_DRAWS = 300
"""Bootstrap samples."""
CAUTION = 0.5
"""Standard errors that are subtracted from a gain over the default."""
LEAST_GAIN = 0.01
"""Smallest gain for each value that differs from the default."""
_SMOOTH = 15
"""Neighbouring thresholds that are averaged: one that is best by chance is not the best one elsewhere."""


@dataclass(frozen=True)
class Counts:
    """Numbers of correct picks and of picks for every setting, threshold and block.

    Parameters
    ----------
    correct, picks : NDArray[np.float64]
        ``(setting, threshold, block)`` numbers.
    truth : NDArray[np.float64]
        ``(block,)`` numbers of particles.
    """

    correct: FloatArray
    picks: FloatArray
    truth: FloatArray

    @staticmethod
    def joined(counts: Sequence[Counts]) -> Counts:
        """Return the counts of several micrographs."""
        correct = np.concatenate([part.correct for part in counts], axis=2)
        picks = np.concatenate([part.picks for part in counts], axis=2)
        return Counts(correct, picks, np.concatenate([part.truth for part in counts]))

    def precision(self) -> FloatArray:
        """Return ``(setting, threshold)`` over all blocks; 0 where there are no picks."""
        return self.correct.sum(axis=2) / np.maximum(self.picks.sum(axis=2), 1)

    def recall(self) -> FloatArray:
        """Return ``(setting, threshold)`` over all blocks."""
        return self.correct.sum(axis=2) / max(self.truth.sum(), 1)

    def f1(self, weight: FloatArray | None = None) -> FloatArray:
        """Return ``(setting, threshold)``, each block counted `weight` ``(block,)`` times."""
        weight = np.ones(len(self.truth)) if weight is None else weight
        total = self.picks @ weight + self.truth @ weight
        return 2 * (self.correct @ weight) / np.maximum(total, 1)


def count_micrograph(
    truth_xy_px: FloatArray, tried: Sequence[Picks], radius_px: float, shape: tuple[int, int]
) -> Counts:
    """Count correct picks and picks on one micrograph.

    Parameters
    ----------
    truth_xy_px : NDArray[np.float64]
        ``(m, 2)`` true centres (x, y) in pixels.
    tried : Sequence[Picks]
        Picks of each setting.
    radius_px : float
        Largest distance of a match, which is greedy, in pixels.
    shape : tuple of int
        ``(y, x)`` of the micrograph.
    """
    correct, n_picks = (np.zeros((len(tried), len(THRESHOLDS), BLOCKS**2)) for _ in range(2))
    for number, picks in enumerate(tried):
        hit = match_picks(truth_xy_px, picks, radius_px)
        block = _block(picks.x_px, picks.y_px, shape)
        above = picks.score >= THRESHOLDS[:, None]
        for index in range(BLOCKS**2):
            in_block = above[:, block == index]
            n_picks[number, :, index] = in_block.sum(axis=1)
            correct[number, :, index] = (in_block & hit[block == index]).sum(axis=1)
    x_px, y_px = truth_xy_px.T
    truth = np.bincount(_block(x_px, y_px, shape), minlength=BLOCKS**2)
    return Counts(correct, n_picks, truth.astype(np.float64))


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
        Their indices among those that were tried.
    gain, standard_error : float
        Gain in F1 over the default on the micrographs of the choice, and its standard error.
    """

    setting: int
    threshold: int
    gain: float
    standard_error: float


def choose(
    counts: Counts, default: tuple[int, int], n_changes: Sequence[int], *, threshold_is_given: bool = False
) -> Choice:
    """Return the setting and threshold with the surest gain of F1 over the default.

    That is the largest gain less `CAUTION` of its standard errors and `LEAST_GAIN` for each changed value,
    or the default itself if none is above 0. F1 is averaged over neighbouring thresholds. The errors come
    from resampling blocks of the micrographs: a gain by single particles is discounted, one that all
    micrographs of the choice have in common is not.

    Parameters
    ----------
    counts : Counts
        Counts of all micrographs.
    default : tuple of int
        Indices of the default's setting and threshold.
    n_changes : Sequence[int]
        Number of values in which each setting differs from the default.
    threshold_is_given : bool
        Whether the threshold stays that of the default.
    """
    f1 = _smoothed(counts.f1())
    gain = f1 - f1[default]
    total = squares = np.zeros_like(f1)
    for weight in draw_weights(len(counts.truth), N_DRAWS):
        drawn = _smoothed(counts.f1(weight.astype(np.float64)))
        difference = drawn - drawn[default]
        total, squares = total + difference, squares + difference**2
    error = np.sqrt(np.maximum(squares / N_DRAWS - (total / N_DRAWS) ** 2, 0))
    discounted = gain - CAUTION * error - LEAST_GAIN * np.array(n_changes)[:, None]
    if threshold_is_given:
        others = np.arange(len(THRESHOLDS)) != default[1]
        discounted[:, others] = -np.inf
    best = np.unravel_index(np.argmax(discounted), discounted.shape)
    chosen = (int(best[0]), int(best[1])) if discounted[best] > 0 else default
    return Choice(*chosen, float(gain[chosen]), float(error[chosen]))


def _smoothed(f1: FloatArray) -> FloatArray:
    return uniform_filter1d(f1, _SMOOTH, axis=1, mode="nearest")
