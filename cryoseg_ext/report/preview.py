"""What an overlay needs of a micrograph, in a few hundred kilobytes, so that it can be drawn again."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.files import replacing

MAX_SIDE_PX = 600
N_PREVIEWS = 24
GREY_LEVELS = 32
_CONTRAST_SIGMA = 4.0


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
    smooth = zoom(
        gaussian_filter(image, max(1.0, 0.5 / factor)), factor, order=1, grid_mode=True, mode="nearest"
    )
    small_mask, small_dirt = (
        np.zeros(smooth.shape, np.bool_)
        if one is None
        else zoom(one.astype(np.float32), factor, order=1, grid_mode=True, mode="nearest") >= 0.5
        for one in (mask, contaminated)
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
    """Read a preview; None when there is none or it cannot be read."""
    try:
        with np.load(path) as arrays:
            image, (ny, nx) = arrays["image"], arrays["source_shape"].tolist()
            mask, contaminated = (
                np.unpackbits(arrays[name], count=image.size).reshape(image.shape).astype(bool)
                for name in ("mask", "contaminated")
            )
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return None
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
