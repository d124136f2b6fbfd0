"""Connected components of the mask: the "CV" extraction of the CRISP paper, with limits of size and shape."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from skimage.measure import label, regionprops
from skimage.segmentation import expand_labels

from cryoseg_ext.extract.candidates import Points


def contour_centres(
    mask: NDArray[np.bool_], erosion_px: float, area_px: tuple[float, float], min_solidity: float
) -> Points:
    """Return the centroids of the mask's components.

    Particles that touch are one component, unless the erosion parts them: components are told apart on the
    eroded mask and then given back what was peeled off, so that sizes are those of the mask.

    Parameters
    ----------
    mask : NDArray[np.bool_]
        ``(y, x)``.
    erosion_px : float
        Peeled off all around.
    area_px : tuple of float
        Smallest and largest area of a component in pixels.
    min_solidity : float
        Least area over that of the convex hull.
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
