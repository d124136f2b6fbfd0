"""What a training learns from CryoSPARC's particles: where they are, or the pixels that a map covers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cryoseg_ext.cryosparc.events import log_skipped
from cryoseg_ext.formats.convert import bring_picks
from cryoseg_ext.formats.masks import MaskFiles
from cryoseg_ext.formats.micrographs import KnownMicrographs, known_exposures
from cryoseg_ext.formats.names import match_names
from cryoseg_ext.formats.particles import located_picks
from cryoseg_ext.formats.refined import CRYOSPARC_SLOTS, RefinedParticles, from_cryosparc
from cryoseg_ext.labels import MaskOptions
from cryoseg_ext.labels.batch import LabelTask, label_batch, label_files, start_folder
from cryoseg_ext.labels.tasks import projection_drawer
from cryoseg_ext.picks import Picks

if TYPE_CHECKING:
    from cryoseg_ext.cryosparc.job import ExternalJob
    from cryoseg_ext.formats.groups import Exposure

PARTICLES, VOLUME = "particles", "volume"

Choose = Callable[[Sequence[str]], set[str]]
"""From the paths of exposures to those that are used."""


def read_particle_picks(job: ExternalJob, found: Sequence[Exposure], choose: Choose) -> dict[str, Picks]:
    """Return where the job's particles lie on the images of its exposures, by the exposure's path."""
    source = f"the {PARTICLES} of {job.uid}"
    located = located_picks(source, job.read_input(PARTICLES, ["location"]))
    known = KnownMicrographs(Path(f"the exposures of {job.uid}"), known_exposures(job.project_folder, found))
    brought = bring_picks(located, known, None, flip_y=False)
    log_skipped(job, brought.skipped)
    chosen = choose(sorted(brought.picks))
    return {path: picks for path, picks in brought.picks.items() if path in chosen}


def draw_masks(
    job: ExternalJob, found: Sequence[Exposure], particle_diameter_A: float, choose: Choose
) -> dict[str, MaskFiles]:
    """Draw the job's volume at the poses of its particles, into the folder ``labels`` of the job.

    Parameters
    ----------
    job : ExternalJob
        With refined particles and a volume connected.
    found : Sequence[Exposure]
        Its exposures.
    particle_diameter_A : float
        Largest extent of the particle in Å.
    choose : Choose
        Which micrographs are drawn.

    Returns
    -------
    dict[str, MaskFiles]
        The files of each micrograph, on the pixels of its image, by the exposure's path.

    Raises
    ------
    CryosegError
        If the particles have no poses, or the volume cannot be used.
    """
    refined = from_cryosparc(f"the {PARTICLES} of {job.uid}", job.read_input(PARTICLES, CRYOSPARC_SLOTS))
    particles = _on_images(refined, found)
    volume = job.project_folder / str(job.read_input(VOLUME, ["map"])["map/path"][0]).removeprefix(">")
    draw = projection_drawer(volume, None, particle_diameter_A, MaskOptions())
    paths = choose(sorted(particles))
    chosen = [one for one in found if one.path in paths]
    tasks = [
        LabelTask(
            f"{one.uid}_{Path(one.path).name}",
            job.project_folder / one.image_path,
            one.image_shape,
            one.image_pixel_size_A,
            len(particles[one.path]),
            partial(draw, particles[one.path]),
        )
        for one in chosen
    ]
    folder = job.folder / "labels"
    made_of = _digest(volume, [particles[one.path] for one in chosen])
    start_folder(folder, tasks, {"made_of": made_of, "diameter_A": particle_diameter_A})
    errors = [error for _, error in label_batch(tasks, folder)]
    log_skipped(job, [str(error) for error in errors if error])
    files = [label_files(folder, task.name) for task in tasks]
    return {
        one.path: MaskFiles(file.labels, file.instances)
        for one, file, error in zip(chosen, files, errors, strict=True)
        if error is None
    }


def _on_images(
    refined: Mapping[str, RefinedParticles], found: Sequence[Exposure]
) -> dict[str, RefinedParticles]:
    """Return particles in pixels of the images of their exposures, by the exposure's path."""
    by_path = {one.path: one for one in found}
    on_images: dict[str, RefinedParticles] = {}
    for name, path in match_names(list(refined), list(by_path)).items():
        particles, (ny, nx) = refined[name], by_path[path].image_shape
        height, width = particles.shape or (ny, nx)
        on_images[path] = replace(particles, extracted_px=particles.extracted_px * [nx / width, ny / height])
    return on_images


def _digest(volume: Path, particles: Sequence[RefinedParticles]) -> str:
    """Return what changes when the volume or the particles do."""
    status = volume.stat()
    digest = hashlib.sha256(f"{volume} {status.st_size} {status.st_mtime_ns}".encode())
    for one in particles:
        for array in (one.extracted_px, one.shift_A, one.orientations.as_rotvec()):
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
