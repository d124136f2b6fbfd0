"""Reading of micrographs: MRC, plain or compressed, and TIFF."""

from __future__ import annotations

import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.image.stored import ImageHeader

TIFF_SUFFIXES = (".tif", ".tiff", ".eer")
"""Suffixes that are read as TIFF; EER is refused there."""


@dataclass(frozen=True)
class Micrograph:
    """A micrograph as stored on disk.

    Parameters
    ----------
    image : NDArray[np.float32]
        ``(y, x)`` grey values; row 0 is the first row of an MRC file and the last row of a TIFF file.
    pixel_size_A : float | None
        Pixel size in Å/px from the header, the mean of x and y; None if absent or not meaningful.
    notes : tuple of str
        What is doubtful about the image and how it was read, one sentence each, without the file's name.
    pixel_size_notes : tuple of str
        The same about the pixel size; of interest where the header's is used.
    """

    image: NDArray[np.float32]
    pixel_size_A: float | None
    notes: tuple[str, ...] = ()
    pixel_size_notes: tuple[str, ...] = ()


def read_micrograph(path: Path) -> Micrograph:
    """Read a micrograph from an MRC or TIFF file.

    Parameters
    ----------
    path : Path
        Path of an MRC file (modes 0, 1, 2, 6 and 12, with any extended header, also compressed by gzip or
        bzip2) or of a TIFF file (``.tif``, ``.tiff``) of any compression. A stack of a single section counts
        as a micrograph. The rows of a TIFF file are read from the last to the first, as RELION 3.1 does, so
        that the picks fit there. Images of more than 100 megapixels are refused, unless the environment
        variable CRYOSEG_MAX_MEGAPIXELS says more.

    Returns
    -------
    Micrograph
        The grey values as float32, without any scaling.

    Raises
    ------
    CryosegError
        If the file is missing, empty, truncated, of another format, complex, a stack or too large: whatever
        happens while it is read, one sentence names the file and the remedy.
    """
    from cryoseg_ext.image.mrc import read_mrc
    from cryoseg_ext.image.tiff import read_tiff

    with failures_named(path):
        stored = (read_tiff if _is_tiff(path) else read_mrc)(path)
        image = _as_image(path, stored.data)
    return Micrograph(image, stored.pixel_size_A, stored.notes, stored.pixel_size_notes)


def read_header(path: Path) -> ImageHeader:
    """Return what the header of an MRC or TIFF file says.

    Raises
    ------
    CryosegError
        If it cannot be read, as in `read_micrograph`.
    """
    from cryoseg_ext.image.mrc import read_mrc_header
    from cryoseg_ext.image.tiff import read_tiff_header

    with failures_named(path):
        return (read_tiff_header if _is_tiff(path) else read_mrc_header)(path)


def read_shape(path: Path) -> tuple[int, int]:
    """Return ``(ny, nx)`` of an MRC or TIFF file from its header; see `read_header`."""
    return read_header(path).shape


def _is_tiff(path: Path) -> bool:
    return path.suffix.lower() in TIFF_SUFFIXES


@contextmanager
def failures_named(path: Path) -> Iterator[None]:
    """Turn every exception into one sentence that names the file, as one bad file may not stop a job."""
    try:
        status = path.stat()
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            raise CryosegError(f"{path} is a device or pipe: give a micrograph file")
        if status.st_size == 0:
            raise CryosegError(f"{path} is empty: copy or export it again")
        yield
    except CryosegError:
        raise
    except FileNotFoundError as error:
        raise CryosegError(f"{path} does not exist: check the path and the current folder") from error
    except (EOFError, zlib.error) as error:
        raise CryosegError(f"{path} is truncated or damaged: copy or export it again") from error
    except OSError as error:
        raise CryosegError(f"{path} cannot be read ({error.strerror or error}): check the file") from error
    except MemoryError as error:
        raise CryosegError(
            f"{path} needs more memory than there is: give this job more, or leave the file out"
        ) from error
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise CryosegError(f"{path} cannot be read ({reason}): copy or export it again") from error


def _as_image(path: Path, data: NDArray[Any]) -> NDArray[np.float32]:
    """Return the only section of `data` as float32, without a copy where that is possible."""
    if data.dtype.kind not in "biuf":
        raise CryosegError(f"{path} holds no real values: give the real-space micrograph")
    if data.ndim < 2 or data.size == 0 or data.size != data.shape[-1] * data.shape[-2]:
        size = " x ".join(str(n) for n in data.shape)
        raise CryosegError(f"{path} holds no image (size {size}): copy or export it again")
    with np.errstate(over="ignore"):
        return np.require(data.reshape(data.shape[-2:]), np.float32, ["C", "A"])
