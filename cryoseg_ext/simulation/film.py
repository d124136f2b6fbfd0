"""The carbon film around a hole of the grid.

Protein in ice scatters by the 2.7 V between its mean inner potential and that of the ice it displaces, over
the 20 to 150 Å of protein that a projection holds; carbon by all of its 9 V, over 80 to 200 Å. So a film
shifts the phase two to thirty times as much as a particle. Its atoms lie at random, up to the distance they
keep: that makes white noise, which the contrast transfer modulates, as Thon rings show.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.simulation.placement import Image, smooth_field

CARBON_POTENTIAL_V = 9.1
"""Mean inner potential of amorphous carbon (Wanner et al. 2006)."""
ATOMS_PER_A3 = 0.088
"""Of amorphous carbon at 1.75 g/cm^3."""
THICKNESS_A = (80.0, 200.0)
BEVEL_A = (20.0, 300.0)
"""Width of the edge, over which the film gets thick."""


@dataclass(frozen=True)
class Film:
    """Carbon everywhere outside a round hole.

    Parameters
    ----------
    x_px, y_px, radius_px : float
        Centre and radius of the hole.
    """

    x_px: float
    y_px: float
    radius_px: float

    def beyond_px(self, x_px: NDArray[np.float64], y_px: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how far points are from the edge of the hole: positive on the film, negative in the hole."""
        distance: NDArray[np.float64] = np.hypot(x_px - self.x_px, y_px - self.y_px) - self.radius_px
        return distance


def draw_film(rng: np.random.Generator, shape: tuple[int, int]) -> Film:
    """Return a film that covers a part of a ``(y, x)`` field, and never its middle."""
    radius_px = rng.uniform(0.8, 4) * max(shape)
    toward = rng.uniform(0, 2 * np.pi)
    away_px = radius_px - rng.uniform(0.1, 0.5) * max(shape)
    x_px, y_px = shape[1] / 2 + away_px * np.cos(toward), shape[0] / 2 + away_px * np.sin(toward)
    return Film(float(x_px), float(y_px), float(radius_px))


def draw_potential(rng: np.random.Generator, beyond_px: NDArray[np.float64], pixel_size_A: float) -> Image:
    """Return the ``(y, x)`` projected potential of a film of random thickness and texture, in V Å.

    Parameters
    ----------
    rng : np.random.Generator
        Decides thickness, texture and the slope of the edge.
    beyond_px : NDArray[np.float64]
        ``(y, x)``, see `Film.beyond_px`.
    pixel_size_A : float
        Å/px.
    """
    shape = (beyond_px.shape[0], beyond_px.shape[1])
    thickness_A, bevel_A = (np.exp(rng.uniform(*np.log(span))) for span in (THICKNESS_A, BEVEL_A))
    thickness = thickness_A * np.clip(beyond_px * pixel_size_A / bevel_A, 0, 1)
    unevenness = rng.uniform(0, 0.05) * smooth_field(rng, shape, rng.uniform(30, 150) / pixel_size_A)
    # The number of atoms under a pixel varies as that of a gas, less by the structure factor.
    structure_factor = np.exp(rng.uniform(np.log(0.15), np.log(1.0)))
    variance = thickness * structure_factor / ATOMS_PER_A3 / pixel_size_A**2
    atoms = np.sqrt(variance) * rng.standard_normal(shape, dtype=np.float32)
    potential: Image = (CARBON_POTENTIAL_V * (thickness * (1 + unevenness) + atoms)).astype(np.float32)
    return potential
