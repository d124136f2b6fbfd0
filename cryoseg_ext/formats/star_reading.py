"""STAR files, read row by row: a row that is wrong is named by its line, and the others are used."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.lines import annotate, bad_text, shortened, text_lines

if TYPE_CHECKING:
    import pandas as pd

# A name of digits alone is a name all the same.
_TEXT_COLUMNS = (
    "rlnMicrographName",
    "rlnMicrographNameNoDW",
    "rlnMicrographMetadata",
    "rlnMicrographMovieName",
    "rlnMicrographCoordinates",
    "rlnCtfImage",
    "rlnCtfPowerSpectrum",
    "rlnOpticsGroupName",
    "rlnMtfFileName",
)
_NAN = ["nan", "NaN", "<NA>"]
_MOST_BLOCKS = 1000
# Where spaces alone part the values, they need not be looked at one by one.
_ODD = re.compile(r"[^\t -~]|[\"'#]")
_VALUE = re.compile(r"\"([^\"]*)\"(?=[ \t]|$)|'([^']*)'(?=[ \t]|$)|([^ \t]+)")
_LONGEST_NAME = 4096


@dataclass
class _Block:
    """A block of a STAR file as it is read; `rows` and `lines` are those of the good rows."""

    name: str
    labels: list[str] = field(default_factory=list)
    is_loop: bool = False
    rows: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    seen: int = 0


def read_tables(path: Path) -> dict[str, pd.DataFrame]:
    """Read the tables of a STAR file; a block of single values becomes a table of one row.

    The sentences on rows that cannot be used are `cryoseg_ext.formats.lines.problems_of` each table.

    Raises
    ------
    CryosegError
        If the file is missing, is no text, or has a block without a usable row.
    """
    blocks: list[_Block] = []
    add: Callable[[_Block, str, int, str], None] = _add_outside
    for number, line in text_lines(path):
        where = f"{path}, line {number}"
        if line.startswith("data_"):
            if len(blocks) == _MOST_BLOCKS:
                raise CryosegError(f"{where}: more than {_MOST_BLOCKS} blocks: write the file again")
            blocks.append(_Block(line[5:].split()[0] if line[5:].split() else ""))
            add = _add_outside
        elif not blocks or not line or line.startswith("#"):
            continue
        elif add is _add_outside and line.startswith("loop_"):
            blocks[-1].is_loop, add = True, _add_label
        elif add is _add_label and not line.startswith("_"):
            add = _add_row
            add(blocks[-1], line, number, where)
        else:
            add(blocks[-1], line, number, where)
    return {block.name: _table(path, block) for block in blocks}


def _add_outside(block: _Block, line: str, number: int, where: str) -> None:
    """Take a single value: a label and what it is."""
    if not line.startswith("_"):
        return
    block.seen += 1
    values = _values(line)
    if bad := bad_text(line):
        block.problems.append(f"{where} {bad}: correct or remove it")
    elif len(values) != 2:
        block.problems.append(
            f"{where}: {values[0][:100]} has {len(values) - 1} values where one is expected: add 'loop_' in "
            "front of the labels of a table, or put a value with spaces in quotes"
        )
    else:
        block.values[values[0][1:]] = values[1]
        block.lines = [number]


def _add_label(block: _Block, line: str, number: int, where: str) -> None:  # noqa: ARG001
    label = line.split()[0][1:]
    if bad := bad_text(line):
        block.problems.append(f"{where} {bad}: correct the label")
    elif label in block.labels:
        block.problems.append(f"{where}: {label[:100]} is there twice, and the first is used: remove one")
    block.labels.append(label)


def _add_row(block: _Block, line: str, number: int, where: str) -> None:
    block.seen += 1
    odd = _ODD.search(line) is not None
    values = _values(line) if odd else line.split()
    if bad := bad_text(line):
        block.problems.append(f"{where} {bad}: correct or remove it")
    elif len(values) != len(block.labels):
        what = f"row {block.seen} of data_{block.name} has {len(values)} of {len(block.labels)} values"
        remedy = "complete or remove it"
        if len(values) > len(block.labels):
            remedy = "remove what is too much, and put names with spaces in quotes"
        block.problems.append(f"{where}: {what}: {remedy}")
    elif any(len(value) > _LONGEST_NAME for value in values):
        block.problems.append(f"{where}: a value is longer than {_LONGEST_NAME} characters: correct it")
    else:
        block.rows.append(" ".join(map(_quoted, values)) if odd else line)
        block.lines.append(number)


def _values(line: str) -> list[str]:
    """Return the values of a line, without quotes and without a comment."""
    values = []
    for match in _VALUE.finditer(line):
        if match[0].startswith("#"):
            break
        values.append(match[0][1:-1] if match[3] is None else match[0])
    return values


def _quoted(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


def _table(path: Path, block: _Block) -> pd.DataFrame:
    import pandas as pd

    problems = shortened(block.problems)
    if block.seen and not (block.rows or block.values):
        more = f" (and {block.seen - 1} more rows like it)" if block.seen > 1 else ""
        raise CryosegError(f"{problems[0]}{more}")
    if not block.is_loop:
        values = {name: [_number(name, value)] for name, value in block.values.items()}
        return annotate(pd.DataFrame(values), problems, block.lines)
    if not block.labels:
        raise CryosegError(f"{path}: data_{block.name} has a loop_ without labels: write it again")
    try:
        table = _loop(block)
    except (ValueError, OverflowError, MemoryError) as error:
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        raise CryosegError(f"{path} is not a readable STAR file ({reason}): write it again") from None
    return annotate(table.loc[:, ~table.columns.duplicated()], problems, block.lines)


def _loop(block: _Block) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    if not block.rows:
        return pd.DataFrame(np.zeros((0, len(block.labels))), columns=block.labels)
    table = pd.read_csv(
        StringIO("\n".join(block.rows) + "\n"),
        sep=r"\s+",
        header=None,
        names=[str(at) for at in range(len(block.labels))],
        dtype={str(at): str for at, label in enumerate(block.labels) if label in _TEXT_COLUMNS},
        keep_default_na=False,
        na_values={str(at): _NAN for at, label in enumerate(block.labels) if label not in _TEXT_COLUMNS},
        engine="c",
    )
    table.columns = pd.Index(block.labels)
    return table


def _number(name: str, value: str) -> str | int | float:
    if name in _TEXT_COLUMNS:
        return value
    with suppress(ValueError):
        # A longer whole number fits no column.
        if abs(number := int(value)) < 2**53:
            return number
    with suppress(ValueError):
        return float(value)
    return value
