"""Writing files so that a reader sees the whole new file or the old one, whatever interrupts the writer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, which takes its place when the body ends without an error.

    The temporary name keeps the extension, from which some writers take the format. Missing folders are
    made.
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
    """Write an MRC file in one step, the same bytes whenever it is written.

    Parameters
    ----------
    path : Path
        The file.
    data : NDArray
        ``(y, x)`` or ``(z, y, x)``, of a type that MRC knows.
    pixel_size_A : float or tuple of float
        Å/px, also one for each of x, y and z.
    """
    import mrcfile

    with replacing(path) as temporary, mrcfile.new(temporary, data, overwrite=True) as mrc:
        mrc.voxel_size = pixel_size_A
        # mrcfile puts the date here.
        mrc.header.label[0] = "written by cryoseg"
