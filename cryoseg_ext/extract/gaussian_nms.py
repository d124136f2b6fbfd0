"""Non-maximum suppression of the particle probability under a Gaussian as wide as the particle."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from cryoseg_ext.arrays import Image
from cryoseg_ext.extract.candidates import Points, nearest_pixels
from cryoseg_ext.extract.peaks import local_maxima
from cryoseg_ext.picks import apart

_SIGMA = 0.2
"""Standard deviation of the Gaussian in particle diameters."""
_LOWEST_SCORE = 0.1
"""Smallest Gaussian-weighted mean probability of a maximum."""


def gaussian_nms_centres(particle: Image, diameter_px: float, min_distance_px: float) -> Points:
    """Return the maxima of the Gaussian-weighted mean probability, the higher suppressing the lower.

    Parameters
    ----------
    particle : NDArray[np.float32]
        ``(y, x)`` particle probability.
    diameter_px : float
        Particle diameter in pixels.
    min_distance_px : float
        Distance in pixels within which a higher maximum suppresses a lower one.
    """
    score = gaussian_filter(particle, _SIGMA * diameter_px)
    x_px, y_px = local_maxima(score, _LOWEST_SCORE)
    order = np.argsort(-score[nearest_pixels((x_px, y_px), score.shape)], kind="stable")
    x_px, y_px = x_px[order], y_px[order]
    kept = apart(x_px, y_px, min_distance_px)
    return x_px[kept], y_px[kept]
