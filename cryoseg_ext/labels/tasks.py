"""What to label: particles and coordinates brought together with their micrographs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from cryoseg_ext.formats.micrographs import ListedMicrograph, read_micrographs
from cryoseg_ext.formats.names import match_names
from cryoseg_ext.formats.reading import read_located_picks
from cryoseg_ext.formats.refined import RefinedParticles, read_particles
from cryoseg_ext.formats.table import LocatedPicks
from cryoseg_ext.labels.batch import Labels, LabelTask
from cryoseg_ext.labels.canvas import Instances
from cryoseg_ext.labels.masks import MaskOptions, label_discs, label_particles
from cryoseg_ext.labels.volumes import read_particle_map
from cryoseg_ext.simulation.volume import Projector, make_projector

Located = TypeVar("Located", RefinedParticles, LocatedPicks)


def projection_tasks(
    in_parts: Path,
    drawer: Callable[[RefinedParticles, tuple[int, int], float], tuple[Labels, Instances]],
    in_mics: str | None,
    pixel_size_A: float | None,
) -> list[LabelTask]:
    """Return the micrographs of refined particles, to be labelled by projections of a map.

    Parameters
    ----------
    in_parts : Path
        The particles.
    drawer : callable
        From `projection_drawer`.
    in_mics : str, optional
        The micrographs: what `cryoseg_ext.formats.micrographs.read_micrographs` takes; by default they are
        found by their names in the particles.
    pixel_size_A : float, optional
        Å/px of the micrographs; by default from the files.

    Raises
    ------
    CryosegError
        If one of the files cannot be used.
    """
    return _tasks(read_particles(in_parts), in_parts, in_mics, pixel_size_A, drawer, len)


def projection_drawer(
    in_map: Path, in_mask: Path | None, diameter_A: float | None, options: MaskOptions
) -> Callable[[RefinedParticles, tuple[int, int], float], tuple[Labels, Instances]]:
    """Return what draws the projections of a map at the poses of the particles of one micrograph.

    Parameters
    ----------
    in_map, in_mask : Path
        The map that the particles were refined against, and a mask for it.
    diameter_A : float, optional
        Maximum extent of the particle in Å; by default measured in the map.
    options : MaskOptions
        How the projections become masks.

    Raises
    ------
    CryosegError
        If the map or the mask cannot be used.
    """
    particle_map = read_particle_map(in_map, in_mask)
    projector = make_projector(particle_map.density, particle_map.pixel_size_A)
    return partial(_draw_particles, projector, diameter_A or particle_map.extent_A, options)


def disc_tasks(
    in_coords: Path, in_mics: str | None, diameter_A: float, pixel_size_A: float | None, *, soft: bool
) -> list[LabelTask]:
    """Return the micrographs of coordinates, to be labelled by discs.

    Parameters
    ----------
    in_coords : Path
        The coordinates.
    in_mics, pixel_size_A
        As in `projection_tasks`.
    diameter_A : float
        Of the discs in Å.
    soft : bool
        Whether the discs fall off towards their rims.

    Raises
    ------
    CryosegError
        If one of the files cannot be used.
    """
    drawer = partial(_draw_discs, diameter_A, soft)
    located = read_located_picks(in_coords)
    return _tasks(located, in_coords, in_mics, pixel_size_A, drawer, lambda one: len(one.picks))


def _draw_particles(
    projector: Projector,
    diameter_A: float,
    options: MaskOptions,
    particles: RefinedParticles,
    shape: tuple[int, int],
    pixel_size_A: float,
) -> tuple[Labels, Instances]:
    return label_particles(projector, particles, shape, pixel_size_A, diameter_A, options)


def _draw_discs(
    diameter_A: float, soft: bool, located: LocatedPicks, shape: tuple[int, int], pixel_size_A: float
) -> tuple[Labels, Instances]:
    centres_px = np.stack([located.picks.x_px, located.picks.y_px], axis=1)
    return label_discs(centres_px, shape, diameter_A / pixel_size_A, soft=soft)


def _tasks(
    particles_of: Mapping[str, Located],
    listed_in: Path,
    in_mics: str | None,
    pixel_size_A: float | None,
    drawer: Callable[[Located, tuple[int, int], float], tuple[Labels, Instances]],
    count: Callable[[Located], int],
) -> list[LabelTask]:
    if in_mics is None:
        found = {name: find_beside(name, listed_in) for name in particles_of}
        micrographs = {name: ListedMicrograph(name, path) for name, path in found.items() if path}
        matched = {name: name for name in particles_of}
    else:
        micrographs = dict(read_micrographs([in_mics]).by_name)
        matched = match_names(list(particles_of), list(micrographs))
    tasks = []
    for name, particles in particles_of.items():
        own_name = matched.get(name, name)
        size_A, path, draw = pixel_size_A or particles.pixel_size_A, None, partial(drawer, particles)
        if micrograph := micrographs.get(own_name):
            size_A, path = size_A or micrograph.pixel_size_A, micrograph.path
        tasks.append(LabelTask(own_name, path, particles.shape, size_A, count(particles), draw))
    return tasks


def find_beside(name: str, listed_in: Path) -> Path | None:
    """Return the file that a list names from a project folder: the current one, or one above the list."""
    roots: Iterable[Path] = [Path(), *listed_in.absolute().parents]
    return next((root / name for root in roots if (root / name).is_file()), None)
