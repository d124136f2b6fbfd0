"""Merging of the picks found at several stated diameters, for mixtures of sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cryoseg_ext.options.extraction import ExtractionOptions
from cryoseg_ext.picks import Picks, apart, concatenate

_AGREEMENT = np.log(1.3)
"""Expected spread of log(measured / stated diameter) for real particles."""
_NO_MASK = 2.0
"""Deviation of a pick without a mask, in units of that spread."""
_SAME_PARTICLE = 0.5
"""Distance, in sizes of the larger pick, within which two picks show the same particle."""


def merge_sizes(
    found: Sequence[tuple[Picks, float]], pixel_size_A: float, options: ExtractionOptions
) -> Picks:
    """Return one list of picks of all sizes in which each particle occurs once.

    A particle is found at several stated diameters, and so are its parts and its pairs with neighbours.
    Preferred are picks of a high score whose measured size agrees with the stated one, and larger ones; they
    remove the other picks within half the size of the larger one of a pair. Scores are not changed.

    Parameters
    ----------
    found : sequence of (Picks, float)
        Picks with their measured sizes, and the stated diameter in Å at which they were found.
    pixel_size_A : float
        Pixel size in Å/px of the coordinates.
    options : ExtractionOptions
        Options of which the smallest distance and the largest number of picks are used.

    Returns
    -------
    Picks
        Remaining picks in descending order of score, each with its measured or else its stated diameter.
    """
    picks = concatenate([part for part, _ in found])
    stated_A = np.concatenate([np.full(len(part), diameter_A) for part, diameter_A in found])
    measured_A = stated_A if picks.diameter_A is None else picks.diameter_A
    deviation = np.nan_to_num(np.log(measured_A / stated_A) / _AGREEMENT, nan=_NO_MASK)
    size_A = np.where(np.isnan(measured_A), stated_A, measured_A)
    # The size counts because a part of a particle can look as good as the whole.
    rank = picks.score * np.exp(-(deviation**2) / 2) * np.sqrt(size_A)
    order = np.argsort(-rank, kind="stable")
    ranked = replace(picks, diameter_A=size_A).at(order)
    min_distance_A = np.maximum(_SAME_PARTICLE * size_A[order], options.min_distance_A or 0.0)
    x_A, y_A = ranked.x_px * pixel_size_A, ranked.y_px * pixel_size_A
    kept = np.flatnonzero(apart(x_A, y_A, min_distance_A))
    best = kept[np.argsort(-ranked.score[kept], kind="stable")][: options.max_picks]
    return ranked.at(best)
