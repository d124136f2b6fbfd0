"""Picks in CSV files, one for each micrograph, or of many with a column ``micrograph``.

The other columns are named as in `Picks`, x and y without a unit. x and y count from 0, in pixels of the
micrograph as stored, and y grows with the stored row. Nothing is flipped or rounded to whole pixels.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import replace_text
from cryoseg_ext.formats.delimited import read_delimited
from cryoseg_ext.formats.lines import problems_of
from cryoseg_ext.formats.picks.format import FileOptions, LocatedByName, PickFormat
from cryoseg_ext.formats.table import (
    NO_PICKS,
    Column,
    LocatedPicks,
    finite_rows,
    known_numbers,
    make_picks,
    number_columns,
    split_rows,
    with_remarks,
)
from cryoseg_ext.picks import Picks

if TYPE_CHECKING:
    import pandas as pd

_NAMES = ("micrograph", "micrograph_name", "rlnMicrographName")
# Digits of each column of `Picks` after x, y and score.
_DIGITS = {"diameter_A": 1, "psi_deg": 2, "tube_id": 0, "track_length_A": 2}


def write_coordinates_csv(path: Path, picks: Picks) -> None:
    """Write picks as CSV: x, y (pixels, not rounded), score, and what else is known of them; nan is empty."""
    known = {name: values for name, values in picks.columns().items() if name in _DIGITS}
    columns = [
        _as_text(picks.x_px, 2),
        _as_text(picks.y_px, 2),
        _as_text(picks.score, 6),
        *(_as_text(values, _DIGITS[name]) for name, values in known.items()),
    ]
    header = ",".join(["x", "y", "score", *known])
    replace_text(path, "\n".join([header, *map(",".join, zip(*columns, strict=True))]) + "\n")


def read_coordinates_csv(path: Path) -> LocatedByName:
    """Read the picks in a file: of the micrograph that is called as the file, or of those in a column.

    Where the first line is numbers already, the columns are x, y and perhaps score. A column ``micrograph``
    names the micrograph of each pick.

    Raises
    ------
    CryosegError
        If the file cannot be read or has no columns x and y.
    """
    table = read_delimited(path, ",", _NAMES, ("x", "y", "score"))
    if table is None:
        return {path.stem: NO_PICKS}
    if not {"x", "y"}.issubset(table):
        raise CryosegError(f"{path} has no columns x and y: its first line must name them, as in x,y,score")
    table = finite_rows(table, ("x", "y", "score"), path)
    every = replace(_located(table), remarks=())
    name_column = next((name for name in _NAMES if name in table), None)
    if name_column is None:
        return with_remarks({path.stem: every.in_order()}, problems_of(table))
    names = table[name_column].fillna("").map(str).str.strip().replace("", path.stem)
    found = zip(*split_rows(names.to_numpy(dtype=object)), strict=True)
    return with_remarks({name: every.at(rows).in_order() for name, rows in found}, problems_of(table))


def _located(table: pd.DataFrame) -> LocatedPicks:
    x_px, y_px = number_columns(table, ["x", "y"])
    score = number_columns(table, ["score"])[0] if "score" in table else None
    picks = make_picks(x_px, y_px, score, **{name: known_numbers(table, name) for name in _DIGITS})
    return LocatedPicks(picks, scored=score is not None)


def _as_text(values: Column, digits: int) -> list[str]:
    return ["" if value != value else f"{value:.{digits}f}" for value in values.tolist()]


def _write_file(path: Path, picks: Picks, options: FileOptions) -> None:  # noqa: ARG001
    write_coordinates_csv(path, picks)


CSV = PickFormat(
    name="csv",
    title="CSV",
    suffixes=(".csv",),
    columns=frozenset({"score", *_DIGITS}),
    read=read_coordinates_csv,
    write_file=_write_file,
)
