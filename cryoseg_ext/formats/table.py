"""Picks as they stand in a file: of one micrograph, or of many in one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.lines import annotate, line_of, problems_of, shortened
from cryoseg_ext.formats.star import numbers
from cryoseg_ext.picks import Picks

if TYPE_CHECKING:
    import pandas as pd

Column = NDArray[np.float64]
# No micrograph is as large; coordinates beyond are damaged numbers.
_MOST_PX = 1e7


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
    shift_A : NDArray[np.float64] | None
        ``(n, 2)`` shift in Å along x and y that a refinement applied to each image to centre it, where it is
        not yet subtracted because the pixel size of the micrograph is not known; see `centred`.
    original_A : float | None
        Å/px of the movie, which the micrograph has too unless motion correction binned it.
    remarks : tuple[str, ...]
        A sentence on each row of the file that could not be used, and on what was done to all.
    """

    picks: Picks
    pixel_size_A: float | None = None
    shape: tuple[int, int] | None = None
    scored: bool = True
    lengths_px: Mapping[str, Column] = field(default_factory=dict)
    shift_A: NDArray[np.float64] | None = None
    original_A: float | None = None
    remarks: tuple[str, ...] = ()

    def at(self, rows: NDArray[Any]) -> LocatedPicks:
        """Return the picks at `rows`, which may also be a mask."""
        lengths_px = {name: values[rows] for name, values in self.lengths_px.items()}
        shift_A = None if self.shift_A is None else self.shift_A[rows]
        return replace(self, picks=self.picks.at(rows), lengths_px=lengths_px, shift_A=shift_A)

    def centred(self, pixel_size_A: float | None) -> LocatedPicks:
        """Return the picks at their refined centres, as far as the pixel size of the micrograph is known.

        The shift centres the particle, so it is subtracted, as RELION's Extract does to re-centre.
        """
        if self.shift_A is None or not pixel_size_A:
            return self
        x_shift_px, y_shift_px = (self.shift_A / pixel_size_A).T
        picks = replace(self.picks, x_px=self.picks.x_px - x_shift_px, y_px=self.picks.y_px - y_shift_px)
        return replace(self, picks=picks, shift_A=None)

    def in_order(self) -> LocatedPicks:
        """Return the picks with the best score first, the segments of a filament together and along it."""
        track = self.picks.track_length_A
        return self.at(_order(self.picks, self.lengths_px.get("track_length_A") if track is None else track))

    def in_angstrom(self, pixel_size_A: float | None) -> Picks:
        """Return the centred picks with `lengths_px` in Å, as far as the pixel size is known."""
        if pixel_size_A is None:
            return self.picks
        lengths_A = {name: values * pixel_size_A for name, values in self.lengths_px.items()}
        return replace(self.centred(pixel_size_A).picks, **lengths_A)


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


def finite_rows(table: pd.DataFrame, names: Sequence[str], path: Path) -> pd.DataFrame:
    """Return the rows of a table with a finite number in each of some columns, and remarks on the others.

    Parameters
    ----------
    table : DataFrame
        The table of a file.
    names : sequence of str
        The columns; those that the table lacks are passed over.
    path : Path
        The file, for the remarks.

    Raises
    ------
    CryosegError
        If no row is left.
    """
    import pandas as pd

    good = np.ones(len(table), bool)
    for name in set(names) & set(table):
        values = numbers(table[name]).to_numpy()
        good &= np.isfinite(values) & (np.abs(values) < _MOST_PX)
    if good.all():
        return table
    remarks = [
        f"{path}, line {line_of(table, row)} has a coordinate or score that is no finite number: correct it"
        for row in np.flatnonzero(~good).tolist()
    ]
    if not good.any():
        raise CryosegError(f"{remarks[0]}, and the other rows like it" if len(remarks) > 1 else remarks[0])
    kept = table.loc[good].reset_index(drop=True)
    numeric = {name: pd.to_numeric(kept[name]) for name in names if name in kept}
    return annotate(kept.assign(**numeric), [*problems_of(table), *shortened(remarks)])


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
    if name not in table:
        return None
    values = numbers(table[name]).to_numpy()
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


def with_remarks(located: Mapping[str, LocatedPicks], remarks: Sequence[str]) -> dict[str, LocatedPicks]:
    """Return the picks of a file with remarks on the whole file at its first micrograph."""
    first = next(iter(located), None)
    return {
        name: replace(one, remarks=(*remarks, *one.remarks)) if name == first else one
        for name, one in located.items()
    }


def shift_remark(source: object, shift_A: NDArray[np.float64], *, applied: bool = True) -> str:
    """Return the sentence on origin shifts, by how much they move picks at most.

    Parameters
    ----------
    source : object
        Whose shifts these are.
    shift_A : NDArray[np.float64]
        ``(n, 2)`` shifts in Å.
    applied : bool
        Whether they are subtracted.
    """
    shifts = f"{source}: origin shifts of up to {np.nanmax(np.hypot(*shift_A.T), initial=0):.3g} Å are"
    if applied:
        return f"{shifts} applied: the centres are the refined ones"
    return f"{shifts} not applied, as the pixel size of the micrograph is not known: give --pixel_size"


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


NO_PICKS = LocatedPicks(make_picks([], [], None), scored=False)
"""Of a micrograph that was looked at without finding anything."""
