"""Blobs of the mask, located by trackpy (Crocker and Grier 1996)."""

from __future__ import annotations

import warnings

import numpy as np
from scipy.ndimage import gaussian_filter

from cryoseg_ext.arrays import Image
from cryoseg_ext.extract.candidates import Points

_SIGMA, _WINDOW = 0.15, 0.5
"""Standard deviation of the smoothing and width of the centroid's window, in particle diameters."""
_LEAST_MASS = 0.1
"""Smallest sum of the probability in the window, as a fraction of a full window."""


def blob_centres(particle: Image, diameter_px: float, min_distance_px: float) -> Points:
    """Return the blobs that `trackpy.locate` finds in the smoothed particle probability.

    It is smoothed because trackpy expects blobs that are brightest in the middle, where a mask is flat.

    Parameters
    ----------
    particle : NDArray[np.float32]
        ``(y, x)`` particle probability.
    diameter_px : float
        Particle diameter in pixels.
    min_distance_px : float
        Smallest distance between two blobs in pixels.
    """
    import trackpy

    smooth = gaussian_filter(particle, _SIGMA * diameter_px)
    window = 2 * round(_WINDOW * diameter_px / 2) + 1
    if smooth.max() <= 0 or min(smooth.shape) <= window:
        return np.zeros(0), np.zeros(0)
    least_mass = _LEAST_MASS * np.pi / 4 * window**2
    with warnings.catch_warnings():
        # trackpy 0.7 uses pandas in a way that pandas 3 deprecates, and it warns about empty fields.
        warnings.simplefilter("ignore")
        found = trackpy.locate(
            smooth,
            window,
            minmass=least_mass,
            separation=min_distance_px,
            percentile=0,
            preprocess=False,
            characterize=False,
        )
    return found["x"].to_numpy(np.float64), found["y"].to_numpy(np.float64)
