"""Picks in EMAN1's ``.box`` files, one for each micrograph.

A line is ``x y width height``, whole pixels separated by tabs: x and y are those of the corner of the box
that is nearest to the first stored column and row, and the centre is ``x + width // 2``, ``y + height // 2``.
They count from 0 in pixels of the micrograph, and y grows with the stored row of an MRC file: nothing is
flipped. RELION's Extract, Topaz, crYOLO and its box manager all read it so
(``tests/cryoseg_ext/formats/data``). In TIFF files RELION, crYOLO and EMAN (so says ``boxes_to_coordinates``
of Topaz) count from the bottom row of the picture, Topaz from the top row: there the picks need ``--flip_y``.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import replace_text
from cryoseg_ext.formats.picks.format import FileOptions, LocatedByName, PickFormat, box_size_px
from cryoseg_ext.formats.table import Column, LocatedPicks, make_picks
from cryoseg_ext.picks import Picks

# What EMAN writes behind the boxes at both ends of a helix.
_HELIX_ENDS = (-1, -2)


def write_box(path: Path, picks: Picks, options: FileOptions) -> None:
    """Write the boxes of a micrograph, centred on the nearest pixel.

    Parameters
    ----------
    path : Path
        The file to write.
    picks : Picks
        The picks, in pixels of the micrograph.
    options : FileOptions
        With the size of a box, or with the pixel size where picks have a diameter.

    Raises
    ------
    CryosegError
        If no size is known.
    """
    size_px = box_size_px(path, picks, options)
    corners = np.rint(np.stack([picks.x_px, picks.y_px], axis=1)).astype(int) - size_px // 2
    replace_text(path, "".join(f"{x}\t{y}\t{size_px}\t{size_px}\n" for x, y in corners.tolist()))


def read_box(path: Path) -> LocatedByName:
    """Read the boxes of the micrograph that is called as the file.

    Raises
    ------
    CryosegError
        If the file cannot be read or holds something else than boxes.
    """
    try:
        with warnings.catch_warnings():
            # A file without boxes is as it should be on an empty micrograph.
            warnings.simplefilter("ignore", UserWarning)
            table = np.loadtxt(path, ndmin=2)
    except OSError as error:
        raise CryosegError(f"{path} cannot be read ({error.strerror}): correct its permissions") from None
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise CryosegError(f"{path} is no EMAN1 box file ({reason}): write it again as x y w h") from None
    if table.size == 0:
        table = np.zeros((0, 4))
    if table.shape[1] < 4 or (table.shape[1] > 4 and np.isin(table[:, 4], _HELIX_ENDS).any()):
        raise CryosegError(
            f"{path} holds filaments, not boxes x y w h: give the STAR or .cbox file with their segments"
        )
    x_px, y_px = (_centre(table[:, axis], table[:, axis + 2]) for axis in (0, 1))
    return {path.stem: LocatedPicks(make_picks(x_px, y_px, None), scored=False)}


def _centre(corner: Column, size: Column) -> Column:
    # Programs that write whole pixels halve the size so; crYOLO writes corners with fractions.
    return corner + np.where(corner == np.rint(corner), size // 2, size / 2)


BOX = PickFormat(
    name="box",
    title="EMAN1 .box",
    suffixes=(".box",),
    columns=frozenset(),
    read=read_box,
    write_file=write_box,
)
