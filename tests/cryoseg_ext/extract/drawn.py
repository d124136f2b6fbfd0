"""Maps drawn by hand, as a perfect network would give them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter

from cryoseg_ext.extract.candidates import Maps
from cryoseg_ext.extract.score import Calibration
from cryoseg_ext.image.scale import WORKING_DIAMETER_PX, WorkingMicrograph

DIAMETER_PX = float(WORKING_DIAMETER_PX)
# So that a working pixel is 10 Å and an Å on the micrograph is a fifth of a pixel.
DIAMETER_A, PIXEL_A, STEP = 240.0, 10.0, 2
# Every candidate is good enough, and the higher centre the better.
CALIBRATION = Calibration(0.0, (0.01, 0.0, 0.0))
Points = Sequence[tuple[float, float]]


def working(shape: tuple[int, int]) -> WorkingMicrograph:
    ny, nx = shape
    return WorkingMicrograph(np.zeros(shape, np.float32), np.ones(shape, np.bool_), (STEP * ny, STEP * nx))


def source_px(points: Points) -> NDArray[np.float64]:
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
        rows, columns = (np.rint(np.interp(where, range(len(line)), one)).astype(int) for one in (y, x))
        off[rows, columns] = False
    return from_mask(distance_transform_edt(off) <= width_px / 2)


def from_mask(mask: NDArray[np.bool_], centre: NDArray[np.float32] | None = None) -> Maps:
    nothing = np.zeros(mask.shape, np.float32)
    return Maps(
        nothing, nothing if centre is None else centre, gaussian_filter(mask.astype(np.float32), 1.0), nothing
    )
