"""Maps drawn by hand, as a perfect network would give them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from cryoseg_ext.arrays import FloatArray, Image, Mask
from cryoseg_ext.extract.candidates import Maps
from cryoseg_ext.extract.score import Calibration
from cryoseg_ext.image.scale import WORKING_DIAMETER_PX, WorkingMicrograph

DIAMETER_PX = float(WORKING_DIAMETER_PX)
# A working pixel is 10 Å, and a pixel of the micrograph 5 Å.
DIAMETER_A, PIXEL_A, STEP = 240.0, 10.0, 2
# Every candidate is above the threshold, and the score grows with the centre map.
CALIBRATION = Calibration(0.0, (0.01, 0.0, 0.0, 0.0))
Points = Sequence[tuple[float, float]]


def working(shape: tuple[int, int]) -> WorkingMicrograph:
    ny, nx = shape
    return WorkingMicrograph(np.zeros(shape, np.float32), np.ones(shape, np.bool_), (STEP * ny, STEP * nx))


def source_px(points: Points) -> FloatArray:
    return STEP * np.asarray(points, np.float64)


def discs(points: Points, shape: tuple[int, int], diameter_px: float = DIAMETER_PX) -> Maps:
    """Return discs (x, y) and a Gaussian on the centre of each."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    mask, centre = np.zeros(shape, np.bool_), np.zeros(shape)
    for x_px, y_px in points:
        distance2 = (x - x_px) ** 2 + (y - y_px) ** 2
        mask |= distance2 <= (diameter_px / 2) ** 2
        np.maximum(centre, 0.9 * np.exp(-distance2 / (2 * 2.5**2)), out=centre)
    return from_mask(mask, centre.astype(np.float32))


def tubes(lines: Sequence[Points], shape: tuple[int, int], width_px: float = DIAMETER_PX) -> Maps:
    """Return tubes about polylines of (x, y) points."""
    off = np.ones(shape, np.bool_)
    for line in lines:
        x, y = np.asarray(line, np.float64).T
        where = np.linspace(0, len(line) - 1, 4000)
        rows, columns = (np.rint(np.interp(where, range(len(line)), axis)).astype(int) for axis in (y, x))
        off[rows, columns] = False
    return from_mask(distance_transform_edt(off) <= width_px / 2)


def from_mask(mask: Mask, centre: Image | None = None) -> Maps:
    nothing = np.zeros(mask.shape, np.float32)
    smooth = gaussian_filter(mask.astype(np.float32), 1.0)
    return Maps(nothing, nothing if centre is None else centre, smooth, nothing, nothing > 0)
