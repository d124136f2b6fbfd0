"""Picks in CSV files, one for each micrograph.

The columns are named as in `Picks`, x and y without a unit. x and y count from 0, in pixels of the micrograph
as stored, and y grows with the stored row. Nothing is flipped or rounded to whole pixels.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import replace_text
from cryoseg_ext.formats.picks.format import FileOptions, LocatedByName, PickFormat
from cryoseg_ext.formats.table import Column, LocatedPicks, known_numbers, make_picks, number_columns
from cryoseg_ext.picks import Picks

if TYPE_CHECKING:
    import pandas as pd

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
    """Read the picks of the micrograph that is called as the file.

    Where the first line is numbers already, the columns are x, y and perhaps score.

    Raises
    ------
    CryosegError
        If the file cannot be read or has no columns x and y.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, names=_names_where_missing(path), skipinitialspace=True)
        return {path.stem: _located(table)}
    except pd.errors.EmptyDataError:
        return {path.stem: LocatedPicks(make_picks([], [], None), scored=False)}
    except KeyError:
        raise CryosegError(
            f"{path} has no columns x and y: its first line must name them, as in x,y,score"
        ) from None
    except OSError as error:
        raise CryosegError(f"{path} cannot be read ({error.strerror}): correct its permissions") from None
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise CryosegError(
            f"{path} is not a readable CSV file ({reason}): write it again as x,y,score"
        ) from None


def _located(table: pd.DataFrame) -> LocatedPicks:
    x_px, y_px = number_columns(table, ["x", "y"])
    score = number_columns(table, ["score"])[0] if "score" in table else None
    picks = make_picks(x_px, y_px, score, **{name: known_numbers(table, name) for name in _DIGITS})
    return LocatedPicks(picks, scored=score is not None).in_order()


def _names_where_missing(path: Path) -> list[str] | None:
    """Return the names of the columns of a CSV file whose first line is numbers already."""
    with path.open(encoding="utf-8", errors="replace") as file:
        first = file.readline().split(",")
    try:
        [float(word) for word in first]
    except ValueError:
        return None
    return ["x", "y", "score"][: len(first)] if len(first) <= 3 else None


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
