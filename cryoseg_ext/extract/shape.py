"""Size and axis of the particle at each pick, measured on the mask."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, find_objects, label
from skimage.segmentation import watershed

from cryoseg_ext.arrays import FloatArray, Mask
from cryoseg_ext.extract.candidates import Points, nearest_pixels

Index = NDArray[np.int64]
"""``(n,)`` rows, columns or numbers."""

CLEAR_AXIS = 1.4
"""Smallest ratio of length to width of a particle that has an axis."""
_SEED_SCORE = 0.1
"""Smallest score of a pick that is measured, lest noise takes a part of its neighbour."""


def measure_shapes(
    points: Points, score: FloatArray, mask: Mask, diameter_px: float
) -> tuple[FloatArray, FloatArray]:
    """Return the longest extent of each particle and RELION's angle of its long axis.

    The mask is divided among the picks by a watershed of its distance transform, so that particles that touch
    are measured separately; extent and axis are those of the ellipse with the same second moments.

    Parameters
    ----------
    points : tuple of NDArray
        ``(n,)`` x and y of the picks in pixels of the mask.
    score : NDArray[np.float64]
        ``(n,)`` scores; picks below 0.1 are not measured.
    mask : NDArray[np.bool_]
        ``(y, x)``, True on particles.
    diameter_px : float
        Particle diameter in pixels; pixels further than this from a pick are not counted.

    Returns
    -------
    extent_px : NDArray[np.float64]
        ``(n,)`` longest extents in pixels; NaN without a mask.
    psi_deg : NDArray[np.float64]
        ``(n,)`` angles in (-90, 90], see `cryoseg_ext.picks.Picks`; NaN without a clear axis.
    """
    measured = np.flatnonzero(score >= _SEED_SCORE)
    rows, columns = nearest_pixels(points, mask.shape)
    parts = _divided(mask, rows[measured], columns[measured], measured + 1)
    y, x = np.nonzero(parts)
    part = parts[y, x] - 1
    near = np.hypot(x - points[0][part], y - points[1][part]) <= diameter_px
    return _moments(x[near], y[near], part[near], len(score))


def _divided(mask: Mask, rows: Index, columns: Index, numbers: Index) -> NDArray[np.int32]:
    """Return the mask divided among the pixels (rows, columns): the number of the pixel, or 0."""
    areas, n_areas = label(mask)
    area = areas[rows, columns]
    n_seeds = np.bincount(area, minlength=n_areas + 1)
    owner = np.zeros(n_areas + 1, np.int32)
    owner[area] = numbers
    owner[0], n_seeds[0] = 0, 0
    # Most particles are alone in their area: only the others need the slow distance transform and watershed.
    shared = n_seeds > 1
    if not shared.any():
        return owner[areas]
    seeds = np.zeros(mask.shape, np.int32)
    seeds[rows, columns] = numbers
    contested = shared[areas]
    return np.where(contested, watershed(-_depth(areas, shared), seeds, mask=contested), owner[areas])


def _depth(areas: NDArray[np.int32], shared: Mask) -> FloatArray:
    """Return the distance of each pixel in a shared area from the nearest pixel outside the area."""
    # With a margin, so that the nearest pixel outside is in the box.
    boxes = [
        tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in box)
        for box, is_shared in zip(find_objects(areas), shared[1:], strict=True)
        if is_shared
    ]
    if sum(areas[box].size for box in boxes) > areas.size:
        return np.asarray(distance_transform_edt(shared[areas]))
    depth = np.zeros(areas.shape)
    for box, number in zip(boxes, np.flatnonzero(shared), strict=True):
        inside = areas[box] == number
        depth[box][inside] = distance_transform_edt(inside)[inside]
    return depth


def _moments(x: Index, y: Index, part: NDArray[np.int32], n: int) -> tuple[FloatArray, FloatArray]:
    """Return extent and angle of the parts numbered 0 to `n` - 1, to which the pixels (x, y) belong."""

    def mean(values: FloatArray) -> FloatArray:
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
