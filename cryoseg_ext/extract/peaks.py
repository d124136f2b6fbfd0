"""Peaks of the centre map: the default method of extraction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from cryoseg_ext.arrays import FloatArray, Image
from cryoseg_ext.extract.candidates import PEAK_PX, Candidates, Maps, Points, candidates_at, smooth_centres

_LOWEST_CENTRE = 0.01
"""Smallest height of a peak of the smoothed centre map."""


def find_candidates(maps: Maps) -> Candidates:
    """Return candidates at the local maxima of the smoothed centre map."""
    return candidates_at(local_maxima(smooth_centres(maps.centre), _LOWEST_CENTRE), maps)


def local_maxima(image: Image, lowest: float) -> Points:
    """Return the maxima over two pixels around where `image` exceeds `lowest`, to a fraction of a pixel."""
    rows, columns = np.nonzero((image == maximum_filter(image, size=PEAK_PX)) & (image > lowest))
    return _subpixel(image, rows, columns)


def _subpixel(image: Image, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Points:
    """Return the vertices of parabolas through each maximum and its two neighbours along each axis."""
    padded = np.pad(image, 1, mode="edge").astype(np.float64)
    y, x = rows + 1, columns + 1
    middle = padded[y, x]

    def shift(before: FloatArray, after: FloatArray) -> FloatArray:
        curvature = np.minimum(before - 2 * middle + after, -1e-12)
        return np.clip((before - after) / 2 / curvature, -0.5, 0.5)

    return (
        columns + shift(padded[y, x - 1], padded[y, x + 1]),
        rows + shift(padded[y - 1, x], padded[y + 1, x]),
    )
