"""Size and axis of the particle at each pick, measured on the mask."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from skimage.segmentation import watershed

from cryoseg_ext.extract.candidates import Points, nearest_pixels

CLEAR_AXIS = 1.4
"""A particle this many times longer than wide has an axis."""
_SEED_SCORE = 0.1


def measure_shapes(
    points: Points, score: NDArray[np.float64], mask: NDArray[np.bool_], diameter_px: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the longest extent of each particle and RELION's angle of its long axis.

    The mask is shared out among the picks by a watershed of its distance transform, so that particles that
    touch are measured apart; extent and axis are those of the ellipse with the part's second moments.

    Parameters
    ----------
    points : tuple of NDArray
        Picks, in pixels of the mask.
    score : NDArray[np.float64]
        ``(n,)``; a pick below 0.1 is not measured, lest it take a piece of its neighbour.
    mask : NDArray[np.bool_]
        ``(y, x)``.
    diameter_px : float
        Stated particle diameter; no particle reaches further than this from its pick.

    Returns
    -------
    extent_px : NDArray[np.float64]
        ``(n,)``; nan where no mask is.
    psi_deg : NDArray[np.float64]
        ``(n,)`` in (-90, 90], see `cryoseg_ext.picks.Picks`; nan without a clear axis.
    """
    seeds = np.zeros(mask.shape, np.int32)
    measured = np.flatnonzero(score >= _SEED_SCORE)
    rows, columns = nearest_pixels(points, mask.shape)
    seeds[rows[measured], columns[measured]] = measured + 1
    parts = watershed(-distance_transform_edt(mask), seeds, mask=mask)
    y, x = np.nonzero(parts)
    part = parts[y, x] - 1
    near = np.hypot(x - points[0][part], y - points[1][part]) <= diameter_px
    return _moments(x[near], y[near], part[near], len(score))


def _moments(
    x: NDArray[np.int64], y: NDArray[np.int64], part: NDArray[np.int64], n: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return extent and angle of the parts numbered 0 to `n` - 1, to which the pixels (x, y) belong."""

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(part, values, minlength=n) / count

    count = np.bincount(part, minlength=n).astype(np.float64)
    count[count == 0] = np.nan
    dx, dy = x - mean(x.astype(np.float64))[part], y - mean(y.astype(np.float64))[part]
    # A pixel is a square, whose own variance is 1/12.
    xx, yy, xy = mean(dx * dx) + 1 / 12, mean(dy * dy) + 1 / 12, mean(dx * dy)
    middle, off = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    extent_px = 4 * np.sqrt(middle + off)
    axis_deg = np.degrees(np.arctan2(2 * xy, xx - yy)) / 2
    clear = middle + off >= CLEAR_AXIS**2 * (middle - off)
    psi_deg = np.where(clear, -axis_deg, np.nan)
    return extent_px, np.where(psi_deg == -90, 90.0, psi_deg) + 0.0
