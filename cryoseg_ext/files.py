"""Atomic writing of files: a reader sees the whole new file or the old one, never a part of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
    finally:
        temporary.unlink(missing_ok=True)


def replace_text(path: Path, text: str) -> None:
    """Write `text` to `path` in one step."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


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
