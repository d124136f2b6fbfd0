"""Picking the exposures of a results group without a CryoSPARC server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.folder import output_name, pick_into_folder, tasks_of
from cryoseg_ext.formats.groups import ExposureGroup, read_exposure_group, write_particle_group
from cryoseg_ext.formats.particles import PickedExposure, particle_dataset
from cryoseg_ext.job.batch import MicrographTask
from cryoseg_ext.options.picking import PickingOptions

OUTPUT_NAME = "picked_particles"


def group_tasks(paths: Sequence[Path], image_slot: str, pixel_size_A: float | None) -> list[MicrographTask]:
    """Return what there is to pick in a results group; see `pick_group`."""
    group = _read(paths, image_slot)
    images = [group.project / one.image_path for one in group.exposures]
    return tasks_of(images, [pixel_size_A or one.image_pixel_size_A for one in group.exposures])


def pick_group(
    paths: Sequence[Path],
    image_slot: str,
    pixel_size_A: float | None,
    model_path: Path,
    options: PickingOptions,
    threshold: float | None,
    folder: Path,
    tell: Callable[[str], None],
    *,
    architecture: str | None = None,
) -> None:
    """Pick the exposures of a results group into a folder, and write the picks as a results group there.

    Parameters
    ----------
    paths : Sequence[Path]
        The one ``.csg`` or ``.cs`` file.
    image_slot : str
        The slot of the images to pick, such as ``micrograph_blob``.
    pixel_size_A : float, optional
        Pixel size of those images in Å/px; that in the file when None.
    model_path, options, threshold, folder, tell, architecture
        As in `pick_into_folder`.

    Raises
    ------
    CryosegError
        If the group cannot be read or nothing could be picked.
    """
    group = _read(paths, image_slot)
    images = [group.project / one.image_path for one in group.exposures]
    tasks = group_tasks(paths, image_slot, pixel_size_A)
    result = pick_into_folder(tasks, model_path, options, threshold, folder, tell, architecture=architecture)
    picks = result.picks
    picked = [
        PickedExposure(exposure, picks[name])
        for exposure, name in zip(group.exposures, map(output_name, images), strict=True)
        if name in picks
    ]
    path = folder / f"{OUTPUT_NAME}.csg"
    particles = particle_dataset(picked, options.min_distance_A)
    write_particle_group(path, particles, "Picked particles", group.version)
    tell(f"For CryoSPARC's Import Result Group, in the project folder: {path} and {path.with_suffix('.cs')}")


def _read(paths: Sequence[Path], image_slot: str) -> ExposureGroup:
    if len(paths) > 1:
        raise CryosegError(f"{paths[0]}: give a .csg or .cs file alone, without other files")
    return read_exposure_group(paths[0], image_slot)
