"""Procedural macromolecules as clouds of Gaussian beads.

The families below span the outlines of single-particle specimens at the resolution of picking: compact and
multi-domain proteins, complexes of every point group, hollow shells, stacked rings, rods, pieces of filaments
and membrane proteins in a detergent belt. For training, their diversity matters more than their detail.
Specimens read from files (`cryoseg_ext.simulation.structures`) can join them, as they are, distorted, or as
subunits of larger assemblies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy.spatial.transform import Rotation

from cryoseg_ext.arrays import FloatArray


@dataclass(frozen=True)
class Specimen:
    """A macromolecule as Gaussian beads, in units of its own maximum extent.

    Parameters
    ----------
    positions : NDArray[np.float64]
        ``(n, 3)`` bead centres (x, y, z), centre of mass at the origin, maximum extent 1.
    weights : NDArray[np.float64]
        ``(n,)`` bead masses, mean 1.
    bead_sigma : float
        Standard deviation of every bead as a fraction of the maximum extent.
    family : str
        Name of the family it was drawn from.
    """

    positions: FloatArray
    weights: FloatArray
    bead_sigma: float
    family: str


def in_ball(rng: Generator, n: int) -> FloatArray:
    """Return ``(n, 3)`` points uniform in the unit ball."""
    direction = rng.normal(size=(n, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return direction * rng.uniform(size=(n, 1)) ** (1 / 3)


def _n_beads(rng: Generator) -> int:
    """Return a random number of beads: few make a rough density, many a smooth one."""
    return int(rng.integers(300, 1500))


def domain(rng: Generator, n: int, elongation: float = 1.8) -> FloatArray:
    """Return ``(n, 3)`` points in a randomly turned ellipsoid of unit mean radius.

    Parameters
    ----------
    rng : np.random.Generator
        Source of shape, turn and points.
    n : int
        Number of points.
    elongation : float
        Largest ratio of two of its axes.
    """
    radii = np.exp(rng.uniform(-np.log(elongation), np.log(elongation), size=3) / 2)
    return Rotation.random(rng=rng).apply(in_ball(rng, n) * radii)


def _domain_chain(rng: Generator, n_domains: int, n_beads: int, straightness: float) -> FloatArray:
    """Return beads of touching domains, each attached to the previous one.

    `straightness`, in [0, 1], is the share of the previous direction that each step keeps.
    """
    centre, direction = np.zeros(3), in_ball(rng, 1)[0]
    parts = []
    for _ in range(n_domains):
        radius = rng.uniform(0.6, 1.3)
        parts.append(domain(rng, n_beads // n_domains + 1) * radius + centre)
        direction = straightness * direction + (1 - straightness) * rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        centre = centre + direction * radius * rng.uniform(1.1, 1.7)
    return np.concatenate(parts)


def _cyclic(asymmetric_unit: FloatArray, order: int) -> FloatArray:
    """Return the C`order` assembly of `asymmetric_unit` about z."""
    turns = Rotation.from_euler("z", 360.0 * np.arange(order)[:, None] / order, degrees=True)
    return np.concatenate([turn.apply(asymmetric_unit) for turn in turns])


def _globular(rng: Generator) -> FloatArray:
    return _domain_chain(rng, int(rng.integers(1, 6)), _n_beads(rng), straightness=rng.uniform(0, 0.5))


def _ellipsoid(rng: Generator) -> FloatArray:
    ball = in_ball(rng, _n_beads(rng))
    return ball * np.array([1.0, rng.uniform(0.35, 1), rng.uniform(0.35, 1)])


def _rod(rng: Generator) -> FloatArray:
    """Return an elongated multi-domain protein, up to five times longer than wide."""
    return _domain_chain(rng, int(rng.integers(3, 6)), _n_beads(rng), straightness=rng.uniform(0.7, 0.95))


def _filament(rng: Generator) -> FloatArray:
    """Return a short, straight piece of a helix, three to eight times longer than wide."""
    n, starts = int(rng.integers(8, 25)), int(rng.integers(1, 4))
    unit = domain(rng, max(_n_beads(rng) // (n * starts), 8)) + np.array([rng.uniform(0.2, 1.5), 0.0, 0.0])
    twist, rise = rng.uniform(20, 180), rng.uniform(0.6, 1.6)
    turns = Rotation.from_euler("z", twist * np.arange(n)[:, None], degrees=True)
    strand = [turn.apply(unit) + np.array([0.0, 0.0, rise * k]) for k, turn in enumerate(turns)]
    return _cyclic(np.concatenate(strand), starts)


_POINT_GROUPS = (*(f"C{n}" for n in range(2, 8)), *(f"D{n}" for n in range(2, 8)), "T", "O", "I")


def _symmetric(rng: Generator) -> FloatArray:
    group = Rotation.create_group(str(rng.choice(_POINT_GROUPS)))
    beads = max(_n_beads(rng) // len(group), 8)
    return _assemble(rng, _domain_chain(rng, int(rng.integers(1, 4)), beads, straightness=0.3), group)


def _assemble(rng: Generator, unit: FloatArray, group: Rotation) -> FloatArray:
    """Return copies of `unit`, of about unit radius, under `group`, moved out until they about touch."""
    direction = in_ball(rng, 1)[0]
    direction /= np.linalg.norm(direction)
    copies = group.apply(direction)
    nearest = np.sort(np.linalg.norm(copies - direction, axis=1))[1]
    offset = rng.uniform(1.0, 2.0) / max(nearest, 0.3)
    return np.concatenate([turn.apply(unit + offset * direction) for turn in group])


def _shell(rng: Generator) -> FloatArray:
    """Return a hollow cage or capsid: a smooth or lumpy wall, sometimes with a filled interior."""
    n_beads = int(rng.integers(600, 1800))
    wall = rng.uniform(0.12, 0.5)
    direction = in_ball(rng, n_beads)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    if rng.uniform() < 0.5:
        lumps = _fibonacci_sphere(int(rng.choice([12, 24, 32, 60, 90])))
        nearest = lumps[np.argmax(direction @ lumps.T, axis=1)]
        direction = direction + rng.uniform(0.2, 1.0) * (nearest - direction)
    points = direction * rng.uniform((1 - wall) ** 3, 1, size=(n_beads, 1)) ** (1 / 3)
    if rng.uniform() < 0.25:
        points = np.concatenate([points, in_ball(rng, n_beads // 2) * (1 - wall)])
    return points


def _fibonacci_sphere(n: int) -> FloatArray:
    """Return ``(n, 3)`` nearly evenly distributed directions."""
    k = np.arange(n) + 0.5
    polar, azimuth = np.arccos(1 - 2 * k / n), np.pi * (1 + 5**0.5) * k
    return np.stack([np.cos(azimuth) * np.sin(polar), np.sin(azimuth) * np.sin(polar), np.cos(polar)], axis=1)


def _barrel(rng: Generator) -> FloatArray:
    """Return stacked rings of subunits with an open or plugged channel."""
    order, rings = int(rng.integers(5, 13)), int(rng.integers(1, 5))
    radius = rng.uniform(0.9, 1.3) / np.sin(np.pi / order)
    unit = domain(rng, max(_n_beads(rng) // (order * rings), 4))
    stack = [
        _cyclic(unit * rng.uniform(0.8, 1.1) + np.array([radius, 0.0, 1.8 * ring]), order)
        for ring in range(rings)
    ]
    if rng.uniform() < 0.2:
        stack.append(in_ball(rng, 60) * radius * 0.6)
    return np.concatenate(stack)


def _membrane(rng: Generator) -> FloatArray:
    """Return a protein through a detergent belt, with soluble domains on one or both sides."""
    n_beads = _n_beads(rng)
    belt = in_ball(rng, n_beads // 2) * np.array([1.0, 1.0, rng.uniform(0.35, 0.6)])
    above = _domain_chain(rng, int(rng.integers(1, 4)), n_beads // 2, straightness=0.3)
    above *= rng.uniform(0.3, 0.6)
    above[:, 2] += 0.5 - above[:, 2].min()
    parts = [belt, above]
    if rng.uniform() < 0.4:
        below = domain(rng, n_beads // 4) * rng.uniform(0.25, 0.5)
        below[:, 2] -= 0.4 + below[:, 2].max()
        parts.append(below)
    return np.concatenate(parts)


FAMILIES: dict[str, tuple[float, Callable[[Generator], FloatArray]]] = {
    "globular": (0.15, _globular),
    "ellipsoid": (0.10, _ellipsoid),
    "rod": (0.10, _rod),
    "filament": (0.05, _filament),
    "symmetric": (0.20, _symmetric),
    "shell": (0.18, _shell),
    "barrel": (0.12, _barrel),
    "membrane": (0.10, _membrane),
}
"""Probability and generator of each family."""

LIBRARY_SHARE = 0.4
"""Probability of a specimen from the library, where one is given."""


def draw_specimen(rng: Generator, family: str | None = None, library: Sequence[Specimen] = ()) -> Specimen:
    """Return a random specimen.

    Parameters
    ----------
    rng : np.random.Generator
        Source of the specimen.
    family : str, optional
        Family of the specimen, a key of `FAMILIES`; by default drawn with their probabilities.
    library : sequence of Specimen
        Real structures to draw from as well, unless `family` is given; half of those drawn are distorted or
        built into larger assemblies.
    """
    if library and family is None and rng.uniform() < LIBRARY_SHARE:
        return _vary(rng, library[int(rng.integers(len(library)))])
    name = family or str(rng.choice(list(FAMILIES), p=[weight for weight, _ in FAMILIES.values()]))
    points = FAMILIES[name][1](rng)
    roughness = rng.uniform(0, 0.6)
    weights = 1 + roughness * rng.uniform(-1, 1, size=len(points))
    return centred(points, weights, rng.uniform(0.02, 0.06), name)


def _vary(rng: Generator, structure: Specimen) -> Specimen:
    """Return a structure as it is, stretched along its own axes, or as the subunit of an assembly."""
    points, weights, sigma = structure.positions, structure.weights, structure.bead_sigma
    kind = rng.uniform()
    if kind < 0.5:
        return structure
    if kind < 0.75:
        points = Rotation.random(rng=rng).apply(points) * np.exp(rng.normal(scale=0.2, size=3))
    else:
        group = Rotation.create_group(str(rng.choice(["C2", "C2", "C3", "C4", "C5", "D2", "D3", "T"])))
        kept = rng.uniform(size=len(points)) < 4000 / (len(points) * len(group))
        unit = Rotation.random(rng=rng).apply(points[kept]) * 2
        points, weights = _assemble(rng, unit, group), np.tile(weights[kept], len(group))
    return centred(points, weights, max(sigma, 0.025), structure.family)


def centred(points: FloatArray, weights: FloatArray, bead_sigma: float, family: str) -> Specimen:
    """Return beads with their centre of mass at the origin and a maximum extent of 1.

    Parameters
    ----------
    points : NDArray[np.float64]
        ``(n, 3)`` positions.
    weights : NDArray[np.float64]
        ``(n,)`` masses.
    bead_sigma : float
        Standard deviation of a bead as a fraction of the maximum extent.
    family : str
        Name of its family.
    """
    points = points - np.average(points, axis=0, weights=weights)
    extent = 2 * np.percentile(np.linalg.norm(points, axis=1), 98)
    return Specimen(points / extent * (1 - 2 * bead_sigma), weights / weights.mean(), bead_sigma, family)
