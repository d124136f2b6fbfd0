"""The choice of settings without true particles.

The four pixels of every 2 x 2 block make two images of half the size, from the mean of each diagonal.
Particles, ice and contaminants are the same in both, the noise of the pixels is not. A setting under which
both give the same picks is less sensitive to noise. Every setting keeps equally many picks, so that agreement
does not increase by picking only the clearest particles.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cryoseg_ext.arrays import FloatArray, Image
from cryoseg_ext.evaluation.matching import match_picks
from cryoseg_ext.image.repair import RepairedMicrograph
from cryoseg_ext.picks import Picks
from cryoseg_ext.tuning.choose import CAUTION, LEAST_GAIN, THRESHOLDS


def noise_halves(repaired: RepairedMicrograph) -> tuple[RepairedMicrograph, RepairedMicrograph]:
    """Return two micrographs with half the pixels per axis, which are twice as large and aligned in both."""
    ny, nx = (n // 2 * 2 for n in repaired.image.shape)
    image, valid = repaired.image[:ny, :nx], repaired.valid[:ny, :nx]
    all_valid = valid[::2, ::2] & valid[1::2, 1::2] & valid[::2, 1::2] & valid[1::2, ::2]
    half = np.float32(0.5)
    falling: Image = half * (image[::2, ::2] + image[1::2, 1::2])
    rising: Image = half * (image[::2, 1::2] + image[1::2, ::2])
    return RepairedMicrograph(falling, all_valid), RepairedMicrograph(rising, all_valid)


def agreement(first: Sequence[Picks], second: Sequence[Picks], radius_px: float, n_picks: int) -> FloatArray:
    """Return, for each setting, the share of the `n_picks` best picks of one half that the other has too.

    Parameters
    ----------
    first, second : Sequence[Picks]
        Picks of each setting on the two halves.
    radius_px : float
        Largest distance of two picks of a particle in pixels of the halves.
    n_picks : int
        Number of best picks that count, at least 1.
    """
    best = np.arange(n_picks)
    shares = []
    for picks, references in zip(first, second, strict=True):
        reference = references.at(best[: len(references)])
        xy_px = np.stack([reference.x_px, reference.y_px], axis=1)
        shares.append(match_picks(xy_px, picks.at(best[: len(picks)]), radius_px).sum() / n_picks)
    return np.array(shares)


def expected_f1(score: FloatArray) -> FloatArray:
    """Return the ``(threshold,)`` expected F1 if every score is a true probability.

    Parameters
    ----------
    score : NDArray[np.float64]
        ``(n,)`` scores of all candidates of all micrographs.
    """
    above = score >= THRESHOLDS[:, None]
    return 2 * (above @ score) / np.maximum(above.sum(axis=1) + float(score.sum()), 1e-9)


def surest_agreement(agreements: FloatArray, default: int, n_changes: Sequence[int]) -> int:
    """Return the setting with the surest gain in agreement over the default, or the default if none is sure.

    The discounts are those of `cryoseg_ext.tuning.choose.choose`, with the standard error over micrographs.

    Parameters
    ----------
    agreements : NDArray[np.float64]
        ``(micrograph, setting)`` agreements.
    default : int
        Index of the default.
    n_changes : Sequence[int]
        Number of values in which each setting differs from the default.
    """
    gain = agreements - agreements[:, [default]]
    if len(gain) < 2:
        return default
    error = gain.std(axis=0, ddof=1) / np.sqrt(len(gain))
    discounted = gain.mean(axis=0) - CAUTION * error - LEAST_GAIN * np.array(n_changes)
    best = int(discounted.argmax())
    return best if discounted[best] > 0 else default
