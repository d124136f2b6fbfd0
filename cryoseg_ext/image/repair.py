"""Repair of a micrograph: holes, hot and dead pixels, dead borders and detector panels, inverted contrast."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.arrays import FloatArray, Image, Mask
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.image.blocks import block_sums, chunks, interpolation
from cryoseg_ext.image.borders import live_area

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

PANEL_BLOCK_PX = 32
"""Side of the constant blocks by which dead panels are found."""
BACKGROUND_BLOCK_PX = 128
"""Side of the blocks whose means fill invalid pixels."""
CHUNK_PX = 1 << 16
"""Size of pieces of work that stay in the cache."""


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


def repair(image: NDArray[Any], *, invert: bool = False, overwrite: bool = False) -> RepairedMicrograph:
    """Replace defects of a micrograph and find its dead regions.

    Non-finite values and isolated extreme pixels are replaced. Borders that are constant, empty or striped
    (every line a copy of its neighbour), on any side and up to 40 % of the field wide, and constant patches
    of 64 px or more are marked invalid and filled. Ice gradients, carbon and particles at the edge stay.

    Parameters
    ----------
    image : NDArray
        ``(y, x)`` grey values of any real type.
    invert : bool
        Whether protein is bright, so that the contrast has to be inverted.
    overwrite : bool
        Whether the array may be changed, which saves a copy of one of float32.

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
        repaired = image.astype(np.float32, order="C", copy=not (overwrite and image.flags.writeable))
    holes = _fill_holes(repaired)
    valid = _without_large_holes(image.shape, holes)
    defects = np.union1d(holes[valid.ravel()[holes]], _hot_pixels(repaired))
    _replace_by_neighbours(repaired, valid, defects)
    rows, columns = live_area(repaired)
    valid[: rows.start] = valid[rows.stop :] = False
    valid[:, : columns.start] = valid[:, columns.stop :] = False
    _mark_panels(repaired, valid)
    # Again: hot pixels had to be replaced to find dead lines, and these may hold neighbours of a defect.
    _replace_by_neighbours(repaired, valid, defects)
    if (share := np.count_nonzero(valid) / valid.size) < MIN_USABLE_FRACTION:
        raise CryosegError(f"only {100 * share:.1f} % of the image is usable: export the micrograph again")
    if share < 1:
        _fill_with_background(repaired, valid)
    if invert:
        np.negative(repaired, out=repaired)
    return RepairedMicrograph(repaired, valid)


def _fill_holes(image: Image) -> Pixels:
    """Set values that are not finite or too large to the median of the others, in place; return where."""
    flat = image.ravel()
    low, high = float(flat.min()), float(flat.max())
    holes = np.empty(0, np.intp)
    if not max(-low, high) < LARGEST_VALUE:
        usable = np.abs(flat) < LARGEST_VALUE
        if (share := np.count_nonzero(usable) / usable.size) < MIN_USABLE_FRACTION:
            raise CryosegError(
                f"only {100 * share:.1f} % of the pixels are finite: export the micrograph again"
            )
        sample = flat[usable]
        low, high = float(sample.min()), float(sample.max())
        holes = np.flatnonzero(~usable)
        flat[holes] = np.median(sample[:: max(1, sample.size // 100_000)])
    if low == high:
        raise CryosegError("the image is constant: export the micrograph again, or leave it out")
    return holes


def _hot_pixels(image: Image) -> Pixels:
    """Return the isolated extreme pixels, hot or dead."""
    flat = image.ravel()
    step = max(1, flat.size // 200_000)
    sample = flat[2:-2:step] - 0.5 * (flat[:-4:step] + flat[4::step])
    low, high = np.percentile(np.sort(sample), [1, 99])
    limit = HOT_NOISE_UNITS * float(sample.clip(low, high).std())
    suspects = _far_from_neighbours(flat, limit)
    if limit == 0 or len(suspects) > HOT_MAX_FRACTION * flat.size:
        return np.empty(0, np.intp)
    parts = [suspects[chunk] for chunk in chunks(len(suspects), CHUNK_PX)]
    return np.concatenate([_isolated(image, part, limit) for part in parts])


def _isolated(image: Image, pixels: Pixels, limit: float) -> Pixels:
    """Return those of `pixels` that stand out from their 5 x 5 neighbours, with at most a few alike."""
    around = image.ravel()[_neighbours(image.shape, pixels)]
    background = _row_medians(around)
    height = image.ravel()[pixels] - background
    high = np.abs(height) > limit
    pixels, height, around = pixels[high], height[high], around[high] - background[high, None]
    spread = 1.4826 * _row_medians(np.abs(around))
    alike = np.count_nonzero(around * np.sign(height)[:, None] > 0.5 * np.abs(height)[:, None], axis=1)
    return pixels[(np.abs(height) > HOT_NOISE_UNITS * spread) & (alike < HOT_CLUSTER_PX)]


def _row_medians(values: Image) -> Image:
    """Return the medians of rows of an even length; to sort them is faster than NumPy's median."""
    middle = values.shape[1] // 2
    in_order = np.sort(values, axis=1)
    return 0.5 * (in_order[:, middle - 1] + in_order[:, middle])


def _far_from_neighbours(flat: Image, limit: float) -> Pixels:
    """Return the pixels that differ by more than `limit` from the mean of those two to the left and right."""
    found = [np.array([0, 1, flat.size - 2, flat.size - 1])]
    for chunk in chunks(flat.size - 4, CHUNK_PX):
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


def _without_large_holes(shape: tuple[int, ...], holes: Pixels) -> Mask:
    """Return a mask that is False in the holes, apart from those smaller than 5 x 5 pixels (an opening)."""
    from scipy.ndimage import maximum_filter, minimum_filter

    valid = np.ones(shape, np.bool_)
    if len(holes):
        valid.ravel()[holes] = False
        valid = minimum_filter(maximum_filter(valid, 5, mode="constant", cval=0), 5, mode="constant", cval=1)
    return valid


def _replace_by_neighbours(image: Image, valid: Mask, defects: Pixels) -> None:
    """Set valid defects to the median of their sound 5 x 5 neighbours, in place; without any, mark them."""
    pixels, sound = image.ravel(), valid.ravel()
    defects = defects[sound[defects]]
    sound[defects] = False
    replaced = [defects[:0]]
    for chunk in chunks(len(defects), CHUNK_PX):
        near = _neighbours(image.shape, defects[chunk])
        values = np.where(sound[near], pixels[near], np.inf)
        values.sort(axis=1)
        count = np.isfinite(values).sum(axis=1)
        values, count, replaceable = values[count > 0], count[count > 0], defects[chunk][count > 0]
        line = np.arange(len(count))
        pixels[replaceable] = 0.5 * (values[line, (count - 1) // 2] + values[line, count // 2])
        replaced.append(replaceable)
    sound[np.concatenate(replaced)] = True


def _mark_panels(image: Image, valid: Mask) -> None:
    """Mark patches of one constant value, such as dead detector panels, as invalid, in place."""
    from scipy import ndimage

    size = PANEL_BLOCK_PX
    if min(image.shape) < size:
        return
    n_y, n_x = (n // size for n in image.shape)
    tiles = image[: n_y * size, : n_x * size].reshape(n_y, size, n_x, size)
    sample = tiles[:, ::8, :, ::8].transpose(1, 3, 0, 2).reshape(-1, n_y, n_x)
    constant = np.ptp(sample, axis=0) == 0
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

    # A column of a block has fewer pixels than a byte counts.
    weight = block_sums(valid.view(np.uint8), BACKGROUND_BLOCK_PX)
    blocks = list(product(*(chunks(n, BACKGROUND_BLOCK_PX) for n in image.shape)))
    spoiled = [block for block, n in zip(blocks, weight.flat, strict=True) if n < image[block].size]
    for block in spoiled:
        image[block][~valid[block]] = 0
    mean = block_sums(image, BACKGROUND_BLOCK_PX) / np.maximum(weight, 1)
    empty = weight < 0.5 * weight.max()
    near = ndimage.distance_transform_edt(empty, return_distances=False, return_indices=True)
    coarse = ndimage.gaussian_filter(mean[tuple(near)], 1.0, mode="nearest")
    to_y, to_x = (interpolation(n, _block_centres(n)) for n in image.shape)
    for rows, columns in spoiled:
        smooth = to_y[rows] @ coarse @ to_x[columns].T
        np.copyto(image[rows, columns], smooth, where=~valid[rows, columns])


def _block_centres(n_px: int) -> FloatArray:
    edges = np.append(np.arange(0, n_px, BACKGROUND_BLOCK_PX), n_px)
    return np.asarray(0.5 * (edges[:-1] + edges[1:] - 1))
