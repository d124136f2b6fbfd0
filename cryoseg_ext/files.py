"""Atomic writing of files, and folders that only one job writes to at a time.

A reader sees the whole new file or the old one, never a part of it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryoseg_ext.errors import CryosegError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOCK_NAME = ".cryoseg-lock"
_FULL_BYTES = 65536
"""Free bytes of a disk that is full."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path that replaces `path` when the body ends without an error.

    It lies in the same folder, which is made if it is missing, and has the same extension, from which some
    writers take the format.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".tmp-{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    except (RuntimeError, ValueError) as error:
        # Some writers, torch's too, report a full disk as an error of their own.
        if shutil.disk_usage(path.parent).free >= _FULL_BYTES:
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
    except OSError as error:
        # A full disk is reported without a name, and the temporary file means nothing to a user.
        if error.errno is not None and error.filename in (None, str(temporary)):
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def replace_text(path: Path, text: str) -> None:
    """Write `text` to `path` in one step; a file that holds it already stays as it is."""
    content = text.encode()
    with suppress(OSError):
        # Replacing a file makes some systems write the new one to the disk at once.
        if path.stat().st_size == len(content) and path.read_bytes() == content:
            return
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def check_writable(path: Path) -> None:
    """Raise now the OSError that `replacing` would raise after the work is done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".tmp-{path.name}")
    try:
        temporary.touch()
        temporary.unlink()
    except OSError as error:
        error.filename = str(path)
        raise


def file_stamp(path: Path) -> str | None:
    """Return size and modification time of a file as text; None where it is not there."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return f"{status.st_size}:{status.st_mtime_ns}"


def remove(path: Path) -> None:
    """Remove a file, if there is one."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        # A name that is too long is that of no file.
        if error.errno != errno.ENAMETOOLONG:
            raise


@contextmanager
def locked(folder: Path, remedy: str = "wait for it, or give another folder") -> Iterator[None]:
    """Keep other jobs out of a folder, made if it is missing and removed if it stays empty, during the body.

    The system drops the lock of a process that dies, however it dies. Where the file system has no locks,
    nothing is kept out.

    Parameters
    ----------
    folder : Path
        The folder.
    remedy : str
        What the user of a second job should do.

    Raises
    ------
    CryosegError
        If another job holds it.
    """
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK_NAME
    descriptor = _lock(path, f"{folder}: another job of cryoseg is writing to this folder: {remedy}")
    try:
        yield
    finally:
        # Removed before the lock goes, so that it is always one's own.
        with suppress(OSError):
            path.unlink(missing_ok=True)
            if is_new:
                with suppress(OSError):
                    folder.rmdir()
            # Closing alone would not do while a process that was forked has it open.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _lock(path: Path, refusal: str) -> int:
    """Return the descriptor of a lock file that is locked and still in its place."""
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            error.filename = str(path.parent)
            raise
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                os.close(descriptor)
                raise CryosegError(refusal) from None
            return descriptor
        # The job before may have removed it between the two calls.
        with suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        os.close(descriptor)


def described(error: OSError) -> str:
    """Return what went wrong with a file in words, with the name of the file where it is known."""
    name = error.filename2 or error.filename
    return f"{name}: {error.strerror or error}" if name else str(error.strerror or error)


def write_mrc(path: Path, data: NDArray[Any], pixel_size_A: float | tuple[float, float, float]) -> None:
    """Write an MRC file in one step; equal data give equal bytes.

    Parameters
    ----------
    path : Path
        Path of the file to write.
    data : NDArray
        ``(y, x)`` or ``(z, y, x)`` values of a type that MRC supports.
    pixel_size_A : float or tuple of float
        Pixel size in Å/px, for all axes or as (x, y, z).
    """
    import mrcfile

    with replacing(path) as temporary, mrcfile.new(temporary, data, overwrite=True) as mrc:
        mrc.voxel_size = pixel_size_A
        # mrcfile writes the date into this label.
        mrc.header.label[0] = "written by cryoseg"
