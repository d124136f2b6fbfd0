"""STAR files, written row by row, and their optics groups; `cryoseg_ext.formats.star_reading` reads them.

The `starfile` package writes tables of micrographs. Rows of picks are given as text, a micrograph at a time:
it would take 20 s for a million particles, and hold them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.files import replacing

if TYPE_CHECKING:
    import pandas as pd

_MOST_DIGITS = 300
"""Longer texts are no numbers."""


def optics_column(table: pd.DataFrame, optics: pd.DataFrame | None, column: str) -> NDArray[np.float64]:
    """Return what the optics table says of each row of `table`, nan where it says nothing.

    Parameters
    ----------
    table : DataFrame
        Micrographs or particles, with ``rlnOpticsGroup``.
    optics : DataFrame or None
        RELION's table of optics groups.
    column : str
        One of its columns of numbers, such as ``rlnMicrographPixelSize``.
    """
    if (
        optics is None
        or column not in optics
        or "rlnOpticsGroup" not in optics
        or "rlnOpticsGroup" not in table
    ):
        return np.full(len(table), np.nan)
    # Compared as numbers: some programs write group 1 as 1.0.
    by_group = dict(zip(numbers(optics["rlnOpticsGroup"]), numbers(optics[column]), strict=True))
    return np.array([by_group.get(group, np.nan) for group in numbers(table["rlnOpticsGroup"])], np.float64)


def numbers(column: pd.Series) -> pd.Series:
    """Return a column of a table as numbers, nan where it holds something else."""
    import pandas as pd

    try:
        return pd.to_numeric(column, errors="coerce").astype(np.float64)
    except OverflowError:
        # Of integers of more digits than any number has, where the other values make pandas compare them.
        texts = column.astype(str)
        return pd.to_numeric(texts.mask(texts.str.len() > _MOST_DIGITS), errors="coerce").astype(np.float64)


def write_table(
    path: Path,
    table: str,
    columns: Iterable[str],
    rows: Iterable[str],
    optics: pd.DataFrame | None = None,
) -> None:
    """Write a STAR file with one table, after RELION's optics groups where there are any.

    Parameters
    ----------
    path : Path
        The file.
    table : str
        Name of the table, without ``data_``.
    columns : iterable of str
        Labels, without the underscore in front.
    rows : iterable of str
        The values of a row, or of several in as many lines, as text without the last line end.
    optics : DataFrame, optional
        The table of optics groups.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        if optics is not None:
            file.write(to_text({"optics": optics}))
        file.writelines(loop_lines(table, columns, rows))


def loop_lines(table: str, columns: Iterable[str], rows: Iterable[str]) -> Iterator[str]:
    """Yield the text of a table.

    Parameters
    ----------
    table, columns, rows
        As for `write_table`.
    """
    yield f"\ndata_{table}\n\nloop_\n"
    yield from (f"_{column} #{number}\n" for number, column in enumerate(columns, start=1))
    yield from (f"{row}\n" for row in rows if row)
    yield "\n"


def format_rows(row: str, columns: Sequence[NDArray[np.float64]], end: str = "") -> str:
    """Return columns as lines of text, without the last line end.

    Parameters
    ----------
    row : str
        The format of a line, as for the operator ``%``.
    columns : Sequence of NDArray[np.float64]
        ``(n,)`` values each.
    end : str
        What stands at the end of each line.
    """
    # One call of Python for all: the formatting of the rows one by one takes twice as long.
    values = np.stack(columns, axis=1)
    lines = "\n".join([row + end.replace("%", "%%")] * len(values))
    return lines % tuple(values.ravel().tolist())


def to_text(tables: Mapping[str, pd.DataFrame]) -> str:
    """Return the text of a STAR file with these tables, the same whenever it is written."""
    import starfile

    text: str = starfile.to_string(dict(tables), float_format="%.9g", na_rep="nan")
    # The first line is starfile's, with the time.
    return text.partition("\n")[2]


def quoted(value: str) -> str:
    """Return a value as it has to stand in a row."""
    return f'"{value}"' if " " in value or not value else value
