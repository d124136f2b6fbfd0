"""Watershed of the mask's distance transform, which separates particles that touch."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import center_of_mass, distance_transform_edt, gaussian_filter, label
from skimage.morphology import h_maxima
from skimage.segmentation import watershed

from cryoseg_ext.arrays import Mask
from cryoseg_ext.extract.candidates import Points

_WAIST = 0.02
"""Smallest difference in depth between a waist and both of its sides for a cut, in particle diameters."""


def watershed_centres(mask: Mask, diameter_px: float, area_px: tuple[float, float]) -> Points:
    """Return the centroids of the parts of the mask when it is cut at its waists.

    Parameters
    ----------
    mask : NDArray[np.bool_]
        ``(y, x)``, True on particles.
    diameter_px : float
        Particle diameter in pixels.
    area_px : tuple of float
        Smallest and largest area of a part in pixels.
    """
    # Smoothed, so that the steps of the pixel grid do not count as maxima.
    depth = gaussian_filter(distance_transform_edt(mask), 1.0)
    summits, _ = label(h_maxima(depth, _WAIST * diameter_px) > 0, structure=np.ones((3, 3)))
    parts = watershed(-depth, summits, mask=mask)
    area = np.bincount(parts.ravel())
    index = np.flatnonzero((area >= area_px[0]) & (area <= area_px[1]))
    index = index[index > 0]
    rows_columns = np.array(center_of_mass(mask, parts, index)).reshape(-1, 2)
    return rows_columns[:, 1], rows_columns[:, 0]
