"""Masks in the job's folder: CryoSPARC has no type for the segmentation of a micrograph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cryoseg_ext.files import replacing

if TYPE_CHECKING:
    from cryoseg_ext.cryosparc.groups import Exposure
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
    import mrcfile

    step_y, step_x = picked.working.step_px
    size_A = (step_x * pixel_size_A, step_y * pixel_size_A, pixel_size_A)
    with replacing(path) as temporary:
        mrcfile.write(temporary, picked.mask.astype(np.int8), voxel_size=size_A, overwrite=True)
