"""Measurement of the particles of a micrograph at each of a series of stated diameters."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from scipy.ndimage import find_objects, label
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist

from cryoseg_ext.arrays import Mask
from cryoseg_ext.extract.candidates import nearest_pixels, ring_means
from cryoseg_ext.image.repair import MIN_SIDE_PX, RepairedMicrograph
from cryoseg_ext.image.scale import MIN_DIAMETER_PX, WORKING_DIAMETER_PX
from cryoseg_ext.model.checkpoint import Model
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.pipeline import PickedMicrograph, pick_repaired
from cryoseg_ext.size.contrast import expected_number
from cryoseg_ext.size.estimate import RINGS_PER_DIAMETER, Measurement

LADDER_A = tuple(48 * 1.25**step for step in range(12))
"""Stated diameters, 48 to 559 Å: clearly wrong values on both sides of every particle of 80 to 400 Å."""
LEAST_SCORE = 0.3
"""Smallest score of a pick that is measured."""
CROP_PX = 384
"""Side of the square in the middle of the micrograph that is picked, in working pixels: 16 diameters."""
_LEAST_CROP_PX = 3 * WORKING_DIAMETER_PX
"""Smallest side of that square, in working pixels."""
_LEAST_VALID = 0.5
"""Smallest fraction of valid pixels in that square."""
N_RINGS = 31
"""Rings of a radial profile; the outermost is 1.25 stated diameters from the centre."""
_PIXELS_PER_WORKING_PIXEL = 3
"""Block means at this sampling lose nothing visible at the working scale."""


def measure(repaired: RepairedMicrograph, pixel_size_A: float, model: Model) -> list[Measurement]:
    """Pick the middle of a micrograph at every stated diameter that fits it, and measure the particles.

    Parameters
    ----------
    repaired : RepairedMicrograph
        Micrograph from `cryoseg_ext.image.repair.repair`.
    pixel_size_A : float
        Pixel size of the micrograph in Å/px.
    model : Model
        Model to pick with; its own conditional random field is used.

    Returns
    -------
    list of Measurement
        The isolated particles at each diameter of `LADDER_A` at which the micrograph is large enough and the
        particle is not too small.
    """
    measurements = []
    for stated_A in LADDER_A:
        working_A = stated_A / WORKING_DIAMETER_PX
        crop = _middle(repaired, CROP_PX * working_A / pixel_size_A)
        binning = max(int(working_A / pixel_size_A / _PIXELS_PER_WORKING_PIXEL), 1)
        binned, binned_A = _binned(crop, binning), pixel_size_A * binning
        side = min(binned.image.shape)
        if (
            stated_A < MIN_DIAMETER_PX * pixel_size_A
            or side < max(MIN_SIDE_PX, _LEAST_CROP_PX * working_A / binned_A)
            or binned.valid.mean() < _LEAST_VALID
        ):
            continue
        picked = pick_repaired(binned, binned_A, model, PickingOptions(stated_A))
        measurements.append(_isolated(picked, stated_A))
    return measurements


def _middle(repaired: RepairedMicrograph, side_px: float) -> RepairedMicrograph:
    """Return the square of side `side_px` in the middle, or the part of it that exists."""
    starts = [max(int(n - side_px) // 2, 0) for n in repaired.image.shape]
    part = tuple(slice(a, n - a) for a, n in zip(starts, repaired.image.shape, strict=True))
    return RepairedMicrograph(repaired.image[part], repaired.valid[part])


def _binned(repaired: RepairedMicrograph, binning: int) -> RepairedMicrograph:
    """Return means over blocks of `binning` x `binning` pixels; a block is valid if most of it is."""
    ny, nx = (n // binning for n in repaired.image.shape)
    whole = np.s_[: ny * binning, : nx * binning]
    image, valid = (
        np.asarray(values[whole], np.float32).reshape(ny, binning, nx, binning).mean(axis=(1, 3))
        for values in (repaired.image, repaired.valid)
    )
    return RepairedMicrograph(image, valid > 0.5)


def _isolated(picked: PickedMicrograph, stated_A: float) -> Measurement:
    """Measure the picks that are alone in their connected part of the mask, away from the edge."""
    parts, n = label(picked.mask)
    picks = picked.candidates.above(LEAST_SCORE)
    where_px = x_px, y_px = picked.working.from_source_px(picks.x_px, picks.y_px)
    part = parts[nearest_pixels(where_px, parts.shape)]
    alone = np.bincount(part, minlength=n + 1) == 1
    for outside in (0, parts[0], parts[-1], parts[:, 0], parts[:, -1]):
        alone[outside] = False
    boxes = find_objects(parts)
    kept = alone[part]
    masks = [parts[boxes[number - 1]] == number for number in part[kept]]
    working_A = stated_A / WORKING_DIAMETER_PX
    extent_A = np.array([_longest_px(mask) for mask in masks]) * working_A
    width_A = np.sqrt([4 / np.pi * np.count_nonzero(mask) for mask in masks]) * working_A
    profile = ring_means(
        picked.working.image,
        (x_px[kept], y_px[kept]),
        N_RINGS,
        ring_px=WORKING_DIAMETER_PX / RINGS_PER_DIAMETER,
    )
    n_expected = expected_number(picks.score)
    return Measurement(stated_A, extent_A, width_A, picks.score[kept], profile, n_expected)


def _longest_px(mask: Mask) -> float:
    """Return the longest extent of a ``(y, x)`` mask, measured to the outer sides of its pixels."""
    corners = np.argwhere(mask)
    # A line of pixels, or a single one, has no hull.
    with suppress(QhullError, ValueError):
        corners = corners[ConvexHull(corners).vertices]
    return float(pdist(corners).max(initial=0)) + 1
