"""Picks as they stand in a file: of one micrograph, or of many in one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoseg_ext.picks import Picks

if TYPE_CHECKING:
    import pandas as pd

Column = NDArray[np.float64]


@dataclass(frozen=True)
class LocatedPicks:
    """Picks of one micrograph and what their file says about it.

    Parameters
    ----------
    picks : Picks
        The picks, in pixels of the micrograph that the file names.
    pixel_size_A : float | None
        Its pixel size in Å/px, where the file knows it.
    shape : tuple[int, int] | None
        Its ``(ny, nx)``, where the file knows it.
    scored : bool
        Whether the file has scores.
    lengths_px : Mapping[str, NDArray[np.float64]]
        Columns of `Picks` in Å that the file gives in pixels, by name; see `in_angstrom`.
    """

    picks: Picks
    pixel_size_A: float | None = None
    shape: tuple[int, int] | None = None
    scored: bool = True
    lengths_px: Mapping[str, Column] = field(default_factory=dict)

    def at(self, rows: NDArray[Any]) -> LocatedPicks:
        """Return the picks at `rows`, which may also be a mask."""
        lengths_px = {name: values[rows] for name, values in self.lengths_px.items()}
        return replace(self, picks=self.picks.at(rows), lengths_px=lengths_px)

    def in_order(self) -> LocatedPicks:
        """Return the picks with the best score first, the segments of a filament together and along it."""
        track = self.picks.track_length_A
        return self.at(_order(self.picks, self.lengths_px.get("track_length_A") if track is None else track))

    def in_angstrom(self, pixel_size_A: float | None) -> Picks:
        """Return the picks with `lengths_px` in Å, as far as the pixel size of the micrograph is known."""
        if pixel_size_A is None:
            return self.picks
        return replace(
            self.picks, **{name: values * pixel_size_A for name, values in self.lengths_px.items()}
        )


def make_picks(x_px: ArrayLike, y_px: ArrayLike, score: ArrayLike | None, **columns: Column | None) -> Picks:
    """Return picks from the columns of a file.

    Parameters
    ----------
    x_px, y_px : array-like
        ``(n,)`` centres in pixels of the micrograph.
    score : array-like, optional
        ``(n,)`` scores; each pick gets 1 where the file has none.
    **columns : NDArray[np.float64], optional
        Other columns of `Picks`, ``(n,)`` each; one of which nothing is known may be None.
    """
    x, y = np.asarray(x_px, np.float64), np.asarray(y_px, np.float64)
    return Picks(x, y, np.ones(len(x)) if score is None else np.asarray(score, np.float64), **columns)


def number_columns(table: pd.DataFrame, names: Sequence[str]) -> list[Column]:
    """Return columns of a table as numbers.

    Raises
    ------
    ValueError
        If one holds something else than finite numbers.
    """
    columns = [table[name].to_numpy(np.float64) for name in names]
    if not all(np.isfinite(column).all() for column in columns):
        raise ValueError("a value is missing or not finite")
    return columns


def known_numbers(table: pd.DataFrame, name: str, *, positive: bool = False) -> Column | None:
    """Return a column with nan where there is no number; None where the table has none at all.

    Parameters
    ----------
    table : DataFrame
        The table.
    name : str
        The column.
    positive : bool
        Whether 0 and less mean that the value is not known.
    """
    import pandas as pd

    if name not in table:
        return None
    values = pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64)
    if positive:
        values = np.where(values > 0, values, np.nan)
    return None if np.isnan(values).all() else values


def split_rows(names: Sequence[str] | NDArray[np.object_]) -> tuple[list[str], list[NDArray[np.intp]]]:
    """Return the distinct names, in order of appearance, and the rows of each."""
    import pandas as pd

    # Hashing: to sort two million strings with numpy takes ten times as long.
    codes, distinct = pd.factorize(np.asarray(names, dtype=object))
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(distinct)))
    return [str(name) for name in distinct], np.split(order, ends[:-1]) if len(ends) else []


def _order(picks: Picks, track: Column | None) -> NDArray[np.intp]:
    if picks.tube_id is None:
        return np.argsort(-picks.score, kind="stable")
    rows = np.arange(len(picks))
    # A pick that is on no filament (0 or nan) is a group of its own.
    _, first, group = np.unique(
        np.where(picks.tube_id > 0, picks.tube_id, -1 - rows), return_index=True, return_inverse=True
    )
    best = np.full(len(first), -np.inf)
    np.maximum.at(best, group, picks.score)
    along = np.zeros(len(picks)) if track is None else np.nan_to_num(track)
    return np.lexsort((rows, along, first[group], -best[group]))
