"""Peaks of the centre map: the default method of extraction."""

from __future__ import annotations

from functools import reduce

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.arrays import FloatArray, Image
from cryoseg_ext.extract.candidates import PEAK_PX, Candidates, Maps, Points, candidates_at

_LOWEST_CENTRE = 0.01
"""Smallest height of a peak of the smoothed centre map."""


def find_candidates(maps: Maps) -> Candidates:
    """Return candidates at the local maxima of the smoothed centre map."""
    return candidates_at(local_maxima(maps.smooth_centre, _LOWEST_CENTRE), maps)


def local_maxima(image: Image, lowest: float) -> Points:
    """Return the maxima over two pixels around where `image` exceeds `lowest`, to a fraction of a pixel."""
    rows, columns = np.nonzero((image == _highest_around(image)) & (image > lowest))
    return _subpixel(image, rows, columns)


def _highest_around(image: Image) -> Image:
    """Return the highest value in the square around each pixel."""
    (ny, nx), padded = image.shape, np.pad(image, PEAK_PX // 2, constant_values=-np.inf)
    highest = reduce(np.maximum, (padded[k : k + ny] for k in range(PEAK_PX)))
    return reduce(np.maximum, (highest[:, k : k + nx] for k in range(PEAK_PX)))


def _subpixel(image: Image, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Points:
    """Return the vertices of parabolas through each maximum and its two neighbours along each axis."""
    middle = image[rows, columns].astype(np.float64)

    def shift(dy: int, dx: int) -> FloatArray:
        before, after = (
            image[
                np.clip(rows + sign * dy, 0, image.shape[0] - 1),
                np.clip(columns + sign * dx, 0, image.shape[1] - 1),
            ].astype(np.float64)
            for sign in (-1, 1)
        )
        curvature = np.minimum(before - 2 * middle + after, -1e-12)
        return np.clip((before - after) / 2 / curvature, -0.5, 0.5)

    return columns + shift(0, 1), rows + shift(1, 0)
