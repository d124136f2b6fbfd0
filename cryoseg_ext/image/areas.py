"""Quality measures of a micrograph, by which a user sorts micrographs and drops bad ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from cryoseg_ext.arrays import Image, Mask
from cryoseg_ext.picks import Picks

FILM_PARTICLES = 10
"""An even contaminated area larger than this many particles counts as film, not as crystals."""
DEAD, FILM, HIDDEN, MOTTLED, CONTAMINATED = 0.5, 0.18, 0.25, 0.25, 0.15
"""Shares of the area from which each is the verdict, in this order; what is contaminated hides particles, and
counts more than a mottle where there is much of it, less where there is little."""
FEW = 0.06
"""Picks below this part of the particles that would lie side by side in the usable area are few."""
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
        Share of even contaminated areas larger than `FILM_PARTICLES` particles: carbon or thick ice.
    dead : float
        Borders and patches without an image.
    mottled : float
        Crystalline ice, with the particles in it, beside contaminants.
    """

    contaminated: float
    film: float
    dead: float
    mottled: float = 0.0

    @property
    def usable(self) -> float:
        """Share that is neither contaminated nor dead."""
        return round(1 - self.contaminated - self.dead, _DIGITS)


class Verdict(IntEnum):
    """What a micrograph is good for, by the number that is written; from 2 on something is wrong with it."""

    GOOD = 1
    FEW_PARTICLES = 2
    CONTAMINATED = 3
    CRYSTALLINE_ICE = 4
    CARBON_OR_EDGE = 5
    DEAD = 6

    @property
    def words(self) -> str:
        """The verdict as text."""
        return self.name.replace("_", " ").lower()


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
    verdict : Verdict
        What follows from them.
    """

    n_picks: int
    mean_score: float
    areas: AreaShares
    verdict: Verdict


def measure_areas(
    contaminated: Mask, crystalline: Mask, valid: Mask, image: Image, diameter_px: float
) -> AreaShares:
    """Return the shares of a micrograph's area that are contaminated, film, dead and mottled.

    Parameters
    ----------
    contaminated : NDArray[np.bool_]
        ``(y, x)``, True where a contaminant is likelier than not.
    crystalline : NDArray[np.bool_]
        ``(y, x)``, True where the ice is, see `cryoseg_ext.image.mottle.crystalline_ice`.
    valid : NDArray[np.bool_]
        ``(y, x)``, False in dead borders and patches; all else counts only where it is True.
    image : NDArray[np.float32]
        ``(y, x)`` normalised grey values.
    diameter_px : float
        Particle diameter in pixels of the masks.
    """
    from scipy.ndimage import label

    from cryoseg_ext.image.mottle import UNEVEN, is_filtered, is_mottled

    dirt = contaminated & valid
    areas, _ = label(dirt)
    large = np.bincount(areas.ravel()) > smallest_film_px(diameter_px)
    film = large[areas] & dirt
    uneven = film.any() and not is_filtered(image)
    even = film & ~is_mottled(image, film, diameter_px, UNEVEN) if uneven else film
    parts = (dirt, even, ~valid, crystalline & valid & ~dirt)
    return AreaShares(*(round(float(part.mean()), _DIGITS) for part in parts))


def smallest_film_px(diameter_px: float) -> float:
    """Return the area in pixels above which contamination counts as film."""
    return FILM_PARTICLES * np.pi / 4 * diameter_px**2


def n_fitting(shape: tuple[int, ...], pixel_size_A: float, diameter_A: float, areas: AreaShares) -> float:
    """Return how many circles of the particle diameter fill the usable area of a micrograph, side by side.

    Parameters
    ----------
    shape : tuple of int
        ``(y, x)`` of the micrograph in px.
    pixel_size_A : float
        Å/px.
    diameter_A : float
        Particle diameter.
    areas : AreaShares
        Shares of its area.
    """
    usable_A2 = math.prod(shape) * pixel_size_A**2 * areas.usable
    # In hexagonal packing, the densest there is.
    return usable_A2 / (math.sqrt(3) / 2 * diameter_A**2)


def assess(picks: Picks, areas: AreaShares, n_fitting: float) -> MicrographQuality:
    """Return the quality of a micrograph.

    Parameters
    ----------
    picks : Picks
        The picks at or above the threshold.
    areas : AreaShares
        Shares of its area.
    n_fitting : float
        Number of particles that would fill the usable area.
    """
    mean_score = float(np.mean(picks.score)) if len(picks) else 0.0
    return MicrographQuality(len(picks), mean_score, areas, _judge(len(picks), areas, n_fitting))


def _judge(n_picks: int, areas: AreaShares, n_fitting: float) -> Verdict:
    if areas.dead >= DEAD:
        return Verdict.DEAD
    if areas.film >= FILM:
        return Verdict.CARBON_OR_EDGE
    if areas.contaminated >= HIDDEN:
        return Verdict.CONTAMINATED
    if areas.mottled >= MOTTLED:
        return Verdict.CRYSTALLINE_ICE
    if areas.contaminated >= CONTAMINATED:
        return Verdict.CONTAMINATED
    return Verdict.FEW_PARTICLES if n_picks < FEW * n_fitting else Verdict.GOOD
