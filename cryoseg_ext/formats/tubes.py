"""Filaments: their direction, and RELION's start-end coordinates."""

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


def along_tubes(
    x_px: NDArray[np.float64], y_px: NDArray[np.float64], tube_id: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the direction and the track length of segments that stand in order along their filaments.

    The direction is that from the segment before to the segment after, with the sign of `Picks`.

    Parameters
    ----------
    x_px, y_px : NDArray[np.float64]
        ``(n,)`` centres in pixels of the micrograph.
    tube_id : NDArray[np.float64]
        ``(n,)`` number of the filament of each.

    Returns
    -------
    psi_deg, track_px : NDArray[np.float64]
        ``(n,)`` each; the direction is nan on a filament of a single segment.
    """
    psi_deg, track_px = np.full(len(x_px), np.nan), np.zeros(len(x_px))
    for tube in np.unique(tube_id):
        index = np.flatnonzero(tube_id == tube)
        steps = np.hypot(np.diff(x_px[index]), np.diff(y_px[index]))
        track_px[index[1:]] = np.cumsum(steps)
        if len(index) > 1:
            dx, dy = np.gradient(x_px[index]), np.gradient(y_px[index])
            psi_deg[index] = -np.degrees(np.arctan2(dy, dx))
    return wrapped_deg(psi_deg), track_px


def wrapped_deg(angle_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return angles in (-180, 180]."""
    return 180 - (180 - angle_deg) % 360


def axis_deg(angle_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return angles of axes, which have no direction, in (-90, 90]."""
    return 90 - (90 - angle_deg) % 180
