"""Quality measures of a micrograph, by which a user sorts micrographs and drops bad ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cryoseg_ext.arrays import Mask
from cryoseg_ext.picks import Picks

FILM_PARTICLES = 10
"""A contaminated area larger than this many particles counts as film, not as crystals."""
_DIGITS = 4
"""Decimal digits of a share, as stored in files: a fresh run and a continued one agree."""


@dataclass(frozen=True)
class AreaShares:
    """Shares of a micrograph's area, each from 0 to 1.

    They cover what the network recognises: carbon is often marked only near its edge, and what looks like
    background is not marked.

    Parameters
    ----------
    contaminated : float
        Ice crystals, dirt, aggregates, carbon and thick ice.
    film : float
        Share of contaminated areas larger than `FILM_PARTICLES` particles: carbon or thick ice.
    dead : float
        Borders and patches without an image.
    """

    contaminated: float
    film: float
    dead: float

    @property
    def usable(self) -> float:
        """Share that is neither contaminated nor dead."""
        return round(1 - self.contaminated - self.dead, _DIGITS)


@dataclass(frozen=True)
class MicrographQuality:
    """The quality measures of a micrograph.

    Parameters
    ----------
    n_picks : int
        Number of picks at or above the threshold.
    mean_score : float
        Mean score of these picks; 0 without any.
    areas : AreaShares
        Shares of the area; they do not depend on the threshold.
    """

    n_picks: int
    mean_score: float
    areas: AreaShares


def measure_areas(contaminated: Mask, valid: Mask, diameter_px: float) -> AreaShares:
    """Return the shares of a micrograph's area that are contaminated, film and dead.

    Parameters
    ----------
    contaminated : NDArray[np.bool_]
        ``(y, x)``, True where the network predicts a contaminant.
    valid : NDArray[np.bool_]
        ``(y, x)``, False in dead borders and patches; contamination counts only where it is True.
    diameter_px : float
        Particle diameter in pixels of the masks.
    """
    from scipy.ndimage import label

    dirt = contaminated & valid
    areas, _ = label(dirt)
    sizes_px = np.bincount(areas[dirt])[1:]
    film_px = sizes_px[sizes_px > smallest_film_px(diameter_px)].sum()
    return AreaShares(
        *(round(float(px) / dirt.size, _DIGITS) for px in (sizes_px.sum(), film_px, np.sum(~valid)))
    )


def smallest_film_px(diameter_px: float) -> float:
    """Return the area in pixels above which contamination counts as film."""
    return FILM_PARTICLES * np.pi / 4 * diameter_px**2


def assess(picks: Picks, areas: AreaShares) -> MicrographQuality:
    """Return the quality of a micrograph from its picks at or above the threshold, and its areas."""
    return MicrographQuality(len(picks), float(np.mean(picks.score)) if len(picks) else 0.0, areas)
