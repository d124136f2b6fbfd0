"""One list of picks from those found at several stated diameters: for mixtures of sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cryoseg_ext.options.extraction import ExtractionOptions
from cryoseg_ext.picks import Picks

_AGREEMENT = np.log(1.3)
"""Standard deviation of the measured over the stated diameter, on a logarithmic scale, of what is there."""
_NO_MASK = 2.0
_SAME_PARTICLE = 0.5
"""So near, in units of its own size, the larger pick removes others: they show parts of it."""


def merge_sizes(
    found: Sequence[tuple[Picks, float]], pixel_size_A: float, options: ExtractionOptions
) -> Picks:
    """Return picks of all sizes, best first, of which none lies within another.

    A particle is found at several stated diameters, and so are its parts and its pairs with neighbours. The
    finding counts whose score is high and whose mask is as large as was stated, of equals the larger one; it
    removes the others within half of the larger one's own size. Scores stay as they are calibrated.

    Parameters
    ----------
    found : sequence of (Picks, float)
        Picks with their measured sizes, and the diameter in Å that was stated to find them.
    pixel_size_A : float
        Å/px of the picks.
    options : ExtractionOptions
        Its least distance and its largest number of picks count here too.
    """
    everything = _joined([picks for picks, _ in found])
    stated_A = np.concatenate([np.full(len(picks), one_A) for picks, one_A in found])
    measured_A = stated_A if everything.diameter_A is None else everything.diameter_A
    # A pick without a mask is the worst of its kind.
    deviation = np.nan_to_num(np.log(measured_A / stated_A) / _AGREEMENT, nan=_NO_MASK)
    size_A = np.where(np.isnan(measured_A), stated_A, measured_A)
    # A part of a particle can look as good as the whole, which explains more of the micrograph.
    rank = everything.score * np.exp(-(deviation**2) / 2) * np.sqrt(size_A)
    ranked = replace(everything, diameter_A=size_A).at(np.argsort(-rank, kind="stable"))
    kept = np.flatnonzero(_apart(ranked, pixel_size_A, options.min_distance_A or 0.0))
    best = kept[np.argsort(-ranked.score[kept], kind="stable")][: options.max_picks]
    return ranked.at(best)


def _joined(parts: Sequence[Picks]) -> Picks:
    columns = [part.columns() for part in parts]
    return Picks(**{name: np.concatenate([one[name] for one in columns]) for name in columns[0]})


def _apart(picks: Picks, pixel_size_A: float, least_A: float) -> NDArray[np.bool_]:
    """Return which picks survive when each, in the order given, removes the later ones too near to it."""
    alive, size_A = np.ones(len(picks), np.bool_), picks.diameter_A
    if size_A is None or len(picks) == 0:
        return alive
    xy_A = np.stack([picks.x_px, picks.y_px], axis=1) * pixel_size_A
    neighbours = cKDTree(xy_A)
    reach_A = max(_SAME_PARTICLE * float(size_A.max()), least_A)
    for first, near in enumerate(neighbours.query_ball_tree(neighbours, reach_A)):
        if alive[first]:
            later = np.array([other for other in near if other > first], np.int64)
            distance_A = np.linalg.norm(xy_A[later] - xy_A[first], axis=1)
            nearest_A = np.maximum(_SAME_PARTICLE * np.maximum(size_A[later], size_A[first]), least_A)
            alive[later[distance_A < nearest_A]] = False
    return alive
