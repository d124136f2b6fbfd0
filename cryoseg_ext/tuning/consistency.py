"""What can be chosen without true particles.

The four pixels of every 2 x 2 block make two images of half the size: the mean of one diagonal, and of the
other. Particles, ice and contaminants are the same in both, the noise of the pixels is not. A setting under
which both give the same picks is moved less by noise. As every setting keeps equally many picks, agreement
cannot be bought by picking only what is plain.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cryoseg_ext.evaluation.matching import FloatArray, match_picks
from cryoseg_ext.image.repair import Image, RepairedMicrograph
from cryoseg_ext.picks import Picks
from cryoseg_ext.tuning.choose import CAUTION, LEAST_GAIN, THRESHOLDS


def noise_halves(repaired: RepairedMicrograph) -> tuple[RepairedMicrograph, RepairedMicrograph]:
    """Return two micrographs of half the pixels, which are twice as large and at the same places in both."""
    ny, nx = (n // 2 * 2 for n in repaired.image.shape)
    image, valid = repaired.image[:ny, :nx], repaired.valid[:ny, :nx]
    every = valid[::2, ::2] & valid[1::2, 1::2] & valid[::2, 1::2] & valid[1::2, ::2]
    half = np.float32(0.5)
    falling: Image = half * (image[::2, ::2] + image[1::2, 1::2])
    rising: Image = half * (image[::2, 1::2] + image[1::2, ::2])
    return RepairedMicrograph(falling, every), RepairedMicrograph(rising, every)


def expected_particles(score: FloatArray) -> float:
    """Return how many particles there are if every score is the probability that it claims to be."""
    return float(score.sum())


def agreement(one: Sequence[Picks], other: Sequence[Picks], radius_px: float, n_picks: int) -> FloatArray:
    """Return, for each setting, the share of the `n_picks` best picks of one half that the other has too.

    Parameters
    ----------
    one, other : Sequence[Picks]
        Of each setting, on the two halves.
    radius_px : float
        Largest distance of two picks of a particle.
    n_picks : int
        How many of the best count, at least 1.
    """
    best = np.arange(n_picks)
    shares = []
    for picks, others in zip(one, other, strict=True):
        reference = others.at(best[: len(others)])
        xy_px = np.stack([reference.x_px, reference.y_px], axis=1)
        shares.append(match_picks(xy_px, picks.at(best[: len(picks)]), radius_px).sum() / n_picks)
    return np.array(shares)


def expected_f1(score: FloatArray) -> FloatArray:
    """Return ``(threshold,)`` the F1 to expect if every score is the probability that it claims to be.

    Parameters
    ----------
    score : NDArray[np.float64]
        ``(n,)`` of all candidates, of all micrographs.
    """
    above = score >= THRESHOLDS[:, None]
    f1: FloatArray = 2 * (above @ score) / np.maximum(above.sum(axis=1) + expected_particles(score), 1e-9)
    return f1


def surest_agreement(agreements: FloatArray, default: int, n_changes: Sequence[int]) -> int:
    """Return the setting whose gain in agreement over the default is surest; the default where none is sure.

    Parameters
    ----------
    agreements : NDArray[np.float64]
        ``(micrograph, setting)``.
    default, n_changes
        As in `cryoseg_ext.tuning.choose.choose`, whose discounts are taken; the errors are over micrographs.
    """
    gain = agreements - agreements[:, [default]]
    if len(gain) < 2:
        return default
    error = gain.std(axis=0, ddof=1) / np.sqrt(len(gain))
    sure = gain.mean(axis=0) - CAUTION * error - LEAST_GAIN * np.array(n_changes)
    best = int(sure.argmax())
    return best if sure[best] > 0 else default
