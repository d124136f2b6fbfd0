"""Which candidates of a micrograph are particles, where the particles are known."""

from __future__ import annotations

import numpy as np

from cryoseg_ext.arrays import FloatArray, Mask
from cryoseg_ext.evaluation import match_picks
from cryoseg_ext.extract.candidates import Candidates
from cryoseg_ext.picks import Picks


def rank_candidates(candidates: Candidates) -> tuple[Candidates, Picks]:
    """Return candidates in descending order of the centre map, and the same as picks.

    In this order, the better one of two peaks on a particle is matched with it.
    """
    ranked = candidates.at(np.argsort(-candidates.features[:, 0], kind="stable"))
    return ranked, Picks(ranked.x_px, ranked.y_px, ranked.features[:, 0])


def label_candidates(
    candidates: Candidates, reference_xy_px: FloatArray, radius_px: float
) -> tuple[Candidates, Mask]:
    """Return the candidates of a micrograph, best first, and the ``(n,)`` mask of those that are particles.

    Parameters
    ----------
    candidates : Candidates
        Candidates of one micrograph.
    reference_xy_px : NDArray[np.float64]
        ``(m, 2)`` reference centres (x, y) in working pixels.
    radius_px : float
        Largest distance of a match in working pixels.
    """
    ranked, picks = rank_candidates(candidates)
    return ranked, match_picks(reference_xy_px, picks, radius_px)
