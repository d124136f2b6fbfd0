"""How good a micrograph is: numbers by which a user sorts micrographs and drops the bad ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.picks import Picks

Mask = NDArray[np.bool_]

FILM_PARTICLES = 10
"""A contaminated area as large as this many particles is counted as film."""
_DIGITS = 4


@dataclass(frozen=True)
class AreaShares:
    """Parts of a micrograph's area, each from 0 to 1.

    They hold what the network recognises: carbon is often marked only near its edge, and what looks like
    background is not marked at all.

    Parameters
    ----------
    contaminated : float
        Ice crystals, dirt, aggregates, carbon and thick ice.
    film : float
        The part of it in areas larger than `FILM_PARTICLES` particles: carbon or thick ice, not crystals.
    dead : float
        Borders and patches without an image.
    """

    contaminated: float
    film: float
    dead: float

    @property
    def usable(self) -> float:
        """What is neither contaminated nor dead."""
        return round(1 - self.contaminated - self.dead, _DIGITS)


@dataclass(frozen=True)
class MicrographQuality:
    """The quality measures of a micrograph.

    Parameters
    ----------
    n_picks : int
        Number of picks at or above the threshold.
    mean_score : float
        Their mean score; 0 where there are none.
    areas : AreaShares
        What the area consists of; it does not depend on the threshold.
    """

    n_picks: int
    mean_score: float
    areas: AreaShares


def measure_areas(contaminated: Mask, valid: Mask, diameter_px: float) -> AreaShares:
    """Return the shares of a micrograph's area that are contaminated, film and dead.

    Parameters
    ----------
    contaminated : NDArray[np.bool_]
        ``(y, x)`` where the network sees a contaminant.
    valid : NDArray[np.bool_]
        ``(y, x)``, False in dead borders and patches; contamination counts only where it is True.
    diameter_px : float
        Particle diameter in pixels of the masks.
    """
    from scipy.ndimage import label

    dirt = contaminated & valid
    areas, _ = label(dirt)
    sizes_px = np.bincount(areas.ravel())[1:]
    film_px = sizes_px[sizes_px > FILM_PARTICLES * np.pi / 4 * diameter_px**2].sum()
    # Rounded as they are stored, so that a fresh run and Continue agree.
    return AreaShares(
        *(round(float(px) / dirt.size, _DIGITS) for px in (sizes_px.sum(), film_px, np.sum(~valid)))
    )


def assess(picks: Picks, areas: AreaShares) -> MicrographQuality:
    """Return the quality of a micrograph with these picks, all at or above the threshold."""
    return MicrographQuality(len(picks), float(np.mean(picks.score)) if len(picks) else 0.0, areas)
