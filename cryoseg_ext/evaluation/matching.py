"""One-to-one matching of picks with reference particles."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from cryoseg_ext.arrays import FloatArray, Mask
from cryoseg_ext.picks import Picks

MATCH_DIAMETERS = 0.3
"""Largest distance of a correct pick from its particle, in particle diameters."""
Matching = Literal["hungarian", "greedy"]
"""hungarian: most pairs, and of those the smallest total distance; greedy: see `match_picks`."""


def match_picks(truth_xy_px: FloatArray, picks: Picks, radius_px: float) -> Mask:
    """Return which picks are correct: in order, each takes the nearest free particle within `radius_px`.

    Parameters
    ----------
    truth_xy_px : NDArray[np.float64]
        ``(m, 2)`` reference centres (x, y) in the pixels of the picks.
    picks : Picks
        Picks in descending order of score.
    radius_px : float
        Largest distance of a match in pixels.
    """
    return np.isfinite(_greedy_distances(truth_xy_px, picks, radius_px))


def matched_distances(
    truth_xy_px: FloatArray, picks: Picks, radius_px: float, matching: Matching
) -> FloatArray:
    """Return the distance in pixels of every pair of a matching; its length is the number of pairs.

    Parameters
    ----------
    truth_xy_px, picks, radius_px
        As in `match_picks`; hungarian does not use the scores.
    matching : Matching
        Method: hungarian (Kuhn 1955) or greedy.
    """
    if matching == "greedy":
        distances = _greedy_distances(truth_xy_px, picks, radius_px)
        return distances[np.isfinite(distances)]
    if len(truth_xy_px) == 0 or len(picks) == 0:
        return np.zeros(0)
    # hypot as in the greedy matching: cdist differs in the last digit, which matters at the limit.
    x_px, y_px = truth_xy_px.T
    distance = np.hypot(x_px[:, None] - picks.x_px, y_px[:, None] - picks.y_px)
    # A pair too far apart costs more than all other pairs together, so that the number of pairs comes first.
    cost = np.where(distance <= radius_px, distance, radius_px * (min(distance.shape) + 1.0))
    paired: FloatArray = distance[linear_sum_assignment(cost)]
    return paired[paired <= radius_px]


def _greedy_distances(truth_xy_px: FloatArray, picks: Picks, radius_px: float) -> FloatArray:
    """Return the distance of each pick to its particle in pixels, infinite without one."""
    distance = np.full(len(picks), np.inf)
    if len(truth_xy_px) == 0 or len(picks) == 0:
        return distance
    picked_xy = np.stack([picks.x_px, picks.y_px], axis=1)
    free = np.ones(len(truth_xy_px), np.bool_)
    for index, near in enumerate(cKDTree(truth_xy_px).query_ball_point(picked_xy, radius_px)):
        to = {k: float(np.hypot(*(truth_xy_px[k] - picked_xy[index]))) for k in near if free[k]}
        if to:
            nearest = min(to, key=to.__getitem__)
            free[nearest], distance[index] = False, to[nearest]
    return distance
