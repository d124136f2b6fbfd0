"""Bad ice: crystalline ice, grains that settled on it, and bubbles of radiation damage.

Diffraction takes electrons out of the image, so a crystal is dark or bright over its whole area, where the
contrast transfer of a weak phase object would leave only its rim. The densities here are so much higher than
those of particles that the amplitude contrast, a tenth, shows as much.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from cryoseg_ext.arrays import Image
from cryoseg_ext.simulation.outlines import Drawing, above, log_uniform, ragged_disc
from cryoseg_ext.simulation.placement import smooth_field

_WHOLE_FIELD = 0.6
"""Share of the crystalline fields without a vitreous part."""
_VISIBLE = 2.0
"""Strength, in typical densities of a particle, from which a mottle counts as contamination."""


def draw_crystalline(rng: Generator, shape: tuple[int, int], diameter_px: float) -> Drawing:
    """Draw crystalline ice: a mottle of dark and bright domains of a quarter to two particles.

    Parameters
    ----------
    rng : np.random.Generator
        Decides everything.
    shape : tuple of int
        ``(y, x)`` in px.
    diameter_px : float
        Maximum extent of the particles in px.
    """
    where = _part(rng, shape, diameter_px)
    length_px = diameter_px * log_uniform(rng, 0.25, 1.5)
    mottle = smooth_field(rng, shape, length_px)
    mottle = mottle + rng.uniform(0, 0.6) * smooth_field(rng, shape, 0.35 * length_px)
    if skew := rng.uniform(0, 0.6):
        mottle = np.expm1(skew * mottle) / skew
    # Domains that happen to lie in a Bragg condition.
    grains = np.clip(smooth_field(rng, shape, diameter_px * log_uniform(rng, 0.15, 0.6)) - 1.8, 0, 1)
    strength = log_uniform(rng, 1.5, 20)
    density = (where * strength * (mottle + rng.uniform(0, 6) * grains)).astype(np.float32)
    hides = np.where((where > 0.5) & (strength > _VISIBLE), np.float32(0.1 * strength), np.float32(0))
    return density, hides


def draw_grains(rng: Generator, shape: tuple[int, int], diameter_px: float) -> Drawing:
    """Draw many sharp grains of ice, smaller than a particle to somewhat larger, single or grown together.

    Parameters
    ----------
    rng, shape, diameter_px
        As in `draw_crystalline`.
    """
    density = np.zeros(shape, np.float32)
    per_area = shape[0] * shape[1] / diameter_px**2
    middle, spread = log_uniform(rng, 0.15, 0.8), rng.uniform(0.1, 0.6)
    strength, raggedness = log_uniform(rng, 2, 20), rng.uniform(0, 0.4)
    for _ in range(1 + int(log_uniform(rng, 0.01, 0.15) * per_area)):
        radius_px = diameter_px * middle * np.exp(spread * rng.normal())
        at = rng.uniform(size=2) * np.array(shape)
        for _ in range(1 + int(rng.geometric(0.7) > 1)):
            blob = ragged_disc(rng, shape, radius_px, raggedness, 0.06 * radius_px, at)
            density = np.maximum(density, blob * np.float32(strength * rng.uniform(0.6, 1.4)))
            at = at + radius_px * rng.normal(size=2)
    return density, above(density, 0.5)


def draw_bubbles(rng: Generator, shape: tuple[int, int], diameter_px: float) -> Drawing:
    """Draw a patch that bubbles in the beam: bright holes beside dark walls, tightly packed.

    Parameters
    ----------
    rng, shape, diameter_px
        As in `draw_crystalline`.
    """
    where = _part(rng, shape, diameter_px)
    froth = smooth_field(rng, shape, diameter_px * log_uniform(rng, 0.1, 0.4))
    strength = log_uniform(rng, 4, 30)
    density = (where * strength * np.where(froth < 0, 1.5 * froth, froth)).astype(np.float32)
    return density, np.where(where > 0.5, np.float32(strength), np.float32(0))


def _part(rng: Generator, shape: tuple[int, int], diameter_px: float) -> Image:
    """Return 1 in the whole field or in parts of it, with a soft edge, and 0 elsewhere."""
    if rng.uniform() < _WHOLE_FIELD:
        return np.ones(shape, np.float32)
    field = smooth_field(rng, shape, diameter_px * rng.uniform(2, 6)) - rng.uniform(-0.3, 1.0)
    return np.clip(rng.uniform(2, 8) * field, 0, 1).astype(np.float32)
