"""What an overlay needs of a micrograph, in a few hundred kilobytes, so that it can be drawn again."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.files import replacing

MAX_SIDE_PX = 600
N_PREVIEWS = 24
GREY_LEVELS = 32
_CONTRAST_SIGMA = 4.0
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
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    contaminated: NDArray[np.bool_]
    source_shape: tuple[int, int]


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
    from scipy.ndimage import gaussian_filter, zoom

    factor = min(1.0, MAX_SIDE_PX / max(image.shape))
    shrink = partial(zoom, zoom=factor, order=1, grid_mode=True, mode="nearest")
    smooth = shrink(gaussian_filter(image, max(1.0, 0.5 / factor)))
    small_mask, small_dirt = (
        np.zeros(smooth.shape, np.bool_) if area is None else shrink(area.astype(np.float32)) >= 0.5
        for area in (mask, contaminated)
    )
    middle = np.median(smooth)
    spread = max(1.4826 * float(np.median(np.abs(smooth - middle))), 1e-6)
    grey = np.clip((smooth - middle) / (2 * _CONTRAST_SIGMA * spread) + 0.5, 0, 1)
    # Few grey levels: nobody sees them in noise, and the PDF becomes half as large.
    levels = np.round(grey * (GREY_LEVELS - 1)).astype(np.uint8)
    return Preview(levels, small_mask, small_dirt, source_shape)


def save_preview(path: Path, preview: Preview) -> None:
    """Write a preview as compressed NumPy arrays."""
    with replacing(path) as temporary:
        np.savez_compressed(
            temporary,
            image=preview.image,
            mask=np.packbits(preview.mask),
            contaminated=np.packbits(preview.contaminated),
            source_shape=np.array(preview.source_shape),
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
    return Preview(image, mask, contaminated, (ny, nx))


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
