"""Connected components of the mask: the "CV" extraction of the CRISP paper, with limits on size and shape."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt
from skimage.measure import label, regionprops
from skimage.segmentation import expand_labels

from cryoseg_ext.arrays import Mask
from cryoseg_ext.extract.candidates import Points


def contour_centres(
    mask: Mask, erosion_px: float, area_px: tuple[float, float], min_solidity: float
) -> Points:
    """Return the centroids of the mask's components.

    Particles that touch are one component, unless the erosion separates them: components are labelled on the
    eroded mask and then expanded to the mask, so that areas are those of the mask.

    Parameters
    ----------
    mask : NDArray[np.bool_]
        ``(y, x)``, True on particles.
    erosion_px : float
        Depth of the erosion in pixels.
    area_px : tuple of float
        Smallest and largest area of a component in pixels.
    min_solidity : float
        Smallest ratio of the area to that of the convex hull.
    """
    core = distance_transform_edt(mask) > erosion_px
    labels = np.where(mask, expand_labels(label(core), erosion_px), 0)
    regions = [
        region
        for region in regionprops(labels)
        if area_px[0] <= region.area <= area_px[1] and (not min_solidity or region.solidity >= min_solidity)
    ]
    rows_columns = np.array([region.centroid for region in regions]).reshape(-1, 2)
    return rows_columns[:, 1], rows_columns[:, 0]
