"""Filaments as RELION's start-end coordinates."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.picks import Picks

_STRAIGHT_DEG = 10.0


def tube_ends(picks: Picks) -> NDArray[np.float64]:
    """Return the straight pieces of filaments as RELION's start-end coordinates.

    RELION's Extract lays segments on the straight line from a start to an end. A filament that bends is
    given as several lines, a new one wherever its direction has changed by 10 degrees.

    Parameters
    ----------
    picks : Picks
        Segments along filaments.

    Returns
    -------
    NDArray[np.float64]
        ``(2 n, 2)``: x and y in pixels of the micrograph, starts and ends in turn.
    """
    columns = picks.columns()
    tube_id, psi_deg = columns["tube_id"], columns["psi_deg"]
    ends: list[int] = []
    for tube in np.unique(tube_id):
        index = np.flatnonzero(tube_id == tube).tolist()
        start = index[0]
        for before, current in pairwise(index):
            turn_deg = (psi_deg[current] - psi_deg[start] + 180) % 360 - 180
            if abs(turn_deg) > _STRAIGHT_DEG and before != start:
                ends += [start, before]
                start = before
        ends += [start, index[-1]]
    return np.stack([picks.x_px[ends], picks.y_px[ends]], axis=1)
