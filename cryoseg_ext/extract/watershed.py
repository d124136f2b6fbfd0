"""The mask cut at its waists: watershed of the distance transform, for particles that touch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import center_of_mass, distance_transform_edt, gaussian_filter, label
from skimage.morphology import h_maxima
from skimage.segmentation import watershed

from cryoseg_ext.extract.candidates import Points

_WAIST = 0.02
"""How much deeper than the waist both sides must be, in particle diameters, for a cut."""


def watershed_centres(mask: NDArray[np.bool_], diameter_px: float, area_px: tuple[float, float]) -> Points:
    """Return the centroids of the parts into which the mask falls when it is cut at its waists.

    Parameters
    ----------
    mask : NDArray[np.bool_]
        ``(y, x)``.
    diameter_px : float
        Stated particle diameter.
    area_px : tuple of float
        Smallest and largest area of a part in pixels.
    """
    # Smoothed, so that the steps of the pixel grid are not taken for summits.
    depth = gaussian_filter(distance_transform_edt(mask), 1.0)
    summits, _ = label(h_maxima(depth, _WAIST * diameter_px) > 0, structure=np.ones((3, 3)))
    parts = watershed(-depth, summits, mask=mask)
    area = np.bincount(parts.ravel())
    index = np.flatnonzero((area >= area_px[0]) & (area <= area_px[1]))
    index = index[index > 0]
    rows_columns = np.array(center_of_mass(mask, parts, index)).reshape(-1, 2)
    return rows_columns[:, 1], rows_columns[:, 0]
