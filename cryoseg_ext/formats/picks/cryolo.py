"""Picks in crYOLO's ``.cbox`` files, one for each micrograph: a STAR file with a table ``cryolo``.

``_CoordinateX`` and ``_CoordinateY`` are the corner of the box that is nearest to the first stored column and
row; the centre is ``_CoordinateX + _Width / 2`` and ``_CoordinateY + _Height / 2``, in pixels of the
micrograph with fractions. y grows with the stored row of an MRC file: crYOLO turns the rows over on reading
(``imagereader.read_mrc``), and its boxes back before it writes them (``predict.rescale``), so that nothing is
flipped here. It turns boxes on TIFF files too, which it reads from the top row, so that there its y counts
from the bottom row of the picture, as RELION's.

``_Confidence`` is the score, ``_EstWidth`` and ``_EstHeight`` the size of the particle in pixels,
``_filamentid`` the filament, from 0. ``_Angle`` is the direction of the long axis in radians, in [0, pi): the
angle of (dx, dy) in stored pixels, as ``utils.vector_to_direction`` after ``predict.rescale``; so
``psi = -degrees(_Angle)``, which is the sign of the psi that crYOLO writes for RELION (``utils.calc_psi``).
All of this is in ``CoordsIO.py`` and these modules of crYOLO 1.9.9. Of filaments crYOLO writes no angles: as
there, psi is that of the line through the neighbours of a segment.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import replace_text
from cryoseg_ext.formats.picks.format import FileOptions, LocatedByName, PickFormat, box_size_px
from cryoseg_ext.formats.star import loop_lines
from cryoseg_ext.formats.star_reading import read_tables
from cryoseg_ext.formats.table import Column, LocatedPicks, known_numbers, make_picks, number_columns
from cryoseg_ext.formats.tubes import along_tubes, axis_deg, wrapped_deg
from cryoseg_ext.picks import Picks

_LABELS = (
    *("CoordinateX", "CoordinateY", "CoordinateZ", "Width", "Height", "Depth"),
    *("EstWidth", "EstHeight", "Confidence", "NumBoxes", "Angle"),
)
_FILAMENT = "filamentid"
_NOT_KNOWN = "<NA>"


def write_cbox(path: Path, picks: Picks, options: FileOptions) -> None:
    """Write the boxes of a micrograph.

    Parameters
    ----------
    path : Path
        The file to write.
    picks : Picks
        The picks, in pixels of the micrograph.
    options : FileOptions
        With the size of a box, or with the pixel size where picks have a diameter; without the pixel size
        diameters are left out.

    Raises
    ------
    CryosegError
        If no size of a box is known.
    """
    labels = _LABELS if picks.tube_id is None else (*_LABELS, _FILAMENT)
    lines = [
        "\ndata_global\n\n_cbox_format_version 1.0\n",
        *loop_lines("cryolo", labels, _rows(picks, box_size_px(path, picks, options), options.pixel_size_A)),
        *loop_lines("cryolo_include", ("slice_index",), ()),
    ]
    replace_text(path, "".join(lines))


def read_cbox(path: Path) -> LocatedByName:
    """Read the boxes of the micrograph that is called as the file.

    Raises
    ------
    CryosegError
        If the file cannot be read or holds no boxes of a micrograph.
    """
    if path.stat().st_size == 0:
        # crYOLO writes an empty file where it finds nothing.
        return {path.stem: LocatedPicks(make_picks([], [], None), scored=False)}
    table = read_tables(path).get("cryolo")
    if table is None or not set(_LABELS[:2]).issubset(table):
        raise CryosegError(f"{path} has no table cryolo with boxes: write it again with crYOLO 1.8 or newer")
    if known_numbers(table, "CoordinateZ") is not None:
        raise CryosegError(f"{path} holds picks in a tomogram: give those of micrographs")
    try:
        x_px, y_px, width_px, height_px = number_columns(table, [*_LABELS[:2], "Width", "Height"])
    except (KeyError, ValueError):
        raise CryosegError(f"{path} has boxes without place or size: write it again") from None
    x_px, y_px = x_px + width_px / 2, y_px + height_px / 2
    score = known_numbers(table, "Confidence")
    lengths_px = _sizes(known_numbers(table, "EstWidth"), known_numbers(table, "EstHeight"))
    psi_deg, tube_id = known_numbers(table, "Angle"), known_numbers(table, _FILAMENT)
    psi_deg = None if psi_deg is None else axis_deg(-np.degrees(psi_deg))
    if tube_id is not None:
        tube_id = tube_id + 1
        direction_deg, lengths_px["track_length_A"] = along_tubes(x_px, y_px, tube_id)
        psi_deg = _directed(psi_deg, direction_deg)
    picks = make_picks(x_px, y_px, score, psi_deg=psi_deg, tube_id=tube_id)
    located = LocatedPicks(picks, scored=score is not None, lengths_px=lengths_px)
    return {path.stem: located.in_order()}


def _sizes(width_px: Column | None, height_px: Column | None) -> dict[str, Column]:
    if width_px is None or height_px is None:
        return {}
    return {"diameter_A": (width_px + height_px) / 2}


def _directed(axis: Column | None, direction: Column) -> Column:
    """Return the angles of axes, turned by 180 degrees where a filament runs the other way."""
    if axis is None:
        return direction
    turned = np.abs(wrapped_deg(axis - direction)) > 90
    return np.where(np.isnan(axis), direction, np.where(turned, wrapped_deg(axis + 180), axis))


def _rows(picks: Picks, size_px: int, pixel_size_A: float | None) -> Iterator[str]:
    nothing = np.full(len(picks), np.nan)
    diameter_px = nothing if picks.diameter_A is None else picks.diameter_A / (pixel_size_A or np.nan)
    psi_deg = nothing if picks.psi_deg is None else picks.psi_deg
    columns = [picks.x_px - size_px / 2, picks.y_px - size_px / 2, picks.score, diameter_px]
    columns.append(-np.radians(psi_deg) % np.pi)
    filament = nothing if picks.tube_id is None else picks.tube_id - 1
    for x, y, score, diameter, angle, number in zip(
        *(column.tolist() for column in [*columns, filament]), strict=True
    ):
        size = _text(diameter, 2)
        row = f"{x:.2f} {y:.2f} {_NOT_KNOWN} {size_px} {size_px} {_NOT_KNOWN} {size} {size} {score:.6f} "
        row += f"{_NOT_KNOWN} {_text(angle, 6)}"
        yield row if picks.tube_id is None else f"{row} {_text(number, 0)}"


def _text(value: float, digits: int) -> str:
    return _NOT_KNOWN if value != value else f"{value:.{digits}f}"


CBOX = PickFormat(
    name="cbox",
    title="crYOLO .cbox",
    suffixes=(".cbox",),
    columns=frozenset({"score", "diameter_A", "psi_deg", "tube_id"}),
    read=read_cbox,
    columns_in_px=frozenset({"diameter_A"}),
    write_file=write_cbox,
)
