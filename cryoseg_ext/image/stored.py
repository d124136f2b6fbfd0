"""What a micrograph file holds, before it is made a float image; and what is too large to be one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from cryoseg_ext.errors import CryosegError

MAX_MEGAPIXELS = 100.0
"""Larger images are refused, as a damaged or hostile file could fill the memory; the K3 has 94 at most."""
MAX_MEGAPIXELS_VARIABLE = "CRYOSEG_MAX_MEGAPIXELS"
"""Environment variable by which a user raises that limit."""
MEANINGFUL_PIXEL_SIZES_A = (0.01, 1000.0)
"""Å/px; other values are the 0 or print resolution of programs that did not know the pixel size."""
USUAL_PIXEL_SIZES_A = (0.2, 30.0)
"""Å/px outside which another unit than Å was probably meant."""
_SAME_SIZE = 0.01
"""Largest relative difference of two pixel sizes that count as the same."""


@dataclass(frozen=True)
class StoredImage:
    """The content of a micrograph file.

    Parameters
    ----------
    data : NDArray
        Values as stored, of any type and number of axes, the last two ``(y, x)``.
    pixel_size_A : float | None
        Å/px from the header; None if absent or not meaningful.
    notes : tuple of str
        Doubts about the grey values.
    pixel_size_notes : tuple of str
        Doubts about the pixel size.
    """

    data: NDArray[Any]
    pixel_size_A: float | None
    notes: tuple[str, ...] = ()
    pixel_size_notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImageHeader:
    """What the header of a micrograph file says.

    Parameters
    ----------
    shape : tuple of int
        ``(ny, nx)``.
    pixel_size_A : float | None
        Å/px; None if absent or not meaningful.
    pixel_size_notes : tuple of str
        Doubts about the pixel size.
    """

    shape: tuple[int, int]
    pixel_size_A: float | None
    pixel_size_notes: tuple[str, ...] = ()


def check_size(path: Path, shape: tuple[int, int], bytes_per_px: int) -> None:
    """Refuse an image that is larger than the limit.

    Parameters
    ----------
    path : Path
        The file, named in the error.
    shape : tuple of int
        ``(ny, nx)`` that its header claims.
    bytes_per_px : int
        Bytes of a stored value; a value of 8 counts as two pixels of 4.

    Raises
    ------
    CryosegError
        If it is larger, or the environment variable that sets the limit is no number.
    """
    text = os.environ.get(MAX_MEGAPIXELS_VARIABLE, str(MAX_MEGAPIXELS))
    try:
        limit = float(text)
    except ValueError:
        raise CryosegError(
            f"{MAX_MEGAPIXELS_VARIABLE}={text} is not a number: give the megapixels of the largest micrograph"
        ) from None
    ny, nx = shape
    megapixels = ny * nx * max(bytes_per_px / 4, 1) / 1e6
    if not megapixels <= limit:
        raise CryosegError(
            f"{path} claims {nx} x {ny} px of {8 * bytes_per_px} bits, over the limit of {limit:g} "
            "megapixels: copy or export it again, or, if it is so large, set the environment variable "
            f"{MAX_MEGAPIXELS_VARIABLE} to {int(megapixels) + 1}"
        )


def stack_message(path: Path, sections: int) -> str:
    """Return the sentence on a file with several sections."""
    return f"{path} is a stack of {sections} sections: run motion correction and give the averaged micrograph"


def judged_pixel_size(x_A: float, y_A: float) -> tuple[float | None, tuple[str, ...]]:
    """Return the pixel size of a header and the doubts about it.

    Parameters
    ----------
    x_A, y_A : float
        Å/px along x and y in the header.

    Returns
    -------
    tuple of (float or None, tuple of str)
        The mean, None if it is not meaningful; and one sentence for each doubt.
    """
    low, high = MEANINGFUL_PIXEL_SIZES_A
    if not (low <= x_A <= high and low <= y_A <= high):
        return None, ()
    size_A = 0.5 * (x_A + y_A)
    notes = []
    if abs(x_A - y_A) > _SAME_SIZE * size_A:
        notes.append(
            f"the header has {x_A:g} Å/px along x and {y_A:g} along y, of which the mean is used: give "
            "--pixel_size"
        )
    if x_A == y_A == 1:
        notes.append(
            "the header has exactly 1 Å/px, as programs write that do not know it: give --pixel_size if it "
            "is not"
        )
    low, high = USUAL_PIXEL_SIZES_A
    if size_A < low:
        notes.append(
            f"the header has {size_A:g} Å/px: give --pixel_size {10 * size_A:g} if nanometres are meant"
        )
    if size_A > high:
        notes.append(
            f"the header has {size_A:g} Å/px, unusually many: give --pixel_size if that is not right"
        )
    return size_A, tuple(notes)
