"""Writing STAR files of picks.

Rows are given as text, one by one: `starfile` would take 20 s for a million particles, and hold them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cryoseg_ext.files import replacing

if TYPE_CHECKING:
    import pandas as pd


def write_table(
    path: Path,
    table: str,
    columns: Iterable[str],
    rows: Iterable[str],
    optics: pd.DataFrame | None = None,
) -> None:
    """Write a STAR file with a table called `table`, after RELION's optics groups where there are any."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        if optics is not None:
            file.write(to_text({"optics": optics}))
        file.write(f"\ndata_{table}\n\nloop_\n")
        file.writelines(f"_{column} #{number}\n" for number, column in enumerate(columns, start=1))
        file.writelines(f"{row}\n" for row in rows)
        file.write("\n")


def to_text(tables: Mapping[str, pd.DataFrame]) -> str:
    """Return the text of a STAR file with these tables."""
    import starfile

    text: str = starfile.to_string(dict(tables), float_format="%.9g", na_rep="nan")
    return text


def quoted(value: str) -> str:
    """Return a value as it has to stand in a row."""
    return f'"{value}"' if " " in value or not value else value
