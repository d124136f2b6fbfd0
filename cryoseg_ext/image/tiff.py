"""Reading of TIFF files, whose directory is compared with the file before pixels are read."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.image.stored import ImageHeader, StoredImage, check_size, judged_pixel_size, stack_message

EER_SUFFIX = ".eer"
EER_COMPRESSIONS = (65000, 65001, 65002)
UNCOMPRESSED = 1
ANGSTROM_PER_UNIT = {2: 2.54e8, 3: 1e8}
"""Length in Å of the TIFF resolution units 2 (inch) and 3 (centimetre)."""


def read_tiff(path: Path) -> StoredImage:
    """Return the only page of a TIFF file, its last row first, as RELION 3.1 reads it.

    Raises
    ------
    CryosegError
        If it is a stack, a colour picture, larger than the limit, shorter than it claims, or EER.
    """
    with _first_page(path) as page:
        _check_segments(path, page)
        size_A, doubts = _pixel_size(page)
        try:
            # One thread, as the files of a job are read while the network computes.
            data = page.asarray(maxworkers=1)
        except RuntimeError as error:
            # So the errors of all decoders.
            raise ValueError(f"its {page.compression.name} data cannot be unpacked") from error
        return StoredImage(data[::-1], size_A, (), doubts)


def read_tiff_header(path: Path) -> ImageHeader:
    """Return what the directory of a TIFF file says; see `read_tiff` for what is refused."""
    with _first_page(path) as page:
        return ImageHeader((int(page.imagelength), int(page.imagewidth)), *_pixel_size(page))


@contextmanager
def _first_page(path: Path) -> Iterator[Any]:
    """Yield the only page of a TIFF file, of a size that is read."""
    import tifffile

    # What it logs is about damage, of which one sentence is made here.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    try:
        with tifffile.TiffFile(path) as tiff:
            page: Any = tiff.pages.first
            if path.suffix.lower() == EER_SUFFIX or page.compression in EER_COMPRESSIONS:
                raise CryosegError(
                    f"{path} holds the frames of a movie (EER): run motion correction and give the averaged "
                    "micrograph in MRC or TIFF format"
                )
            # ImageJ's large stacks have one page.
            sections = max(len(tiff.pages), int((tiff.imagej_metadata or {}).get("images", 1)))
            if sections > 1:
                raise CryosegError(stack_message(path, sections))
            if page.samplesperpixel > 1:
                raise CryosegError(f"{path} is a colour picture: give the micrograph with its grey values")
            shape = _largest_sides(path, page)
            if page.compression == UNCOMPRESSED and _least_bytes(page) > path.stat().st_size:
                raise CryosegError(_truncated_message(path))
            check_size(path, shape, page.dtype.itemsize if page.dtype else 4)
            yield page
    except (CryosegError, OSError, MemoryError):
        raise
    except Exception as error:
        # On damaged files tifffile raises whatever happens, from TypeError to struct.error.
        is_worded = isinstance(error, tifffile.TiffFileError | ValueError)
        reason = " ".join(str(error).split())[:200] if is_worded else "its directory is damaged"
        raise CryosegError(
            f"{path} cannot be read as TIFF ({reason}): export it again as uncompressed TIFF or MRC"
        ) from error


def _largest_sides(path: Path, page: Any) -> tuple[int, int]:
    """Return the height and width of the image, or of one of its tiles if that is larger."""
    ny, nx = int(page.imagelength), int(page.imagewidth)
    if min(ny, nx) < 1:
        raise CryosegError(f"{path} holds no image (size {nx} x {ny}): copy or export it again")
    sizes = [(ny * math.prod(page.shape[:-2]), nx)]
    if page.is_tiled:
        sizes.append((int(page.tilelength) * int(page.tiledepth), int(page.tilewidth)))
    return max(sizes, key=math.prod)


def _check_segments(path: Path, page: Any) -> None:
    """Refuse a page with strips or tiles that are absent or lie behind the end of the file.

    They would be read as zeros, as of a file that is still being written.
    """
    offsets, counts, expected = page.dataoffsets, page.databytecounts, math.prod(page.chunked)
    n_missing = expected - sum(at > 0 and count > 0 for at, count in zip(offsets, counts, strict=False))
    if n_missing > 0:
        raise CryosegError(
            f"{path} is incomplete, {n_missing} of its {expected} pieces are missing: copy or export it again"
        )
    ends = [at + count for at, count in zip(offsets, counts, strict=False)]
    if page.compression == UNCOMPRESSED:
        # Some programs declare the last strip longer than the image.
        ends[-1] = min(ends[-1], offsets[-1] + max(page.nbytes - sum(counts[:-1]), 0))
    if max(ends) > path.stat().st_size:
        raise CryosegError(_truncated_message(path))


def _least_bytes(page: Any) -> float:
    """Return the bytes that an uncompressed page has at least, of which some have 1 or 12 bits a pixel."""
    return page.imagelength * page.imagewidth * page.bitspersample / 8


def _truncated_message(path: Path) -> str:
    return f"{path} is a truncated TIFF file: copy or export it again"


def _pixel_size(page: Any) -> tuple[float | None, tuple[str, ...]]:
    """Return Å/px from the resolution tags, which count pixels per inch or centimetre."""
    unit_A = ANGSTROM_PER_UNIT.get(page.resolutionunit)
    x_per_unit, y_per_unit = page.resolution
    if unit_A is None or not x_per_unit or not y_per_unit:
        return None, ()
    return judged_pixel_size(unit_A / x_per_unit, unit_A / y_per_unit)
