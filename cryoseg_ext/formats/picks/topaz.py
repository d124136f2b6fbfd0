"""Picks in Topaz's tables of coordinates: text with tabs, of one micrograph or of many.

The columns are ``image_name`` (the micrograph's file without folder and extension), ``x_coord``, ``y_coord``
(centres in whole pixels, which count from 0) and ``score``. y grows with the stored row of an MRC file
(``topaz/mrc.py``): nothing is flipped. Topaz reads TIFF files from the top row of the picture and RELION from
the bottom row: there the picks need ``--flip_y``. ``topaz preprocess --scale`` makes smaller images, and
their picks are in their pixels unless ``topaz extract --up-scale`` brought them back.

Topaz's scores are log-likelihood ratios, of any size; those of cryoseg are written as they are, in [0, 1].
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from cryoseg_ext.files import replace_text
from cryoseg_ext.formats.delimited import read_delimited
from cryoseg_ext.formats.lines import problems_of
from cryoseg_ext.formats.micrographs import MicrographList
from cryoseg_ext.formats.names import distinct_names, without_extensions
from cryoseg_ext.formats.picks.format import FileOptions, LocatedByName, NoPicksError, PickFormat
from cryoseg_ext.formats.table import (
    LocatedPicks,
    finite_rows,
    make_picks,
    number_columns,
    split_rows,
    with_remarks,
)
from cryoseg_ext.picks import Picks

_NAME, _X, _Y, _SCORE = "image_name", "x_coord", "y_coord", "score"


def write_coordinates_txt(path: Path, picks: Mapping[str, Picks]) -> None:
    """Write picks of one or many micrographs, by Topaz's name of each, rounded to whole pixels."""
    rows = (row for name, some in picks.items() for row in _rows(name, some))
    replace_text(path, "\t".join([_NAME, _X, _Y, _SCORE]) + "\n" + "".join(rows))


def read_coordinates_txt(path: Path) -> LocatedByName:
    """Read the picks of the micrographs that the file names.

    Raises
    ------
    CryosegError
        If the file cannot be read or is no table of Topaz.
    """
    table = read_delimited(path, "\t", (_NAME,))
    if table is None or not {_NAME, _X, _Y}.issubset(table):
        raise NoPicksError(
            f"{path} is no table of Topaz: its first line must name image_name, x_coord and y_coord"
        )
    table = finite_rows(table, (_X, _Y, _SCORE), path)
    x_px, y_px = number_columns(table, [_X, _Y])
    score = number_columns(table, [_SCORE])[0] if _SCORE in table else None
    names = table[_NAME].fillna("").to_numpy(dtype=object)
    every = LocatedPicks(make_picks(x_px, y_px, score), scored=score is not None)
    if not len(names):
        # A file of one micrograph, as far as can be seen.
        return {path.stem: every}
    found = {name: every.at(rows).in_order() for name, rows in zip(*split_rows(names), strict=True)}
    return with_remarks(found, problems_of(table))


def _rows(name: str, picks: Picks) -> Iterator[str]:
    x_px, y_px = (np.rint(values).astype(int).tolist() for values in (picks.x_px, picks.y_px))
    return (f"{name}\t{x}\t{y}\t{s:.6f}\n" for x, y, s in zip(x_px, y_px, picks.score.tolist(), strict=True))


def _write_file(path: Path, picks: Picks, options: FileOptions) -> None:  # noqa: ARG001
    write_coordinates_txt(path, {path.stem: picks})


def _write_table(path: Path, picks: Mapping[str, Picks], micrographs: MicrographList) -> None:  # noqa: ARG001
    names = distinct_names(list(picks), without_extensions)
    write_coordinates_txt(path, {names[name]: some for name, some in picks.items()})


TOPAZ = PickFormat(
    name="txt",
    title="Topaz text",
    suffixes=(".txt",),
    columns=frozenset({"score"}),
    read=read_coordinates_txt,
    write_file=_write_file,
    write_table=_write_table,
)
