"""Reading of MRC files, plain or compressed, no further than their header says."""

from __future__ import annotations

import bz2
import gzip
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from mrcfile.dtypes import HEADER_DTYPE
from numpy.typing import NDArray

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.image.stored import ImageHeader, StoredImage, check_size, judged_pixel_size, stack_message

HEADER_BYTES = 1024
MODES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
"""Types of the modes that are read."""
COMPLEX_MODES = (3, 4)
FOUR_BIT_MODE = 101
MAX_EXTENDED_HEADER_BYTES = 1 << 26
MAX_TRAILING_BYTES = 1 << 20
"""What may follow the image in a compressed file whose checksum is to be compared."""
_PIECE_BYTES = 1 << 24
_LARGEST_SIDE_PX = 1 << 20
"""A larger side is that of a header in the other byte order."""
_COMPRESSED = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open))
_IMOD_SIGNED, _IMOD_FOUR_BIT = 1, 16
"""Bits of imodFlags in IMOD's mrc_format.txt."""
_STATISTICS_TOLERANCE = 1.0
_CLEARLY_NARROWER = 0.5
"""Ratio of standard deviations below which bytes are unsigned, whatever the header says."""


def read_mrc(path: Path) -> StoredImage:
    """Return the only section of an MRC file.

    Raises
    ------
    CryosegError
        If it is no MRC file, damaged, shorter than its header says, complex, a stack or too large.
    """
    with _opened(path) as (file, length):
        header = _read_header(path, file)
        ny, nx = _checked_shape(path, header, length)
        n_bytes = ny * nx * _dtype(header).itemsize
        extended = _extended_bytes(path, header)
        content = _read(file, _at_most(extended + n_bytes, length))
        if length is None:
            # The checksum is at the end.
            file.read(MAX_TRAILING_BYTES)
    notes = []
    if len(content) == n_bytes < extended + n_bytes:
        notes.append(f"the header declares an extended header of {extended} bytes, which is absent")
        extended = 0
    if len(content) < extended + n_bytes:
        raise CryosegError(f"{path} is truncated, its header claims {nx} x {ny} px: copy or export it again")
    data = np.frombuffer(content, _dtype(header), ny * nx, extended).reshape(ny, nx)
    if _is_unsigned(header, data):
        data = data.view(data.dtype.str.replace("i", "u"))
        if data.dtype.itemsize > 1 or not _imod_flags(header):
            notes.append("its values are read as unsigned, as those below 0 do not fit the others")
    size_A, doubts = _pixel_size(header)
    return StoredImage(data, size_A, tuple(notes), doubts)


def read_mrc_header(path: Path) -> ImageHeader:
    """Return what the header of an MRC file says; see `read_mrc` for what is refused."""
    with _opened(path) as (file, length):
        header = _read_header(path, file)
        _extended_bytes(path, header)
        return ImageHeader(_checked_shape(path, header, length), *_pixel_size(header))


def read_mrc_volume(path: Path) -> tuple[NDArray[Any], tuple[float, float, float]]:
    """Return the values ``(z, y, x)`` of an MRC file, and its Å per voxel along x, y and z.

    Raises
    ------
    CryosegError
        If it is no MRC file, damaged, shorter than its header says, or complex.
    """
    with _opened(path) as (file, length):
        header = _read_header(path, file)
        shape, extended = _stored_shape(path, header, length), _extended_bytes(path, header)
        n_bytes = math.prod(shape) * _dtype(header).itemsize
        content = _read(file, _at_most(extended + n_bytes, length))
    if len(content) < extended + n_bytes:
        raise CryosegError(f"{path} is truncated: copy or export it again")
    with np.errstate(all="ignore"):
        x_A, y_A, z_A = (float(header["cella"][axis] / header[f"m{axis}"]) for axis in "xyz")
    return np.frombuffer(content, _dtype(header), offset=extended).reshape(shape), (x_A, y_A, z_A)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, int | None]]:
    """Yield the file, unpacked if it is compressed, and its length in bytes where that is known."""
    with path.open("rb") as file:
        start = file.read(HEADER_BYTES)
        opener = next((opener for magic, opener in _COMPRESSED if start.startswith(magic)), None)
        # The width of an image can look like the mark of a compressed file.
        if opener is None or _has_map(start):
            file.seek(0)
            yield file, path.stat().st_size
            return
    with opener(path) as unpacked:
        yield cast(BinaryIO, unpacked), None


def _read(file: BinaryIO, n_bytes: int) -> memoryview:
    """Return up to `n_bytes`, unpacked piece by piece, so that they are in memory only once."""
    content, n_read = np.empty(n_bytes, np.uint8).data, 0
    while n := file.readinto(content[n_read : n_read + _PIECE_BYTES]):  # type: ignore[attr-defined]
        n_read += n
    return content[:n_read]


def _has_map(start: bytes) -> bool:
    return start[208:211] == b"MAP"


def _at_most(n_bytes: int, length: int | None) -> int:
    return n_bytes if length is None else max(min(n_bytes, length - HEADER_BYTES), 0)


def _read_header(path: Path, file: BinaryIO) -> Any:
    """Return the header, of a mode that is read."""
    raw = file.read(HEADER_BYTES)
    _check_other_formats(path, raw)
    orders = "><" if raw[212:214] == b"\x11\x11" else "<>"
    modes = {order: int.from_bytes(raw[12:16], _python_order(order), signed=True) for order in orders}
    for mode in modes.values():
        if mode == FOUR_BIT_MODE:
            raise CryosegError(_four_bit_message(path))
    known = [order for order in orders if modes[order] in (*MODES, *COMPLEX_MODES)]
    if not known:
        if _has_map(raw):
            raise CryosegError(
                f"{path} has the MRC mode {modes[orders[0]]}, which is not that of a micrograph: convert it "
                "with IMOD's `newstack -mode 2`"
            )
        raise CryosegError(f"{path} is not an MRC file: give one, or a micrograph in TIFF format")
    if len(raw) < HEADER_BYTES:
        raise CryosegError(f"{path} ends within the MRC header: copy or export it again")
    headers = [np.frombuffer(raw, HEADER_DTYPE.newbyteorder(order))[0] for order in known]
    header = next((found for found in headers if _is_plausible(found)), headers[0])
    if int(header["mode"]) in COMPLEX_MODES:
        raise CryosegError(
            f"{path} holds complex values, a Fourier transform: give the real-space micrograph"
        )
    if (_imod_flags(header) or 0) & _IMOD_FOUR_BIT:
        raise CryosegError(_four_bit_message(path))
    return header


def _python_order(order: str) -> Any:
    return "big" if order == ">" else "little"


def _four_bit_message(path: Path) -> str:
    return (
        f"{path} holds packed 4-bit values (MRC mode 101): convert it to mode 2 first, with IMOD's "
        f"`newstack -mode 2`"
    )


def _check_other_formats(path: Path, raw: bytes) -> None:
    """Name the formats that users take for MRC."""
    if raw.startswith(b"\x89HDF"):
        raise CryosegError(f"{path} is not an MRC file but HDF5: convert it with EMAN2's `e2proc2d.py`")
    if raw.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        raise CryosegError(f"{path} is not an MRC file but TIFF: rename it to end in .tif")
    # DigitalMicrograph's files start with their version.
    is_dm = raw.startswith((b"\0\0\0\3", b"\0\0\0\4")) and not _has_map(raw)
    if is_dm or path.suffix.lower() in (".dm3", ".dm4"):
        raise CryosegError(
            f"{path} is not an MRC file but DigitalMicrograph's (DM3, DM4): convert it with IMOD's `dm2mrc` "
            "or EMAN2's `e2proc2d.py`"
        )


def _is_plausible(header: Any) -> bool:
    return all(0 < int(header[name]) <= _LARGEST_SIDE_PX for name in ("nx", "ny", "nz"))


def _checked_shape(path: Path, header: Any, length: int | None) -> tuple[int, int]:
    """Return ``(ny, nx)`` of a file with one section."""
    nz, ny, nx = _stored_shape(path, header, length)
    if nz > 1:
        raise CryosegError(stack_message(path, nz))
    check_size(path, (ny, nx), _dtype(header).itemsize)
    return ny, nx


def _stored_shape(path: Path, header: Any, length: int | None) -> tuple[int, int, int]:
    """Return ``(nz, ny, nx)``, without reading the values of a file that cannot hold them."""
    nx, ny, nz = (int(header[name]) for name in ("nx", "ny", "nz"))
    if min(nx, ny, nz) < 0:
        raise CryosegError(f"{path} has a damaged MRC header: copy or export it again")
    if 0 in (nx, ny, nz):
        raise CryosegError(f"{path} holds no image (size {nx} x {ny} x {nz}): copy or export it again")
    if length is not None and length < HEADER_BYTES + nx * ny * nz * _dtype(header).itemsize:
        size = f"{nx} x {ny} px" if nz == 1 else f"{nx} x {ny} x {nz}"
        raise CryosegError(
            f"{path} is truncated, its header claims {size} but the file has {length} bytes: copy or "
            "export it again"
        )
    return nz, ny, nx


def _extended_bytes(path: Path, header: Any) -> int:
    n_bytes = int(header["nsymbt"])
    if not 0 <= n_bytes <= MAX_EXTENDED_HEADER_BYTES:
        raise CryosegError(
            f"{path} has a damaged MRC header (extended header of {n_bytes} bytes): copy or export it again"
        )
    return n_bytes


def _dtype(header: Any) -> np.dtype[Any]:
    order = header.dtype["mode"].byteorder
    return np.dtype(MODES[int(header["mode"])]).newbyteorder(order)


def _imod_flags(header: Any) -> int | None:
    """Return imodFlags of IMOD's mrc_format.txt; None for a file of another program."""
    extra = bytes(header["extra2"])
    order = {b"IMOD": "little", b"DOMI": "big"}.get(extra[40:44])
    return None if order is None else int.from_bytes(extra[44:48], order)  # type: ignore[arg-type]


def _is_unsigned(header: Any, data: NDArray[Any]) -> bool:
    """Return whether values of a signed mode were written as unsigned.

    IMOD says so in mode 0; for others, the statistics of the header or of the values decide.
    """
    if data.dtype.kind != "i":
        return False
    flags = _imod_flags(header)
    if data.dtype.itemsize == 1 and flags is not None:
        return not flags & _IMOD_SIGNED
    if data.min() >= 0:
        return False
    unsigned: NDArray[Any] = data.view(data.dtype.str.replace("i", "u"))
    claimed = float(header["dmin"]), float(header["dmax"])
    if np.allclose(claimed, (data.min(), data.max()), rtol=0, atol=_STATISTICS_TOLERANCE):
        return False
    of_unsigned = 0 <= claimed[0] < claimed[1] <= np.iinfo(unsigned.dtype).max < 2 * claimed[1]
    return _spread(unsigned) < (1 if of_unsigned else _CLEARLY_NARROWER) * _spread(data)


def _spread(data: NDArray[Any]) -> float:
    """Return the standard deviation, row by row, as NumPy would hold all values as float64 at once."""
    mean_square = np.mean([np.square(row, dtype=np.float64).mean() for row in data])
    return math.sqrt(max(float(mean_square - data.mean() ** 2), 0.0))


def _pixel_size(header: Any) -> tuple[float | None, tuple[str, ...]]:
    """Return Å/px, None if not meaningful, and what is doubtful about it."""
    cell_A = [header["cella"][axis] for axis in ("x", "y")]
    sampling = [header[name] for name in ("mx", "my")]
    with np.errstate(all="ignore"):
        x_A, y_A = (float(np.float32(a / n)) for a, n in zip(cell_A, sampling, strict=True))
    size_A, doubts = judged_pixel_size(x_A, y_A)
    (mx, my), (nx, ny) = map(int, sampling), (int(header["nx"]), int(header["ny"]))
    if size_A is not None and (mx, my) != (nx, ny):
        doubts += (
            f"the sampling in the header ({mx} x {my}) is not the size of the image ({nx} x {ny}): "
            f"{x_A:g} Å/px is used, where the size would mean {float(cell_A[0]) / nx:g}: give --pixel_size",
        )
    return size_A, doubts
