"""Reading of density maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cryoseg_ext.arrays import Image
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.image.mrc import read_mrc_volume
from cryoseg_ext.image.reading import failures_named


def read_map(path: Path) -> tuple[Image, tuple[float, float, float]]:
    """Return the ``(z, y, x)`` densities of an MRC file, plain or compressed, and its Å/voxel (x, y, z).

    Raises
    ------
    CryosegError
        If it cannot be read, is damaged, is no volume, or holds values that are not finite.
    """
    with failures_named(path):
        values, sizes_A = read_mrc_volume(path)
        data = values.astype(np.float32)
    if 1 in data.shape:
        raise CryosegError(f"{path} is not a three-dimensional map: give the map of a reconstruction")
    if not np.isfinite(data).all():
        raise CryosegError(f"{path} holds values that are not finite: write it again")
    if not (min(sizes_A) > 0 and max(sizes_A) < np.inf):
        raise CryosegError(
            f"{path} has no pixel size in its header: set it with relion_image_handler --angpix"
        )
    return data, sizes_A
