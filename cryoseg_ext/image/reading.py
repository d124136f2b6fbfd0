"""Reading of micrographs: MRC, plain or compressed, and TIFF."""

from __future__ import annotations

import bz2
import gzip
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.errors import CryosegError

TIFF_SUFFIXES = (".tif", ".tiff")
MRC_HEADER_BYTES = 1024
MRC_MODES = (0, 1, 2, 3, 4, 6, 12)
"""Modes that mrcfile reads; complex values (3 and 4) are refused afterwards."""
MRC_FOUR_BIT_MODE = 101
MEANINGFUL_PIXEL_SIZES_A = (0.01, 1000.0)
"""Å/px; other values are the 0 or print resolution of programs that did not know the pixel size."""
ANGSTROM_PER_TIFF_UNIT = {2: 2.54e8, 3: 1e8}
"""Length in Å of the TIFF resolution units 2 (inch) and 3 (centimetre)."""


@dataclass(frozen=True)
class Micrograph:
    """A micrograph as stored on disk.

    Parameters
    ----------
    image : NDArray[np.float32]
        ``(y, x)`` grey values; row 0 is the first row of an MRC file and the last row of a TIFF file.
    pixel_size_A : float | None
        Pixel size in Å/px from the header, the mean of x and y; None if absent or not meaningful.
    """

    image: NDArray[np.float32]
    pixel_size_A: float | None


def read_micrograph(path: Path) -> Micrograph:
    """Read a micrograph from an MRC or TIFF file.

    Parameters
    ----------
    path : Path
        Path of an MRC file (modes 0, 1, 2, 6 and 12, with any extended header, also compressed by gzip or
        bzip2) or of a TIFF file (``.tif``, ``.tiff``). A stack of a single section counts as a micrograph.
        The rows of a TIFF file are read from the last to the first, as RELION 3.1 does, so that the picks fit
        there.

    Returns
    -------
    Micrograph
        The grey values as float32, without any scaling.

    Raises
    ------
    CryosegError
        If the file is missing, empty, truncated, of another format, complex, or a stack.
    """
    try:
        if path.stat().st_size == 0:
            raise CryosegError(f"{path} is empty: copy or export it again")
        is_tiff = path.suffix.lower() in TIFF_SUFFIXES
        data, pixel_size_A = _read_tiff(path) if is_tiff else _read_mrc(path)
    except FileNotFoundError as error:
        raise CryosegError(f"{path} does not exist: check the path and the current folder") from error
    except (EOFError, zlib.error) as error:
        raise CryosegError(f"{path} is truncated or damaged: copy or export it again") from error
    except OSError as error:
        raise CryosegError(f"{path} cannot be read ({error.strerror or error}): check the file") from error
    return Micrograph(_single_section(path, data), pixel_size_A)


def read_shape(path: Path) -> tuple[int, int]:
    """Return ``(ny, nx)`` of an MRC or TIFF file from its header.

    Raises
    ------
    CryosegError
        If it cannot be read.
    """
    import mrcfile
    import tifffile

    try:
        if path.suffix.lower() in TIFF_SUFFIXES:
            with tifffile.TiffFile(path) as tiff:
                ny, nx = tiff.pages.first.shape[:2]
        else:
            with mrcfile.open(path, header_only=True, permissive=True) as mrc:
                ny, nx = mrc.header.ny, mrc.header.nx
    except (OSError, ValueError) as error:
        raise CryosegError(f"{path} cannot be read ({error}): its size in pixels is needed") from None
    return int(ny), int(nx)


def _read_mrc(path: Path) -> tuple[NDArray[Any], float | None]:
    import mrcfile

    _check_mrc_header(path, _mrc_header(path))
    with warnings.catch_warnings():
        # Slightly wrong headers are common and harmless; what cannot be read comes back as None.
        warnings.filterwarnings("ignore", module="mrcfile")
        try:
            mrc = mrcfile.open(path, permissive=True)
        except ValueError as error:
            raise CryosegError(f"{path} has a damaged MRC header: copy or export it again") from error
    with mrc:
        if mrc.data is None:
            raise CryosegError(f"{path} is truncated: copy or export it again")
        data = mrc.data
        if data.dtype == np.int8 and _holds_unsigned_bytes(mrc.header):
            data = data.view(np.uint8)
        with np.errstate(divide="ignore", invalid="ignore"):
            return data, _meaningful(float(mrc.voxel_size.x), float(mrc.voxel_size.y))


def _mrc_header(path: Path) -> bytes:
    """Return the first 1024 bytes, unpacked if the file is compressed."""
    with path.open("rb") as file:
        header = file.read(MRC_HEADER_BYTES)
    for magic, opener in ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open)):
        if header.startswith(magic):
            with opener(path) as file:
                return file.read(MRC_HEADER_BYTES)
    return header


def _check_mrc_header(path: Path, header: bytes) -> None:
    """Refuse what is not an MRC file here, because mrcfile would trust its sizes and fill the memory."""
    modes = {int.from_bytes(header[12:16], order, signed=True) for order in ("little", "big")}
    if MRC_FOUR_BIT_MODE in modes:
        raise CryosegError(
            f"{path} holds packed 4-bit values (MRC mode 101): convert it to mode 2 or 12 first"
        )
    if modes.isdisjoint(MRC_MODES):
        raise CryosegError(f"{path} is not an MRC file: give a micrograph in MRC or TIFF format")
    if len(header) < MRC_HEADER_BYTES:
        raise CryosegError(f"{path} ends within the MRC header: copy or export it again")


def _holds_unsigned_bytes(header: Any) -> bool:
    """Return whether IMOD wrote mode 0 as unsigned bytes: imodStamp, imodFlags in its mrc_format.txt."""
    extra = bytes(header.extra2)
    stamp, flags = extra[40:44], extra[44:48]
    if stamp == b"IMOD":
        return not flags[0] & 1
    return stamp == b"DOMI" and not flags[3] & 1


def _read_tiff(path: Path) -> tuple[NDArray[Any], float | None]:
    import tifffile

    try:
        with tifffile.TiffFile(path) as tiff:
            if len(tiff.pages) > 1:
                raise CryosegError(_stack_message(path, len(tiff.pages)))
            page = tiff.pages.first
            if page.samplesperpixel > 1:
                raise CryosegError(f"{path} is a colour picture: give the micrograph with its grey values")
            return page.asarray()[::-1], _tiff_pixel_size(page)
    except (tifffile.TiffFileError, ValueError, LookupError) as error:
        reason = error.args[0] if error.args else type(error).__name__
        raise CryosegError(
            f"{path} cannot be read as TIFF ({reason}): export it again as uncompressed TIFF or MRC"
        ) from error


def _tiff_pixel_size(page: Any) -> float | None:
    """Return Å/px from the resolution tags, which count pixels per inch or centimetre."""
    unit_A = ANGSTROM_PER_TIFF_UNIT.get(page.resolutionunit)
    x_per_unit, y_per_unit = page.resolution
    if unit_A is None or not x_per_unit or not y_per_unit:
        return None
    return _meaningful(unit_A / x_per_unit, unit_A / y_per_unit)


def _meaningful(x_A: float, y_A: float) -> float | None:
    low, high = MEANINGFUL_PIXEL_SIZES_A
    return 0.5 * (x_A + y_A) if low <= x_A <= high and low <= y_A <= high else None


def _single_section(path: Path, data: NDArray[Any]) -> NDArray[np.float32]:
    """Return the only section of `data` as float32, without a copy where that is possible."""
    if np.iscomplexobj(data):
        raise CryosegError(
            f"{path} holds complex values, a Fourier transform: give the real-space micrograph"
        )
    sections = data.reshape(-1, *data.shape[-2:]) if data.ndim >= 2 else data
    if sections.ndim != 3 or 0 in sections.shape:
        size = " x ".join(str(n) for n in data.shape)
        raise CryosegError(f"{path} holds no image (size {size}): copy or export it again")
    if len(sections) > 1:
        raise CryosegError(_stack_message(path, len(sections)))
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(sections[0], np.float32)


def _stack_message(path: Path, sections: int) -> str:
    return f"{path} is a stack of {sections} sections: run motion correction and give the averaged micrograph"
