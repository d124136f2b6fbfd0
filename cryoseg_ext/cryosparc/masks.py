"""Masks in the job's folder: CryoSPARC has no type for the segmentation of a micrograph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import write_mrc
from cryoseg_ext.formats.names import match_names
from cryoseg_ext.image.reading import read_micrograph
from cryoseg_ext.picks import Picks

if TYPE_CHECKING:
    from cryoseg_ext.formats.groups import Exposure
    from cryoseg_ext.pipeline import PickedMicrograph


def mask_path(job_folder: Path, exposure: Exposure) -> Path:
    """Return where the mask of an exposure is; the uid keeps micrographs of the same name apart."""
    return job_folder / f"masks/{exposure.uid}_{Path(exposure.path).stem}.mrc"


def write_mask(path: Path, picked: PickedMicrograph, pixel_size_A: float) -> None:
    """Write the segmentation as MRC of mode 0 (1: particle), at the working scale and with its pixel size.

    Parameters
    ----------
    path : Path
        The file.
    picked : PickedMicrograph
        The result.
    pixel_size_A : float
        Å/px of the image on disk.
    """
    step_y, step_x = picked.working.step_px
    size_A = (step_x * pixel_size_A, step_y * pixel_size_A, pixel_size_A)
    write_mrc(path, picked.mask.astype(np.int8), size_A)


def find_masks(folder: Path, exposures: Sequence[Exposure]) -> dict[Exposure, Path]:
    """Return the mask of each exposure that has one in a folder, named by `mask_path` or as the micrograph.

    Raises
    ------
    CryosegError
        If there are no MRC files, or a name fits two micrographs.
    """
    files = {path.name: path for path in sorted(folder.glob("*.mrc"))}
    if not files:
        raise CryosegError(f"{folder} holds no masks: give the folder with their MRC files as --masks_in")
    by_name = {one.path: one for one in exposures}
    found = {one: files[path.name] for one in exposures if (path := mask_path(folder, one)).name in files}
    others = set(files) - {path.name for path in found.values()}
    matched = match_names(sorted(others), [one.path for one in exposures if one not in found])
    return found | {by_name[micrograph]: files[name] for name, micrograph in matched.items()}


def picks_in_mask(picks: Picks, mask: Path, image_shape: tuple[int, int]) -> Picks:
    """Return the picks whose centre lies where a mask is not 0 (at least 0.5, if its edges are soft).

    Parameters
    ----------
    picks : Picks
        In pixels of the image.
    mask : Path
        A mask of the whole image with any number of pixels, y as in the image.
    image_shape : tuple of int
        ``(ny, nx)`` of the image.

    Raises
    ------
    CryosegError
        If the mask cannot be read.
    """
    image = read_micrograph(mask).image
    (height, width), (ny, nx) = image.shape, image_shape
    rows = np.clip((picks.y_px + 0.5) / ny * height, 0, height - 1).astype(int)
    columns = np.clip((picks.x_px + 0.5) / nx * width, 0, width - 1).astype(int)
    return picks.at(image[rows, columns] >= 0.5)
