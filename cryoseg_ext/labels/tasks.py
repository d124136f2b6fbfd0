"""What to label: particles and coordinates brought together with their micrographs."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.names import match_names
from cryoseg_ext.formats.reading import read_located_picks
from cryoseg_ext.formats.refined import RefinedParticles, of_group, read_particles
from cryoseg_ext.formats.relion import read_tables
from cryoseg_ext.formats.table import LocatedPicks
from cryoseg_ext.labels.batch import Labels, LabelTask
from cryoseg_ext.labels.canvas import Instances
from cryoseg_ext.labels.masks import MaskOptions, label_discs, label_particles
from cryoseg_ext.labels.volumes import read_particle_map
from cryoseg_ext.simulation.volume import Projector, make_projector

Located = TypeVar("Located", RefinedParticles, LocatedPicks)


@dataclass(frozen=True)
class ListedMicrograph:
    """A micrograph of ``--in_mics``: its file, and its pixel size in Å/px where the list has it."""

    path: Path | None
    pixel_size_A: float | None = None


def projection_tasks(
    in_parts: Path,
    in_map: Path,
    in_mask: Path | None,
    in_mics: str | None,
    diameter_A: float | None,
    pixel_size_A: float | None,
    options: MaskOptions,
) -> list[LabelTask]:
    """Return the micrographs of the particles of `in_parts`, to be labelled by projections of the map.

    Parameters
    ----------
    in_parts, in_map, in_mask : Path
        Refined particles; the map they were refined against; a mask for it.
    in_mics : str, optional
        The micrographs: a STAR file or a pattern.
    diameter_A : float, optional
        Maximum extent of the particle in Å; by default measured in the map.
    pixel_size_A : float, optional
        Å/px of the micrographs; by default from the files.
    options : MaskOptions
        How the projections become masks.

    Raises
    ------
    CryosegError
        If one of the files cannot be used.
    """
    drawer = projection_drawer(in_map, in_mask, diameter_A, options)
    return _tasks(read_particles(in_parts), in_parts, in_mics, pixel_size_A, drawer, len)


def projection_drawer(
    in_map: Path, in_mask: Path | None, diameter_A: float | None, options: MaskOptions
) -> Callable[[RefinedParticles, tuple[int, int], float], tuple[Labels, Instances]]:
    """Return what draws the projections of a map at the poses of the particles of one micrograph.

    Parameters
    ----------
    in_map, in_mask, diameter_A, options
        As in `projection_tasks`.

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
    """Return the micrographs of the coordinates of `in_coords`, to be labelled by discs.

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
    centres_px = particles.centres_px(pixel_size_A)
    return label_particles(
        projector, particles.orientations, centres_px, shape, pixel_size_A, diameter_A, options
    )


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
        micrographs = {name: ListedMicrograph(find_beside(name, listed_in)) for name in particles_of}
        matched = {name: name for name in particles_of}
    else:
        micrographs = list_micrographs(in_mics)
        matched = match_names(list(particles_of), list(micrographs))
    tasks = []
    for name, particles in particles_of.items():
        own_name = matched.get(name, name)
        micrograph = micrographs.get(own_name, ListedMicrograph(None))
        size_A = pixel_size_A or particles.pixel_size_A or micrograph.pixel_size_A
        draw = partial(drawer, particles)
        tasks.append(LabelTask(own_name, micrograph.path, particles.shape, size_A, count(particles), draw))
    return tasks


def list_micrographs(in_mics: str) -> dict[str, ListedMicrograph]:
    """Return the micrographs of a STAR file, or of a pattern such as ``'*.mrc'``, by name.

    Raises
    ------
    CryosegError
        If there are none.
    """
    if not in_mics.endswith(".star"):
        # Path.glob takes no absolute pattern.
        found = {name: ListedMicrograph(Path(name)) for name in sorted(glob.glob(in_mics))}  # noqa: PTH207
        if not found:
            raise CryosegError(f"{in_mics}: no file matches: check the folder and the quotes")
        return found
    star = Path(in_mics)
    tables = read_tables(star)
    for table in tables.values():
        if "rlnMicrographName" in table:
            sizes_A = of_group(table, tables.get("optics"), "rlnMicrographPixelSize")
            return {
                name: ListedMicrograph(find_beside(name, star), size_A if size_A > 0 else None)
                for name, size_A in zip(table["rlnMicrographName"].map(str), sizes_A.tolist(), strict=True)
            }
    raise CryosegError(f"{star} lists no micrographs: give a micrographs STAR file as --in_mics")


def find_beside(name: str, listed_in: Path) -> Path | None:
    """Return the file that a list names from a project folder: the current one, or one above the list."""
    roots: Iterable[Path] = [Path(), *listed_in.absolute().parents]
    return next((root / name for root in roots if (root / name).is_file()), None)
