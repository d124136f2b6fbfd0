"""What a training learns from CryoSPARC's particles: where they are, or the pixels that a map covers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cryoseg_ext.formats.convert import bring_picks
from cryoseg_ext.formats.micrographs import ListedMicrograph, MicrographList
from cryoseg_ext.formats.names import match_names
from cryoseg_ext.formats.particles import located_picks
from cryoseg_ext.formats.refined import CRYOSPARC_SLOTS, RefinedParticles, from_cryosparc
from cryoseg_ext.labels.batch import LabelTask, label_batch, label_files, start_folder
from cryoseg_ext.labels.masks import MaskOptions
from cryoseg_ext.labels.tasks import projection_drawer

if TYPE_CHECKING:
    from cryoseg_ext.cryosparc.job import ExternalJob
    from cryoseg_ext.formats.masks import MaskFiles
    from cryoseg_ext.picks import Picks

PARTICLES, VOLUME = "particles", "volume"

Choose = Callable[[Sequence[str]], set[str]]
"""From the names of micrographs to those that are used."""


def images_of(listed: MicrographList) -> MicrographList:
    """Return the images to train on as micrographs themselves, under the names of their exposures."""
    by_name = {
        name: replace(one, path=copy.path, pixel_size_A=copy.pixel_size_A, shape=copy.shape, copy=None)
        if (copy := one.copy)
        else one
        for name, one in listed.by_name.items()
    }
    return replace(listed, by_name=by_name)


def read_particle_picks(job: ExternalJob, images: MicrographList, choose: Choose) -> dict[str, Picks]:
    """Return where the job's particles lie on its images, by name.

    Parameters
    ----------
    job : ExternalJob
        With particles connected.
    images : MicrographList
        Its exposures.
    choose : Choose
        Which micrographs are used.
    """
    # All slots, as refined particles have origin shifts, and other particles no slot for them.
    located = located_picks(f"the {PARTICLES} of {job.uid}", job.read_input(PARTICLES))
    brought = bring_picks(located, images, None, flip_y=False)
    for remark in brought.remarks:
        job.log(f"Note: {remark}")
    job.log_skipped(brought.skipped)
    chosen = choose(sorted(brought.picks))
    return {name: picks for name, picks in brought.picks.items() if name in chosen}


def draw_masks(
    job: ExternalJob, images: MicrographList, particle_diameter_A: float, choose: Choose
) -> dict[str, MaskFiles]:
    """Draw the job's volume at the poses of its particles, into the folder ``labels`` of the job.

    Parameters
    ----------
    job : ExternalJob
        With refined particles and a volume connected.
    images : MicrographList
        The images to train on.
    particle_diameter_A : float
        Largest extent of the particle in Å.
    choose : Choose
        Which micrographs are drawn.

    Returns
    -------
    dict[str, MaskFiles]
        The files of each micrograph, on the pixels of its image, by name.

    Raises
    ------
    CryosegError
        If the particles have no poses, or the volume cannot be used.
    """
    refined = from_cryosparc(f"the {PARTICLES} of {job.uid}", job.read_input(PARTICLES, CRYOSPARC_SLOTS))
    particles = _on_images(refined, images.by_name)
    volume = job.project_folder / str(job.read_input(VOLUME, ["map"])["map/path"][0]).removeprefix(">")
    draw = projection_drawer(volume, None, particle_diameter_A, MaskOptions())
    names = choose(sorted(particles))
    chosen = [one for one in images.micrographs if one.name in names]
    tasks = []
    for one in chosen:
        found, name = particles[one.name], _label_name(one)
        task = LabelTask(name, one.path, one.shape, one.pixel_size_A, len(found), partial(draw, found))
        tasks.append(task)
    folder = job.folder / "labels"
    made_of = _digest(volume, [particles[one.name] for one in chosen])
    start_folder(folder, tasks, {"made_of": made_of, "diameter_A": particle_diameter_A})
    errors = [error for _, error in label_batch(tasks, folder)]
    job.log_skipped([str(error) for error in errors if error])
    return {
        one.name: label_files(folder, task.name)
        for one, task, error in zip(chosen, tasks, errors, strict=True)
        if error is None
    }


def _label_name(micrograph: ListedMicrograph) -> str:
    """Return a name that no other micrograph has, whatever its folder."""
    assert micrograph.exposure is not None
    return f"{micrograph.exposure.uid}_{Path(micrograph.name).name}"


def _on_images(
    refined: Mapping[str, RefinedParticles], images: Mapping[str, ListedMicrograph]
) -> dict[str, RefinedParticles]:
    """Return particles in pixels of the images, by the name of the image."""
    on_images: dict[str, RefinedParticles] = {}
    for source, name in match_names(list(refined), list(images)).items():
        particles, shape = refined[source], images[name].shape
        if shape and particles.shape:
            (ny, nx), (height, width) = shape, particles.shape
            scale = [nx / width, ny / height]
            particles = replace(particles, extracted_px=particles.extracted_px * scale)
        on_images[name] = particles
    return on_images


def _digest(volume: Path, particles: Sequence[RefinedParticles]) -> str:
    """Return what changes when the volume or the particles do."""
    status = volume.stat()
    digest = hashlib.sha256(f"{volume} {status.st_size} {status.st_mtime_ns}".encode())
    for one in particles:
        for array in (one.extracted_px, one.shift_A, one.orientations.as_rotvec()):
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
