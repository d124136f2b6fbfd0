"""The carbon film around a hole of the grid.

Protein in ice scatters by the 2.7 V between its mean inner potential and that of the ice it displaces, over
20 to 150 Å; carbon by all of its 9 V, over 80 to 200 Å. So a film shifts the phase two to thirty times as
much as a particle. Its atoms lie almost at random, which makes white noise that the contrast transfer
modulates, as Thon rings show.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cryoseg_ext.arrays import FloatArray, Image
from cryoseg_ext.simulation.placement import smooth_field

CARBON_POTENTIAL_V = 9.1
"""Mean inner potential of amorphous carbon in V (Wanner et al. 2006)."""
ATOMS_PER_A3 = 0.088
"""Atoms per Å^3 of amorphous carbon at 1.75 g/cm^3."""
THICKNESS_A = (80.0, 200.0)
"""Range of a film's thickness in Å."""
BEVEL_A = (20.0, 300.0)
"""Range of the width, in Å, over which the edge of a film rises to its full thickness."""
RIM_SHARE, RIM_A = 0.4, (30.0, 400.0)
"""Share of the films whose edge is thicker than the rest, and range of the width of that rim in Å."""
CONTINUOUS_SHARE = 0.15
"""Share of the films, of those without particles, that cover the whole field."""


@dataclass(frozen=True)
class Film:
    """A carbon film with one round hole.

    Parameters
    ----------
    x_px, y_px, radius_px : float
        Centre and radius of the hole in px.
    """

    x_px: float
    y_px: float
    radius_px: float

    def beyond_px(self, x_px: FloatArray, y_px: FloatArray) -> FloatArray:
        """Return the distance in px of points from the edge of the hole, positive on the film."""
        return np.hypot(x_px - self.x_px, y_px - self.y_px) - self.radius_px


def draw_film(rng: np.random.Generator, shape: tuple[int, int], *, continuous: bool = False) -> Film:
    """Return a random film that covers part of a ``(y, x)`` field, but never its middle, or all of it.

    Parameters
    ----------
    rng : np.random.Generator
        Decides everything.
    shape : tuple of int
        ``(y, x)`` in px.
    continuous : bool
        Whether it covers the field.
    """
    if continuous:
        return Film(-10.0 * max(shape), -10.0 * max(shape), float(max(shape)))
    radius_px = rng.uniform(0.8, 4) * max(shape)
    toward = rng.uniform(0, 2 * np.pi)
    away_px = radius_px - rng.uniform(0.1, 0.5) * max(shape)
    x_px, y_px = shape[1] / 2 + away_px * np.cos(toward), shape[0] / 2 + away_px * np.sin(toward)
    return Film(float(x_px), float(y_px), float(radius_px))


def draw_potential(rng: np.random.Generator, beyond_px: FloatArray, pixel_size_A: float) -> Image:
    """Return the ``(y, x)`` projected potential of a film of random thickness and texture, in V Å.

    Parameters
    ----------
    rng : np.random.Generator
        Source of the thickness, the texture and the slope of the edge.
    beyond_px : NDArray[np.float64]
        ``(y, x)`` distance from the edge of the hole in px, see `Film.beyond_px`.
    pixel_size_A : float
        Å/px.
    """
    shape = (beyond_px.shape[0], beyond_px.shape[1])
    thickness_A, bevel_A = (np.exp(rng.uniform(*np.log(span))) for span in (THICKNESS_A, BEVEL_A))
    thickness = thickness_A * np.clip(beyond_px * pixel_size_A / bevel_A, 0, 1)
    if rng.uniform() < RIM_SHARE:
        rim_A = np.exp(rng.uniform(*np.log(RIM_A)))
        thickness *= 1 + rng.uniform(0.3, 3) * np.exp(-((beyond_px * pixel_size_A / rim_A) ** 2))
    unevenness = rng.uniform(0, 0.05) * smooth_field(rng, shape, rng.uniform(30, 150) / pixel_size_A)
    # The number of atoms under a pixel varies as in a gas, times the structure factor.
    structure_factor = np.exp(rng.uniform(np.log(0.15), np.log(1.0)))
    variance = thickness * structure_factor / ATOMS_PER_A3 / pixel_size_A**2
    atoms = np.sqrt(variance) * rng.standard_normal(shape, dtype=np.float32)
    return (CARBON_POTENTIAL_V * (thickness * (1 + unevenness) + atoms)).astype(np.float32)
