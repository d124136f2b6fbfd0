"""Picks in EMAN1's ``.box`` files, one for each micrograph.

A line is ``x y width height``, whole pixels separated by tabs: x and y are those of the corner of the box
that is nearest to the first stored column and row, and the centre is ``x + width // 2``, ``y + height // 2``.
They count from 0 in pixels of the micrograph, and y grows with the stored row of an MRC file: nothing is
flipped. RELION's Extract, Topaz, crYOLO and its box manager all read it so
(``tests/cryoseg_ext/formats/data``). In TIFF files RELION, crYOLO and EMAN (so says ``boxes_to_coordinates``
of Topaz) count from the bottom row of the picture, Topaz from the top row: there the picks need ``--flip_y``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import replace_text
from cryoseg_ext.formats.lines import shortened, text_lines
from cryoseg_ext.formats.picks.format import FileOptions, LocatedByName, PickFormat, box_size_px
from cryoseg_ext.formats.table import Column, LocatedPicks, make_picks
from cryoseg_ext.picks import Picks

# What EMAN writes behind the boxes at both ends of a helix.
_HELIX_ENDS = (-1, -2)
_LEAST_VALUES = 4


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
    rows: list[list[float]] = []
    problems: list[str] = []
    for number, line in text_lines(path):
        words = line.partition("#")[0].split()
        if not words:
            continue
        values = _numbers(words)
        if len(values) < _LEAST_VALUES:
            problems.append(f"{path}, line {number} is no box x y w h: correct or remove it")
        rows += [values[:5]] if len(values) >= _LEAST_VALUES else []
    if any(row[4:] and row[4] in _HELIX_ENDS for row in rows):
        raise CryosegError(
            f"{path} holds filaments, not boxes x y w h: give the STAR or .cbox file with their segments"
        )
    if problems and not rows:
        raise CryosegError(f"{path} is no EMAN1 box file: {problems[0]}")
    table = np.array([row[:4] for row in rows], np.float64).reshape(-1, 4)
    x_px, y_px = (_centre(table[:, axis], table[:, axis + 2]) for axis in (0, 1))
    remarks = tuple(shortened(problems))
    return {path.stem: LocatedPicks(make_picks(x_px, y_px, None), scored=False, remarks=remarks)}


def _numbers(words: list[str]) -> list[float]:
    """Return words as numbers; none where one of them is no finite number."""
    try:
        values = [float(word) for word in words]
    except ValueError:
        return []
    return values if np.isfinite(values).all() else []


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
