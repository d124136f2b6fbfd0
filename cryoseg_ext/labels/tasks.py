"""What to label: particles and coordinates brought together with their micrographs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from cryoseg_ext.formats.convert import bring_picks
from cryoseg_ext.formats.micrographs import ListedMicrograph, MicrographList, read_micrographs
from cryoseg_ext.formats.names import match_names
from cryoseg_ext.formats.paths import exists
from cryoseg_ext.formats.reading import read_located_picks
from cryoseg_ext.formats.refined import RefinedParticles, read_particles
from cryoseg_ext.formats.scaling import scale_to
from cryoseg_ext.formats.table import LocatedPicks
from cryoseg_ext.labels.batch import Labels, LabelTask
from cryoseg_ext.labels.canvas import Instances
from cryoseg_ext.labels.masks import MaskOptions, label_discs, label_particles
from cryoseg_ext.labels.volumes import read_particle_map
from cryoseg_ext.simulation.volume import Projector, make_projector
from cryoseg_ext.words import note

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
    particles = read_particles(in_parts)
    listed, matched = _micrographs(particles, in_parts, in_mics)
    return _tasks(particles, listed, matched, pixel_size_A, drawer, len)


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
    listed, matched = _micrographs(located, in_coords, in_mics)
    if pixel_size_A:
        stated = {name: replace(one, pixel_size_A=pixel_size_A) for name, one in listed.by_name.items()}
        listed = replace(listed, by_name=stated)
    located = _on_micrographs(located, listed, matched, own=in_mics is None)
    return _tasks(located, listed, matched, pixel_size_A, drawer, lambda one: len(one.picks))


def _on_micrographs(
    located: Mapping[str, LocatedPicks], listed: MicrographList, matched: Mapping[str, str], *, own: bool
) -> dict[str, LocatedPicks]:
    """Return picks in pixels of their micrographs, without those that do not fit theirs."""
    found = {name: one for name, one in located.items() if matched.get(name) in listed.by_name}
    brought = bring_picks(found, listed, None, flip_y=False, own=own)
    for sentence in (*brought.remarks, *brought.skipped):
        note(sentence)
    on_micrographs = {name: one for name, one in located.items() if name not in found}
    for name, source in found.items():
        if (picks := brought.picks.get(matched[name])) is None:
            continue
        scale = (1.0, 1.0) if own else scale_to(name, source, listed.by_name[matched[name]], None)
        size_A = source.pixel_size_A and source.pixel_size_A / scale[1]
        shape = source.shape if scale == (1.0, 1.0) else None
        on_micrographs[name] = replace(source, picks=picks, pixel_size_A=size_A, shape=shape)
    return {name: on_micrographs[name] for name in located if name in on_micrographs}


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
    listed: MicrographList,
    matched: Mapping[str, str],
    pixel_size_A: float | None,
    drawer: Callable[[Located, tuple[int, int], float], tuple[Labels, Instances]],
    count: Callable[[Located], int],
) -> list[LabelTask]:
    tasks = []
    for name, particles in particles_of.items():
        own_name = matched.get(name, name)
        size_A, path, draw = pixel_size_A or particles.pixel_size_A, None, partial(drawer, particles)
        if micrograph := listed.by_name.get(own_name):
            size_A, path = size_A or micrograph.pixel_size_A, micrograph.path
        tasks.append(LabelTask(own_name, path, particles.shape, size_A, count(particles), draw))
    return tasks


def _micrographs(
    names: Iterable[str], listed_in: Path, in_mics: str | None
) -> tuple[MicrographList, dict[str, str]]:
    """Return the micrographs of a file of particles, and which of them each name in it means."""
    if in_mics is None:
        found = {name: find_beside(name, listed_in) for name in names}
        by_name = {name: ListedMicrograph(name, path) for name, path in found.items() if path}
        return MicrographList(listed_in, by_name), {name: name for name in found}
    listed = read_micrographs([in_mics])
    for sentence in listed.problems.values():
        note(sentence)
    return listed, match_names(list(names), list(listed.by_name))


def find_beside(name: str, listed_in: Path) -> Path | None:
    """Return the file that a list names from a project folder: the current one, or one above the list."""
    roots: Iterable[Path] = [Path(), *listed_in.absolute().parents]
    return next((root / name for root in roots if exists(root / name, Path.is_file)), None)
