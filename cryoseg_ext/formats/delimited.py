"""Tables of picks as text with commas or tabs, read row by row: a bad row is named, the others are used."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.lines import annotate, bad_text, shortened, text_lines

if TYPE_CHECKING:
    import pandas as pd

_NAN = ["", "nan", "NaN", "NA", "N/A", "n/a", "<NA>", "None", "null", "NULL"]


def read_delimited(
    path: Path, delimiter: str, text_columns: Sequence[str], unnamed: Sequence[str] = ()
) -> pd.DataFrame | None:
    """Read a table whose first line names the columns; None where the file is empty.

    Parameters
    ----------
    path : Path
        The file.
    delimiter : str
        A comma or a tab.
    text_columns : sequence of str
        Columns that are text even where they hold digits.
    unnamed : sequence of str
        The columns of a file whose first line is numbers already.

    Raises
    ------
    CryosegError
        If the file cannot be read or has rows of which none can be used.
    """
    names: list[str] = []
    rows: list[str] = []
    numbers: list[int] = []
    problems: list[str] = []
    for number, line in text_lines(path, strip="\r\n"):
        if not line.strip() and (not names or delimiter == ","):
            continue
        bad, values = bad_text(line), [] if bad_text(line) else _values(line, delimiter)
        if not names and not bad:
            names = list(unnamed[: len(values)]) if _are_numbers(values, unnamed) else values
            if names == values:
                continue
        if bad:
            problems.append(f"{path}, line {number} {bad}: correct or remove it")
        elif len(values) != len(names):
            problems.append(
                f"{path}, line {number} has {len(values)} of {len(names)} values: correct or remove it"
            )
        else:
            rows.append(line)
            numbers.append(number)
    if problems and not rows:
        more = f" (and {len(problems) - 1} more rows like it)" if len(problems) > 1 else ""
        raise CryosegError(f"{problems[0]}{more}")
    return _table(path, delimiter, names, rows, text_columns, (problems, numbers)) if names else None


def _table(
    path: Path,
    delimiter: str,
    names: list[str],
    rows: list[str],
    text_columns: Sequence[str],
    notes: tuple[list[str], list[int]],
) -> pd.DataFrame:
    import pandas as pd

    problems, numbers = notes
    twice = {name for name in names if names.count(name) > 1}
    problems += [
        f"{path} names the column {name[:100]} twice, and the first is used" for name in sorted(twice)
    ]
    if not rows:
        return annotate(pd.DataFrame({name: pd.Series(dtype=float) for name in names}), shortened(problems))
    try:
        table = pd.read_csv(
            StringIO("\n".join(rows) + "\n"),
            sep=delimiter,
            header=None,
            names=[str(at) for at in range(len(names))],
            dtype={str(at): str for at, name in enumerate(names) if name in text_columns},
            keep_default_na=False,
            na_values={str(at): _NAN for at, name in enumerate(names) if name not in text_columns},
            skipinitialspace=delimiter == ",",
        )
    except (ValueError, OverflowError, MemoryError) as error:
        reason = " ".join(str(error).split())
        raise CryosegError(f"{path} is not a readable table ({reason}): write it again") from None
    table.columns = pd.Index(names)
    return annotate(table.loc[:, ~table.columns.duplicated()], shortened(problems), numbers)


def _values(line: str, delimiter: str) -> list[str]:
    if '"' not in line:
        return [value.strip() for value in line.split(delimiter)]
    try:
        return [
            value.strip() for value in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))
        ]
    except (csv.Error, StopIteration):
        return []


def _are_numbers(values: Sequence[str], unnamed: Sequence[str]) -> bool:
    try:
        [float(value) for value in values]
    except ValueError:
        return False
    return len(values) <= len(unnamed)
