"""The particles of one micrograph, as seen at each of a ladder of stated diameters."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist

from cryoseg_ext.extract.candidates import nearest_pixels, ring_means
from cryoseg_ext.image.repair import MIN_SIDE_PX, RepairedMicrograph
from cryoseg_ext.image.scale import MIN_DIAMETER_PX, WORKING_DIAMETER_PX
from cryoseg_ext.model.checkpoint import Model
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.pipeline import PickedMicrograph, pick_repaired
from cryoseg_ext.size.estimate import RINGS_PER_DIAMETER, Measurement

LADDER_A = tuple(48 * 1.25**step for step in range(12))
"""Stated diameters, from 48 to 559 Å: enough on both sides of 80 to 400 Å for the particle to look wrong."""
LEAST_SCORE = 0.3
CROP_PX = 384
"""Side of the square in the middle of the micrograph that is looked at, in working pixels: 16 diameters."""
_LEAST_CROP_PX = 3 * WORKING_DIAMETER_PX
_LEAST_VALID = 0.5
N_RINGS = 31
"""Around a particle: the outermost is 1.25 of the stated diameter from its centre."""
# So fine, a mean over blocks of pixels loses nothing that the working scale shows.
_PIXELS_PER_WORKING_PIXEL = 3


def measure(repaired: RepairedMicrograph, pixel_size_A: float, model: Model) -> list[Measurement]:
    """Pick the middle of a micrograph at every stated diameter that fits it, and measure what is found.

    Parameters
    ----------
    repaired : RepairedMicrograph
        ``(y, x)`` as `cryoseg_ext.image.repair.repair` returns it.
    pixel_size_A : float
        Å/px.
    model : Model
        The network; its own conditional random field is used.
    """
    measurements = []
    for stated_A in LADDER_A:
        working_A = stated_A / WORKING_DIAMETER_PX
        crop = _middle(repaired, CROP_PX * working_A / pixel_size_A)
        bins = max(int(working_A / pixel_size_A / _PIXELS_PER_WORKING_PIXEL), 1)
        binned, size_A = _binned(crop, bins), pixel_size_A * bins
        side = min(binned.image.shape)
        if (
            stated_A < MIN_DIAMETER_PX * pixel_size_A
            or side < max(MIN_SIDE_PX, _LEAST_CROP_PX * working_A / size_A)
            or binned.valid.mean() < _LEAST_VALID
        ):
            continue
        picked = pick_repaired(binned, size_A, model, PickingOptions(stated_A))
        measurements.append(_isolated(picked, stated_A))
    return measurements


def _middle(repaired: RepairedMicrograph, side_px: float) -> RepairedMicrograph:
    """Return the square of `side_px` in the middle, or as much of it as there is."""
    starts = [max(int(n - side_px) // 2, 0) for n in repaired.image.shape]
    part = tuple(slice(a, n - a) for a, n in zip(starts, repaired.image.shape, strict=True))
    return RepairedMicrograph(repaired.image[part], repaired.valid[part])


def _binned(repaired: RepairedMicrograph, bins: int) -> RepairedMicrograph:
    """Return means over blocks of `bins` x `bins` pixels; a block is valid where most of it is."""
    ny, nx = (n // bins for n in repaired.image.shape)
    whole = np.s_[: ny * bins, : nx * bins]
    image, valid = (
        np.asarray(values[whole], np.float32).reshape(ny, bins, nx, bins).mean(axis=(1, 3))
        for values in (repaired.image, repaired.valid)
    )
    return RepairedMicrograph(image, valid > 0.5)


def _isolated(picked: PickedMicrograph, stated_A: float) -> Measurement:
    """Return every pick that has a piece of the mask for itself, off the rim."""
    pieces, n = label(picked.mask)
    picks = picked.candidates.above(LEAST_SCORE)
    where_px = x_px, y_px = picked.working.from_source_px(picks.x_px, picks.y_px)
    owner = pieces[nearest_pixels(where_px, pieces.shape)]
    alone = np.bincount(owner, minlength=n + 1) == 1
    for outside in (0, pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]):
        alone[outside] = False
    boxes = find_objects(pieces)
    kept = alone[owner]
    masks = [pieces[boxes[piece - 1]] == piece for piece in owner[kept]]
    working_A = stated_A / WORKING_DIAMETER_PX
    extent_A = np.array([_longest_px(mask) for mask in masks]) * working_A
    width_A = np.sqrt([4 / np.pi * np.count_nonzero(mask) for mask in masks]) * working_A
    profile = ring_means(
        picked.working.image,
        (x_px[kept], y_px[kept]),
        N_RINGS,
        ring_px=WORKING_DIAMETER_PX / RINGS_PER_DIAMETER,
    )
    return Measurement(stated_A, extent_A, width_A, picks.score[kept], profile)


def _longest_px(piece: NDArray[np.bool_]) -> float:
    """Return the longest distance across a ``(y, x)`` mask, pixels counted whole."""
    corners = np.argwhere(piece)
    # A line of pixels, or a single one, has no hull.
    with suppress(QhullError, ValueError):
        corners = corners[ConvexHull(corners).vertices]
    return float(pdist(corners).max(initial=0)) + 1
