"""Contaminants of a micrograph other than carbon film: ice, aggregates, fragments, gold.

Each kind is drawn as two ``(y, x)`` images: its projected density, and the density that a particle needs to
show through it, 0 where there is nothing. The unit is that of the molecule's density for pieces of the
molecule, and the typical density of a particle for all others.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cryoseg_ext.arrays import Image, Mask
from cryoseg_ext.simulation.ice import draw_bubbles, draw_crystalline, draw_grains
from cryoseg_ext.simulation.outlines import Drawing, above, ragged_disc
from cryoseg_ext.simulation.placement import blur, draw_orientations, project, smooth_field, typical_density
from cryoseg_ext.simulation.specimens import Specimen


def _ice_crystals(rng: Generator, shape: tuple[int, int], diameter_px: float) -> Drawing:
    density = np.zeros(shape, np.float32)
    for _ in range(int(rng.integers(1, 5))):
        radius = diameter_px * np.exp(rng.uniform(np.log(0.3), np.log(2.5)))
        blob = ragged_disc(rng, shape, radius, rng.uniform(0, 0.6), 0.15 * radius)
        density += blob * np.float32(rng.uniform(1.0, 6.0))
    return density, above(density, 0.5)


def _gold(rng: Generator, shape: tuple[int, int], diameter_px: float) -> Drawing:
    density = np.zeros(shape, np.float32)
    radius = diameter_px * rng.uniform(0.15, 0.6)
    for _ in range(int(rng.integers(1, 4))):
        density += ragged_disc(rng, shape, radius, 0.0) * np.float32(rng.uniform(6, 20))
    return density, above(density, 0.5)


def _streaks(rng: Generator, shape: tuple[int, int], diameter_px: float) -> Drawing:
    """Draw one long straight feature, such as a fibre, a crack or the edge of a film."""
    angle, width = rng.uniform(0, np.pi), diameter_px * rng.uniform(0.1, 0.5)
    y, x = np.ogrid[: shape[0], : shape[1]]
    offset = (x - rng.uniform(0, shape[1])) * np.cos(angle) + (y - rng.uniform(0, shape[0])) * np.sin(angle)
    density = (np.abs(offset) < width / 2) * np.float32(rng.uniform(0.7, 3))
    return density, density


def _haze(rng: Generator, shape: tuple[int, int], diameter_px: float) -> Drawing:
    """Draw mottled patches of crystalline or dirty ice, which have no sharp outline."""
    patch = np.clip(smooth_field(rng, shape, diameter_px * rng.uniform(1, 4)) - rng.uniform(0, 1.5), 0, 1)
    mottle = smooth_field(rng, shape, diameter_px * rng.uniform(0.05, 0.2))
    strength = (patch * rng.uniform(0.5, 2.0)).astype(np.float32)
    return strength * mottle, np.where(patch > 0.5, strength, 0)


def _piece(specimen: Specimen, kept: NDArray[Any]) -> Specimen:
    """Return the beads at `kept`, an index or a mask, about their own centre."""
    positions = specimen.positions[kept]
    return replace(specimen, positions=positions - positions.mean(axis=0), weights=specimen.weights[kept])


def _scatter(rng: Generator, piece: Specimen, n: int, shape: tuple[int, int], diameter_px: float) -> Image:
    """Return the projected density of `n` pieces in random poses."""
    centres = rng.uniform(size=(n, 2)) * np.array(shape[::-1])
    return project(piece, draw_orientations(rng, n, False), centres, shape, diameter_px)


def _fragments(rng: Generator, shape: tuple[int, int], diameter_px: float, specimen: Specimen) -> Drawing:
    """Draw broken particles: at most two fifths of the mass, cut off by a plane."""
    along = specimen.positions @ draw_orientations(rng, 1, False).as_matrix()[0, 0]
    piece = _piece(specimen, along > np.quantile(along, rng.uniform(0.6, 0.85)))
    density = _scatter(rng, piece, int(rng.integers(2, 40)), shape, diameter_px)
    return density, above(density, 0.3 * float(density.max()))


def _debris(rng: Generator, shape: tuple[int, int], diameter_px: float, specimen: Specimen) -> Drawing:
    """Draw small pieces all over the field, each at most a tenth of the mass and too faint to outline."""
    n_beads = max(int(len(specimen.positions) * rng.uniform(0.02, 0.1)), 4)
    first = specimen.positions[int(rng.integers(len(specimen.positions)))]
    piece = _piece(specimen, np.argsort(((specimen.positions - first) ** 2).sum(axis=1))[:n_beads])
    n = int(rng.uniform(0.2, 1.5) * shape[0] * shape[1] / diameter_px**2)
    return _scatter(rng, piece, n, shape, diameter_px), np.zeros(shape, np.float32)


def _unfolded(rng: Generator, shape: tuple[int, int], diameter_px: float, specimen: Specimen) -> Drawing:
    """Draw molecules unfolded at the air-water interface: as large as particles, fainter, without detail."""
    n = int(rng.uniform(0.03, 0.4) * shape[0] * shape[1] / diameter_px**2)
    centres = rng.uniform(size=(n, 2)) * np.array(shape[::-1])
    mass = rng.uniform(0.3, 1.0, size=n)
    density = project(specimen, draw_orientations(rng, n, False), centres, shape, diameter_px, mass)
    return blur(density, rng.uniform(0.1, 0.25) * diameter_px), np.zeros(shape, np.float32)


def _aggregates(rng: Generator, shape: tuple[int, int], diameter_px: float, specimen: Specimen) -> Drawing:
    """Draw clumps of particles on top of each other, too close to distinguish."""
    parts = []
    for _ in range(int(rng.integers(1, 4))):
        n = int(rng.integers(6, 25))
        spread = 0.22 * diameter_px * np.sqrt(n)
        clump = rng.uniform(size=2) * np.array(shape[::-1]) + rng.normal(scale=spread, size=(n, 2))
        # A molecule far from the others would look like an intact particle.
        second_nearest_px = np.sort(np.linalg.norm(clump[:, None] - clump, axis=-1), axis=1)[:, 2]
        parts.append(clump[second_nearest_px < 0.6 * diameter_px])
    centres = np.concatenate(parts)
    density = project(specimen, draw_orientations(rng, len(centres), False), centres, shape, diameter_px)
    return density, above(density, 0.15 * float(density.max()))


def draw_contaminants(
    rng: Generator, particles: Image, outline: Mask, diameter_px: float, specimen: Specimen
) -> tuple[Image, Mask]:
    """Return the projected density of random contaminants, and their positions.

    Parameters
    ----------
    rng : np.random.Generator
        Source of their kinds, numbers and positions.
    particles : NDArray[np.float32]
        ``(y, x)`` projected density of the particles, whose typical value sets that of the contaminants.
    outline : NDArray[np.bool_]
        ``(y, x)`` pixels of the particles.
    diameter_px : float
        Maximum extent of the particles in px.
    specimen : Specimen
        The molecule, for its fragments and aggregates.

    Returns
    -------
    density : NDArray[np.float32]
        ``(y, x)`` density of the contaminants alone.
    mask : NDArray[np.bool_]
        ``(y, x)`` pixels of a contaminant through which no particle shows.
    """
    shape = (particles.shape[0], particles.shape[1])
    if particles.any():
        level = np.float32(typical_density(particles))
    else:
        middle = np.array([[shape[1] / 2, shape[0] / 2]])
        one = project(specimen, draw_orientations(rng, 1, False), middle, shape, diameter_px)
        level = np.float32(typical_density(one))
    visible = np.where(outline, np.maximum(particles, level), 0)
    density, mask = np.zeros(shape, np.float32), np.zeros(shape, np.bool_)
    films = {
        _ice_crystals: 0.35,
        _gold: 0.12,
        _streaks: 0.12,
        _haze: 0.12,
        draw_grains: 0.2,
        draw_crystalline: 0.1,
        draw_bubbles: 0.04,
    }
    for draw, probability in films.items():
        if rng.uniform() < probability:
            extra, hides = draw(rng, shape, diameter_px)
            density, mask = density + extra * level, mask | (hides * level > visible)
    pieces = {_fragments: 0.6, _aggregates: 0.25, _debris: 0.25, _unfolded: 0.5}
    for draw_pieces, probability in pieces.items():
        if rng.uniform() < probability:
            extra, hides = draw_pieces(rng, shape, diameter_px, specimen)
            density, mask = density + extra, mask | (hides > visible)
    return density, mask
