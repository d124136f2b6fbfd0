"""Lines of text files of other programs, bounded and checked, each with its number in the file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.progress import tracked

if TYPE_CHECKING:
    import pandas as pd

_MOST_CHARACTERS = 100_000
_MB = 1_000_000
# So many problems of a file are named one by one.
_MOST_NAMED = 20
_NO_TEXT = re.compile("[\x00\udc80-\udcff]")
_PROBLEMS, _LINES = "problems", "lines"


class _Kept(tuple[Any, ...]):
    """What stands in the attributes of a table; pandas would copy all of it with each column."""

    def __deepcopy__(self, memo: object) -> _Kept:
        return self


def text_lines(path: Path, strip: str | None = None) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text file in UTF-8 with their numbers, from 1, without what `strip` strips.

    A line that is too long is cut, and a byte that is no text stays one that `bad_text` finds.

    Raises
    ------
    CryosegError
        If the file cannot be read or is text in UTF-16.
    """
    try:
        with path.open("rb") as binary:
            start = binary.read(4096)
        if start.startswith((b"\xff\xfe", b"\xfe\xff")) or start.count(0) > len(start) // 4:
            raise CryosegError(f"{path} is not text in UTF-8: write it again as UTF-8 or plain ASCII")
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
            megabytes = tracked(range(path.stat().st_size // _MB), f"Reading {path.name}, MB", quick=True)
            number = n_read = 0
            while line := file.readline(_MOST_CHARACTERS):
                number, n_read = number + 1, n_read + len(line)
                if n_read >= _MB:
                    n_read -= _MB
                    next(megabytes, None)
                rest = line
                while rest and not rest.endswith("\n"):
                    rest = file.readline(_MOST_CHARACTERS)
                yield number, line.strip(strip)
            for _ in megabytes:
                pass
    except FileNotFoundError:
        raise CryosegError(f"{path} does not exist: check the path and the current folder") from None
    except IsADirectoryError:
        raise CryosegError(f"{path} is a folder: give the file in it") from None
    except OSError as error:
        raise CryosegError(f"{path} cannot be read ({error.strerror}): correct its permissions") from None


def bad_text(line: str) -> str:
    """Return why a line cannot be used as text; empty where it can."""
    if len(line) >= _MOST_CHARACTERS - 1:
        return f"is longer than {_MOST_CHARACTERS} characters"
    odd = "\0" in line or not line.isascii()
    return "is not text in UTF-8" if odd and _NO_TEXT.search(line) else ""


def annotate(table: pd.DataFrame, problems: Iterable[str], lines: Iterable[int] = ()) -> pd.DataFrame:
    """Note at a table what of its file could not be used, and the line of each row.

    Parameters
    ----------
    table : DataFrame
        The table, which is returned.
    problems : iterable of str
        A sentence on each row that could not be used.
    lines : iterable of int
        The line of the file on which each row of the table stands.
    """
    table.attrs[_PROBLEMS], table.attrs[_LINES] = _Kept(problems), _Kept(lines)
    return table


def problems_of(table: pd.DataFrame) -> tuple[str, ...]:
    """Return a sentence on each row of the file that could not be used."""
    return tuple(table.attrs.get(_PROBLEMS, ()))


def line_of(table: pd.DataFrame, row: int) -> int:
    """Return the line of the file on which a row of a table stands; 0 where that is not known."""
    lines = table.attrs.get(_LINES, ())
    return int(lines[row]) if row < len(lines) else 0


def shortened(problems: list[str]) -> list[str]:
    """Return the first of many problems, and how many there are."""
    more = len(problems) - _MOST_NAMED
    return problems if more <= 0 else [*problems[:_MOST_NAMED], f"and {more} other rows of the same file"]
