"""Repair of a micrograph: holes, hot and dead pixels, dead borders and detector panels, inverted contrast."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.arrays import Image, Mask
from cryoseg_ext.errors import CryosegError

Pixels = NDArray[np.intp]
"""``(n,)`` indices into the flattened image."""

MIN_SIDE_PX = 16
MIN_USABLE_FRACTION = 0.05
LARGEST_VALUE = 1e18
"""Larger magnitudes overflow float32 when two of them are multiplied or summed."""

HOT_NOISE_UNITS = 10.0
"""Height of a hot pixel above its neighbours, in standard deviations of the noise."""
HOT_CLUSTER_PX = 4
"""An object with fewer pixels above half its height is sharper than any image that the optics transfer."""
HOT_MAX_FRACTION = 0.03
"""More outliers than this are the image's own statistics (sparse counts, for example), not defects."""

FLAT_RATIO = 0.05
"""A border line is dead (flat) if it varies along itself less than this fraction of a usual line."""
STRIPE_RATIO = 0.3
"""A border line is dead (striped) if it differs from the next by less than this fraction of its variation."""
STRIPE_END_RATIO = 0.6
"""A striped border ends inwards where that fraction reaches this value, which sound lines always exceed."""
BORDER_MAX_FRACTION = 0.4
"""Largest width of a dead border, as a fraction of the field."""
SAMPLES, SAMPLE_PX = 16, 32
"""Number and width of the strips across the lines on which borders are judged."""

PANEL_BLOCK_PX = 32
"""Side of the constant blocks by which dead panels are found."""
BACKGROUND_BLOCK_PX = 128
"""Side of the blocks whose means fill invalid pixels."""
CHUNK_ROWS, CHUNK_PX = 64, 100_000
"""Sizes of pieces of work that stay in the cache."""


@dataclass(frozen=True)
class RepairedMicrograph:
    """A micrograph without defects, and which part of it is real.

    Parameters
    ----------
    image : NDArray[np.float32]
        ``(y, x)`` finite grey values, protein dark; defects hold the median of their neighbours, dead regions
        the local mean.
    valid : NDArray[np.bool_]
        ``(y, x)``, False in dead borders, dead panels and holes. Single repaired pixels stay True.
    """

    image: Image
    valid: Mask


def repair(image: NDArray[Any], *, invert: bool = False) -> RepairedMicrograph:
    """Replace defects of a micrograph and find its dead regions.

    Non-finite values and isolated extreme pixels are replaced. Borders that are constant, empty or striped
    (every line a copy of its neighbour), on any side and up to 40 % of the field wide, and constant patches
    of 64 px or more are marked invalid and filled. Ice gradients, carbon and particles at the edge stay.

    Parameters
    ----------
    image : NDArray
        ``(y, x)`` grey values of any real type; the array is not changed.
    invert : bool
        Whether protein is bright, so that the contrast has to be inverted.

    Raises
    ------
    CryosegError
        If the image is not 2-D, too small, constant or almost without usable pixels; the file is not named.
    """
    if image.ndim != 2 or min(image.shape) < MIN_SIDE_PX:
        size = " x ".join(str(n) for n in image.shape)
        raise CryosegError(
            f"the image is {size} pixels, but {MIN_SIDE_PX} x {MIN_SIDE_PX} or more are needed"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        repaired = image.astype(np.float32, order="C", copy=True)
    holes, typical = _find_holes(repaired)
    repaired.ravel()[holes] = typical
    if repaired.min() == repaired.max():
        raise CryosegError("the image is constant: export the micrograph again, or leave it out")
    valid = ~_large_holes(image.shape, holes)
    defects = np.union1d(holes[valid.ravel()[holes]], _hot_pixels(repaired))
    _replace_by_neighbours(repaired, valid, defects)
    _mark_borders(repaired, valid)
    _mark_panels(repaired, valid)
    # Again: hot pixels had to be replaced to find dead lines, and these may hold neighbours of a defect.
    _replace_by_neighbours(repaired, valid, defects)
    if (share := np.count_nonzero(valid) / valid.size) < MIN_USABLE_FRACTION:
        raise CryosegError(f"only {100 * share:.1f} % of the image is usable: export the micrograph again")
    if share < 1:
        _fill_with_background(repaired, valid)
    return RepairedMicrograph(-repaired if invert else repaired, valid)


def _chunks(total: int, length: int) -> Iterator[slice]:
    return (slice(start, min(start + length, total)) for start in range(0, total, length))


def _find_holes(image: Image) -> tuple[Pixels, float]:
    """Return the pixels whose values are not finite or too large, and the median of the others."""
    flat = image.ravel()
    if max(-float(flat.min()), float(flat.max())) < LARGEST_VALUE:
        return np.empty(0, np.intp), float(np.median(flat[:: max(1, flat.size // 100_000)]))
    usable = np.abs(flat) < LARGEST_VALUE
    if (share := np.count_nonzero(usable) / usable.size) < MIN_USABLE_FRACTION:
        raise CryosegError(f"only {100 * share:.1f} % of the pixels are finite: export the micrograph again")
    sample = flat[usable]
    return np.flatnonzero(~usable), float(np.median(sample[:: max(1, sample.size // 100_000)]))


def _hot_pixels(image: Image) -> Pixels:
    """Return the isolated extreme pixels, hot or dead."""
    flat = image.ravel()
    inner = np.arange(2, flat.size - 2, max(1, flat.size // 200_000))
    sample = flat[inner] - 0.5 * (flat[inner - 2] + flat[inner + 2])
    low, high = np.percentile(sample, [1, 99])
    limit = HOT_NOISE_UNITS * float(sample.clip(low, high).std())
    suspects = _far_from_neighbours(flat, limit)
    if limit == 0 or len(suspects) > HOT_MAX_FRACTION * flat.size:
        return np.empty(0, np.intp)
    isolated = [_is_isolated(image, suspects[chunk], limit) for chunk in _chunks(len(suspects), CHUNK_PX)]
    return suspects[np.concatenate(isolated)]


def _is_isolated(image: Image, pixels: Pixels, limit: float) -> Mask:
    """Return which of `pixels` stand out from their 5 x 5 neighbours, with at most a few alike among them."""
    around = image.ravel()[_neighbours(image.shape, pixels)]
    background = np.median(around, axis=1)
    around -= background[:, None]
    height = image.ravel()[pixels] - background
    spread = 1.4826 * np.median(np.abs(around), axis=1)
    alike = np.count_nonzero(around * np.sign(height)[:, None] > 0.5 * np.abs(height)[:, None], axis=1)
    stands_out = np.abs(height) > np.maximum(limit, HOT_NOISE_UNITS * spread)
    return np.asarray(stands_out & (alike < HOT_CLUSTER_PX))


def _far_from_neighbours(flat: Image, limit: float) -> Pixels:
    """Return the pixels that differ by more than `limit` from the mean of those two to the left and right."""
    found = [np.array([0, 1, flat.size - 2, flat.size - 1])]
    for chunk in _chunks(flat.size - 4, CHUNK_PX):
        difference = flat[chunk] + flat[chunk.start + 4 : chunk.stop + 4]
        difference *= -0.5
        difference += flat[chunk.start + 2 : chunk.stop + 2]
        np.abs(difference, out=difference)
        found.append(np.flatnonzero(difference > limit) + (chunk.start + 2))
    return np.unique(np.concatenate(found))


def _neighbours(shape: tuple[int, ...], pixels: Pixels) -> Pixels:
    """Return ``(n, 24)`` indices of the 5 x 5 neighbours of `pixels`, mirrored at the edge."""
    offset = np.delete(np.indices((5, 5)).reshape(2, 25) - 2, 12, axis=1)
    y, x = (np.abs(at[:, None] + d) for at, d in zip(np.unravel_index(pixels, shape), offset, strict=True))
    y, x = (np.minimum(at, 2 * (n - 1) - at) for at, n in zip((y, x), shape, strict=True))
    return np.asarray(y * shape[1] + x, np.intp)


def _large_holes(shape: tuple[int, ...], holes: Pixels) -> Mask:
    """Return the mask of the holes, without what is smaller than 5 x 5 pixels (a morphological opening)."""
    from scipy.ndimage import maximum_filter, minimum_filter

    mask = np.zeros(shape, np.bool_)
    if len(holes):
        mask.ravel()[holes] = True
        mask = maximum_filter(minimum_filter(mask, 5, mode="constant", cval=1), 5, mode="constant", cval=0)
    return mask


def _replace_by_neighbours(image: Image, valid: Mask, defects: Pixels) -> None:
    """Set valid defects to the median of their sound 5 x 5 neighbours, in place; without any, mark them."""
    pixels, sound = image.ravel(), valid.ravel()
    defects = defects[sound[defects]]
    sound[defects] = False
    replaced = [defects[:0]]
    for chunk in _chunks(len(defects), CHUNK_PX):
        near = _neighbours(image.shape, defects[chunk])
        values = np.where(sound[near], pixels[near], np.inf)
        values.sort(axis=1)
        count = np.isfinite(values).sum(axis=1)
        values, count, replaceable = values[count > 0], count[count > 0], defects[chunk][count > 0]
        line = np.arange(len(count))
        pixels[replaceable] = 0.5 * (values[line, (count - 1) // 2] + values[line, count // 2])
        replaced.append(replaceable)
    sound[np.concatenate(replaced)] = True


def _mark_borders(image: Image, valid: Mask) -> None:
    """Mark dead border lines of all four sides as invalid, in place."""
    # A dead border of one pair of sides disturbs the lines of the other pair: rows are judged twice.
    rows = _live_lines(image, slice(0, image.shape[1]))
    columns = _live_lines(image.T, rows)
    rows = _live_lines(image, columns)
    valid[: rows.start] = valid[rows.stop :] = False
    valid[:, : columns.start] = valid[:, columns.stop :] = False


def _live_lines(lines: Image, span: slice) -> slice:
    """Return the range of the rows of `lines` between two dead borders, judged on the columns in `span`."""
    along = np.zeros(len(lines), np.float32)
    across = np.zeros(len(lines) - 1, np.float32)
    last = max(span.stop - SAMPLE_PX, span.start)
    for start in np.linspace(span.start, last, SAMPLES).astype(int):
        strip = lines[:, start : min(start + SAMPLE_PX, span.stop)]
        along += np.abs(np.diff(strip, axis=1)).sum(axis=1)
        across += np.abs(np.diff(strip, axis=0)).sum(axis=1)
    if not along.any():
        return slice(0, 0)
    usual = float(np.median(along[along > 0]))
    bottom = _dead_depth(along[::-1], across[::-1], usual)
    return slice(_dead_depth(along, across, usual), len(lines) - bottom)


def _dead_depth(along: Image, across: Image, usual: float) -> int:
    """Return the number of dead lines from the first one inwards.

    `along` is the variation within each line, `usual` that of a sound one, `across` the difference between
    each line and the next.
    """
    n = int(BORDER_MAX_FRACTION * len(along))
    flat = FLAT_RATIO * usual
    ratio = across[:n] / np.maximum(along[1 : n + 1], flat)
    dead = (along[:n] < flat) | (ratio < STRIPE_RATIO)
    # A low-pass filter wraps around and blurs the outermost stripes, so live lines may lie outside dead ones.
    mostly_dead = 2 * np.cumsum(dead) >= np.arange(1, n + 1)
    inside = np.flatnonzero(dead & mostly_dead)
    if not len(inside):
        return 0
    depth = int(inside[-1]) + 1
    ends = np.flatnonzero(ratio[depth:] >= STRIPE_END_RATIO)
    return depth + (int(ends[0]) if len(ends) else 0)


def _mark_panels(image: Image, valid: Mask) -> None:
    """Mark patches of one constant value, such as dead detector panels, as invalid, in place."""
    from scipy import ndimage

    size = PANEL_BLOCK_PX
    if min(image.shape) < size:
        return
    n_y, n_x = (n // size for n in image.shape)
    tiles = image[: n_y * size, : n_x * size].reshape(n_y, size, n_x, size)
    constant = np.ptp(tiles[:, ::8, :, ::8], axis=(1, 3)) == 0
    for i, j in np.argwhere(constant):
        constant[i, j] = np.ptp(tiles[i, :, j]) == 0
    labels, _ = ndimage.label(constant)
    for label, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        blocks = labels[rows, columns] == label
        values = np.unique(tiles[rows, 0, columns, 0][blocks])
        window = tuple(slice(max(s.start - 1, 0) * size, (s.stop + 1) * size) for s in (rows, columns))
        dead = np.isin(image[window], values)
        valid[window] &= ~ndimage.binary_opening(dead, np.ones((5, 5)))


def _fill_with_background(image: Image, valid: Mask) -> None:
    """Fill invalid pixels with the smooth mean of the valid ones near them, in place."""
    from scipy import ndimage

    mean, weight = _block_means(image, valid)
    empty = weight < 0.5 * weight.max()
    near = ndimage.distance_transform_edt(empty, return_distances=False, return_indices=True)
    coarse = ndimage.gaussian_filter(mean[tuple(near)], 1.0, mode="nearest")
    to_y, to_x = (_interpolation(n, k) for n, k in zip(image.shape, coarse.shape, strict=True))
    for rows in _chunks(len(image), CHUNK_ROWS):
        dead = ~valid[rows]
        if dead.any():
            np.copyto(image[rows], to_y[rows] @ coarse @ to_x.T, where=dead)


def _block_means(image: Image, valid: Mask) -> tuple[Image, Image]:
    """Return mean and number of the valid pixels of every background block."""
    columns = np.arange(0, image.shape[1], BACKGROUND_BLOCK_PX)
    total, count = [], []
    for rows in _chunks(len(image), BACKGROUND_BLOCK_PX):
        total.append(np.add.reduceat((image[rows] * valid[rows]).sum(axis=0), columns))
        count.append(np.add.reduceat(valid[rows].sum(axis=0, dtype=np.float32), columns))
    weight = np.stack(count)
    return np.stack(total) / np.maximum(weight, 1), weight


def _interpolation(n_px: int, n_blocks: int) -> Image:
    """Return the ``(n_px, n_blocks)`` matrix of linear interpolation between the centres of the blocks."""
    edges = np.minimum(np.arange(n_blocks + 1) * BACKGROUND_BLOCK_PX, n_px)
    centres = 0.5 * (edges[:-1] + edges[1:] - 1)
    columns = [np.interp(np.arange(n_px), centres, unit) for unit in np.eye(n_blocks)]
    return np.stack(columns, axis=1).astype(np.float32)
