"""What an overlay needs of a micrograph, in a few hundred kilobytes, so that it can be drawn again."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.arrays import Image, Mask
from cryoseg_ext.files import replacing
from cryoseg_ext.picks import Picks
from cryoseg_ext.report.particle_boxes import BOX_PX, cut_boxes, even_sample, sample_candidates

MAX_SIDE_PX = 600
N_PREVIEWS = 24
GREY_LEVELS = 32
_CONTRAST_SIGMA = 4.0
_REACH_SIGMA = 2.5
"""Distance at which the smoothing is cut, in its standard deviations."""
_SAMPLE_STEP = 3
"""Every how many-th pixel of the picture decides on its contrast."""
_MAX_BYTES = 1 << 22
"""More than any preview unpacks to."""


@dataclass(frozen=True)
class Preview:
    """A small picture of a micrograph and its mask.

    Parameters
    ----------
    image : NDArray[np.uint8]
        ``(y, x)`` grey values, 0 black to 31 white.
    mask : NDArray[np.bool_]
        ``(y, x)`` where the segmentation sees particles.
    contaminated : NDArray[np.bool_]
        ``(y, x)`` where the network sees a contaminant.
    source_shape : tuple of int
        ``(ny, nx)`` of the micrograph on disk.
    boxes : NDArray[np.uint8]
        ``(n, side, side)`` a sample of its candidates, in as many grey values, see `with_boxes`. A side is
        1.5 particle diameters; of a mixture of sizes, of a middle one.
    box_candidates : NDArray[np.int64]
        ``(n,)`` the index of each box among the candidates of the micrograph, ascending.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    contaminated: NDArray[np.bool_]
    source_shape: tuple[int, int]
    boxes: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, BOX_PX, BOX_PX), np.uint8))
    box_candidates: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))


def make_preview(
    image: NDArray[np.float32],
    mask: NDArray[np.bool_],
    source_shape: tuple[int, int],
    contaminated: NDArray[np.bool_] | None = None,
) -> Preview:
    """Shrink a micrograph and its mask to at most 600 px, with an even contrast and little noise.

    Parameters
    ----------
    image : NDArray[np.float32]
        ``(y, x)`` at the working scale.
    mask : NDArray[np.bool_]
        ``(y, x)``, the same shape.
    source_shape : tuple of int
        ``(ny, nx)`` of the micrograph on disk.
    contaminated : NDArray[np.bool_], optional
        ``(y, x)``, the same shape as `image`.
    """
    factor = min(1.0, MAX_SIDE_PX / max(image.shape))
    (nearest_y, to_y), (nearest_x, to_x) = (_shrinking(n_px, factor) for n_px in image.shape)
    smooth = np.asarray((to_x @ np.ascontiguousarray((to_y @ image).T)).T)
    small_mask, small_dirt = (
        np.zeros(smooth.shape, np.bool_) if area is None else area[nearest_y][:, nearest_x]
        for area in (mask, contaminated)
    )
    sample = smooth[::_SAMPLE_STEP, ::_SAMPLE_STEP]
    middle = np.median(sample)
    spread = max(1.4826 * float(np.median(np.abs(sample - middle))), 1e-6)
    return Preview(_grey(smooth - middle, spread), small_mask, small_dirt, source_shape)


def with_boxes(preview: Preview, image: Image, candidates: Picks) -> Preview:
    """Return the preview with boxes of a sample of the candidates.

    Their grey values are even within a micrograph and among all: 0 is 4 standard deviations of the
    micrograph below its background, 31 as much above. What lies outside the micrograph or in dead areas is
    as grey as the background.

    Parameters
    ----------
    preview : Preview
        Picture and mask.
    image : NDArray[np.float32]
        ``(y, x)`` at the working scale, normalised.
    candidates : Picks
        All candidates, in working pixels.
    """
    chosen = sample_candidates(candidates.score)
    boxes = cut_boxes(image, candidates.x_px[chosen], candidates.y_px[chosen])
    return replace(preview, boxes=_grey(boxes, 1.0), box_candidates=chosen)


def with_even_boxes(preview: Preview, n_candidates: int) -> Preview:
    """Return the preview with those boxes only that were chosen whatever their score.

    Parameters
    ----------
    preview : Preview
        With boxes.
    n_candidates : int
        All candidates of the micrograph.
    """
    is_even = np.isin(preview.box_candidates, even_sample(n_candidates))
    return replace(preview, boxes=preview.boxes[is_even], box_candidates=preview.box_candidates[is_even])


def _grey(values: Image, spread: float) -> NDArray[np.uint8]:
    """Return grey values, of which the background 0 has the middle one."""
    # Few levels: nobody sees them in noise, and the files become half as large.
    levels = values * np.float32((GREY_LEVELS - 1) / (2 * _CONTRAST_SIGMA * spread))
    levels += (GREY_LEVELS - 1) / 2
    return np.rint(np.clip(levels, 0, GREY_LEVELS - 1)).astype(np.uint8, order="C")


def _shrinking(n_px: int, factor: float) -> tuple[NDArray[np.int64], Any]:
    """Return the pixels nearest to those of a shrunk axis, and the matrix of Gaussian means around these."""
    from scipy.sparse import csr_array

    n = round(n_px * factor)
    sigma_px = max(1.0, 0.5 / factor)
    centre = (np.arange(n) + 0.5) * n_px / n - 0.5
    nearest = np.rint(centre).astype(np.int64)
    reach = math.ceil(_REACH_SIGMA * sigma_px)
    near = nearest[:, None] + np.arange(-reach, reach + 1)
    weight = np.exp(-0.5 * ((near - centre[:, None]) / sigma_px) ** 2).astype(np.float32)
    weight /= weight.sum(axis=1, keepdims=True)
    starts = np.arange(0, near.size + 1, near.shape[1])
    columns = np.clip(near, 0, n_px - 1).ravel()
    return nearest, csr_array((weight.ravel(), columns, starts), shape=(n, n_px))


def save_preview(path: Path, preview: Preview) -> None:
    """Write a preview as compressed NumPy arrays."""
    with replacing(path) as temporary:
        np.savez_compressed(
            temporary,
            image=preview.image,
            mask=np.packbits(preview.mask),
            contaminated=np.packbits(preview.contaminated),
            source_shape=np.array(preview.source_shape),
            boxes=preview.boxes,
            box_candidates=preview.box_candidates,
        )


def load_preview(path: Path) -> Preview | None:
    """Read a preview; None when there is none or it is damaged, which an existing file tells apart."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > _MAX_BYTES:
                return None
        with np.load(path) as arrays:
            return _preview_of(arrays)
    except Exception:
        # Damage reaches zipfile, zlib and NumPy's parser of headers, and each raises what it likes.
        return None


def _preview_of(arrays: Mapping[str, NDArray[Any]]) -> Preview:
    image, (ny, nx) = arrays["image"], map(int, arrays["source_shape"])
    if image.ndim != 2 or image.dtype != np.uint8 or image.max() >= GREY_LEVELS or min(ny, nx) < 1:
        raise ValueError("no preview")
    mask, contaminated = (
        np.unpackbits(arrays[name], count=image.size).reshape(image.shape).astype(bool)
        for name in ("mask", "contaminated")
    )
    if "boxes" not in arrays:
        # Written by a version that cut none.
        return Preview(image, mask, contaminated, (ny, nx))
    boxes, numbers = arrays["boxes"], arrays["box_candidates"]
    if (
        boxes.dtype != np.uint8
        or numbers.dtype != np.int64
        or boxes.shape != (len(numbers), BOX_PX, BOX_PX)
        or boxes.max(initial=0) >= GREY_LEVELS
        or numbers.min(initial=0) < 0
    ):
        raise ValueError("no boxes")
    return Preview(image, mask, contaminated, (ny, nx), boxes, numbers)


def outline(mask: Mask) -> Mask:
    """Return the pixels of a ``(y, x)`` mask that have a neighbour outside it, side by side."""
    inner = mask.copy()
    inner[1:] &= mask[:-1]
    inner[:-1] &= mask[1:]
    inner[:, 1:] &= mask[:, :-1]
    inner[:, :-1] &= mask[:, 1:]
    return mask & ~inner


def stretch(number: int, total: int, n_stretches: int = N_PREVIEWS) -> int:
    """Return in which of the equal parts of a run a micrograph lies.

    Parameters
    ----------
    number : int
        Number of the micrograph, from 0.
    total : int
        Micrographs of the run.
    n_stretches : int
        Parts of the run.
    """
    return number * n_stretches // max(total, 1)
