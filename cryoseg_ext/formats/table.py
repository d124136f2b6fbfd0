"""Picks of many micrographs in one table, split by micrograph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoseg_ext.picks import Picks

if TYPE_CHECKING:
    import pandas as pd


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
    """

    picks: Picks
    pixel_size_A: float | None = None
    shape: tuple[int, int] | None = None
    scored: bool = True


def sorted_picks(x_px: ArrayLike, y_px: ArrayLike, score: ArrayLike | None) -> Picks:
    """Return picks in falling order of score; without scores each gets 1."""
    x, y = np.asarray(x_px, np.float64), np.asarray(y_px, np.float64)
    scores = np.ones(len(x)) if score is None else np.asarray(score, np.float64)
    order = np.argsort(-scores, kind="stable")
    return Picks(x[order], y[order], scores[order])


def number_columns(table: pd.DataFrame, names: Sequence[str]) -> list[NDArray[np.float64]]:
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


def split_rows(names: Sequence[str] | NDArray[np.object_]) -> tuple[list[str], list[NDArray[np.intp]]]:
    """Return the distinct names, in order of appearance, and the rows of each."""
    import pandas as pd

    # Hashing: to sort two million strings with numpy takes ten times as long.
    codes, distinct = pd.factorize(np.asarray(names, dtype=object))
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(distinct)))
    return [str(name) for name in distinct], np.split(order, ends[:-1]) if len(ends) else []
