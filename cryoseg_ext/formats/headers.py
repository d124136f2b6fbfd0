"""What the headers of micrographs say, for lists that do not say it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.groups import EXPOSURE_SLOT, Exposure
from cryoseg_ext.image import reading

Shape = tuple[int, int]


@dataclass(frozen=True)
class Header:
    """What the header of a file says, as far as it can be read.

    Parameters
    ----------
    shape : tuple of int, optional
        ``(ny, nx)``.
    pixel_size_A : float, optional
        Å/px; None too where it is 1, which many programs write when they do not know it.
    """

    shape: Shape | None = None
    pixel_size_A: float | None = None


def read_header(path: Path) -> Header:
    """Return what the header of a micrograph says; nothing where there is none that can be read."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return Header()
    return _read_header(path, status.st_size, status.st_mtime_ns)


def with_file_shape(source: object, exposure: Exposure, file: Path) -> Exposure:
    """Return an exposure of the size that its file has, where CryoSPARC says none.

    Parameters
    ----------
    source : object
        Where the exposure comes from, for messages.
    exposure : Exposure
        The exposure.
    file : Path
        Its file.

    Raises
    ------
    CryosegError
        If it is of another size than its file, or neither says a size.
    """
    shape = read_header(file).shape
    if min(exposure.shape) > 0 and shape in (None, exposure.shape):
        return exposure
    if shape is None:
        raise CryosegError(
            f"{file}: {source} has 0 as its {EXPOSURE_SLOT}/shape, and its file cannot be read"
        )
    if min(exposure.shape) > 0:
        raise CryosegError(
            f"{file} has {shape[0]} rows and {shape[1]} columns, and {source} gives {exposure.shape[0]} and "
            f"{exposure.shape[1]} in {EXPOSURE_SLOT}/shape: import it again"
        )
    return replace(exposure, shape=shape)


@lru_cache(maxsize=4096)
def _read_header(path: Path, size: int, time_ns: int) -> Header:  # noqa: ARG001 - a changed file is read again
    try:
        header = reading.read_header(path)
    except (CryosegError, OSError, ValueError, TypeError, LookupError, ArithmeticError, MemoryError):
        return Header()
    return Header(header.shape, None if header.pixel_size_A == 1 else header.pixel_size_A)
