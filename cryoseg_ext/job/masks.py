"""Masks in the folder of a job: written, and heeded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import write_mrc
from cryoseg_ext.formats.names import match_names
from cryoseg_ext.picks import Picks
from cryoseg_ext.words import counted

if TYPE_CHECKING:
    from cryoseg_ext.job.host import Host
    from cryoseg_ext.job.micrograph import MicrographResult
    from cryoseg_ext.options.job import JobOptions


def write_mask(path: Path, result: MicrographResult) -> None:
    """Write the segmentation as MRC of mode 0 (1: particle), at the working scale with its pixel size."""
    assert result.maps is not None
    size_y_A, size_x_A = result.working_pixel_A
    write_mrc(path, result.maps.mask.astype(np.int8), (size_x_A, size_y_A, result.image_pixel_A))


def find_masks(folder: Path, own_names: Mapping[str, str]) -> dict[str, Path]:
    """Return the mask of each micrograph that has one in a folder.

    Parameters
    ----------
    folder : Path
        With MRC files.
    own_names : Mapping[str, str]
        The file name of the mask that the job itself writes, by the name of the micrograph; a mask may also
        be named as the micrograph.

    Raises
    ------
    CryosegError
        If there are no MRC files, or a name fits two micrographs.
    """
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*.mrc"))}
    if not files:
        raise CryosegError(f"{folder} holds no masks: give the folder with their MRC files as --masks_in")
    found = {name: files[own] for name, own in own_names.items() if own in files}
    others = sorted(set(files) - {own_names[name] for name in found})
    matched = match_names(others, [name for name in own_names if name not in found])
    return found | {micrograph: files[file] for file, micrograph in matched.items()}


def given_masks(options: JobOptions, own: Mapping[str, Path], host: Host) -> dict[str, Path]:
    """Return the masks of a job that are to be heeded, by the name of the micrograph.

    Parameters
    ----------
    options : JobOptions
        With the folder of the masks.
    own : Mapping[str, Path]
        The masks that the job itself writes.
    host : Host
        The program that the job runs in.

    Raises
    ------
    CryosegError
        If there are none, or the job would write over them.
    """
    folder = options.masks_in
    if folder is None:
        return {}
    written = host.directory / "masks"
    if options.masks and written.resolve().is_relative_to(folder.resolve()):
        raise CryosegError(
            f"--masks would write over those of --masks_in {folder}: leave it out, or give a copy of them"
        )
    masks = find_masks(folder, {name: path.relative_to(written).as_posix() for name, path in own.items()})
    host.say(f"{counted(len(masks), 'micrograph')} of {len(own)} have a mask in {folder}")
    return masks


def picks_in_mask(picks: Picks, mask: Path, shape: tuple[int, int]) -> Picks:
    """Return the picks whose centre lies where a mask is not 0 (at least 0.5, if its edges are soft).

    Parameters
    ----------
    picks : Picks
        In pixels of the micrograph.
    mask : Path
        A mask of the whole micrograph with any number of pixels, y as in the micrograph.
    shape : tuple of int
        ``(ny, nx)`` of the micrograph.

    Raises
    ------
    CryosegError
        If the mask cannot be read.
    """
    from cryoseg_ext.image.reading import read_micrograph

    image = read_micrograph(mask).image
    (height, width), (ny, nx) = image.shape, shape
    rows = np.clip((picks.y_px + 0.5) / ny * height, 0, height - 1).astype(int)
    columns = np.clip((picks.x_px + 0.5) / nx * width, 0, width - 1).astype(int)
    return picks.at(image[rows, columns] >= 0.5)
