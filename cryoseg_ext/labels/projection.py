"""Projections of a map, placed at the positions of its particles on a micrograph."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from cryoseg_ext.arrays import FloatArray, Image
from cryoseg_ext.labels.canvas import Canvas
from cryoseg_ext.simulation.volume import Projector, project_volume

# Bounds the memory: 16 patches of 1000 x 1000 px are 64 MB.
_BATCH = 16


def project_particles(
    projector: Projector,
    orientations: Rotation,
    centres_px: FloatArray,
    shape: tuple[int, int],
    pixel_size_A: float,
    blur_A: float,
) -> Canvas:
    """Project a map in the pose of every particle and add up the projections.

    Parameters
    ----------
    projector : Projector
        The map.
    orientations : Rotation
        `n` rotations of the map into the microscope's frame.
    centres_px : NDArray[np.float64]
        ``(n, 2)`` positions of the map's origin on the micrograph, (x_px, y_px).
    shape : tuple of int
        ``(y, x)`` of the micrograph in px.
    pixel_size_A : float
        Å/px of the micrograph.
    blur_A : float
        Standard deviation in Å of the Gaussian that blurs each projection before pixels are assigned to the
        particle with the highest density; the summed density is not blurred.

    Returns
    -------
    Canvas
        Density times Å at the micrograph's pixel size; particles are numbered from 1 in the order given.
    """
    canvas = Canvas(shape)
    sigma_px = blur_A / projector.pixel_size_A
    for start in range(0, len(centres_px), _BATCH):
        batch = slice(start, start + _BATCH)
        sharp = project_volume(projector, orientations[batch])
        pair = np.stack([sharp, gaussian_filter(sharp, (0, sigma_px, sigma_px), mode="constant")], axis=1)
        patches, corners = _resample(pair, projector.pixel_size_A, centres_px[batch], pixel_size_A)
        for number, (patch, (x, y)) in enumerate(
            zip(patches, corners.tolist(), strict=True), start=1 + start
        ):
            canvas.add(patch[0], patch[1], (y, x), number)
    return canvas


def _resample(
    patches: Image, patch_pixel_size_A: float, centres_px: FloatArray, pixel_size_A: float
) -> tuple[Image, NDArray[np.int64]]:
    """Interpolate ``(n, channel, y, x)`` patches at a micrograph's pixels; also return ``(n, 2)`` corners.

    Bicubic interpolation takes any ratio of pixel sizes and any fraction of a pixel in one step.
    """
    box = patches.shape[-1]
    step = pixel_size_A / patch_pixel_size_A
    side = int(np.ceil(box / step)) + 1
    corners = np.floor(centres_px - (side - 1) / 2).astype(np.int64)
    # Positions in the patch, in its own pixels, at which it is sampled; grid_sample counts from -1 to 1.
    at_px = (corners - centres_px)[:, None] * step + step * np.arange(side)[:, None] + box // 2
    along = torch.from_numpy((2 * at_px / (box - 1) - 1).astype(np.float32))
    x, y = along[:, None, :, 0], along[:, :, None, 1]
    grid = torch.stack(torch.broadcast_tensors(x, y), dim=-1)
    sampled = torch.nn.functional.grid_sample(
        torch.from_numpy(patches), grid, mode="bicubic", padding_mode="zeros", align_corners=True
    )
    return sampled.numpy(), corners
