"""Projections of a three-dimensional density map by Fourier slices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, label
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist
from scipy.spatial.transform import Rotation
from torch_fourier_rescale import fourier_rescale_3d

from cryoseg_ext.arrays import Image
from cryoseg_ext.errors import CryosegError

MAX_BOX_PX = 128
"""Largest box of a map, in voxels: an outline needs no finer detail, and memory is bounded."""
_PADDING = 2
_EXTENT_BLUR = 0.02
_DUST = 0.05


@dataclass(frozen=True)
class Projector:
    """A density map in Fourier space, from which slices are taken.

    Parameters
    ----------
    transform : torch.Tensor
        ``(2n, 2n, n + 1)`` half transform, (z, y, x), of the map padded to twice its box; the zero frequency
        is in the middle of z and y and first in x.
    box_px : int
        Box `n` of the map in voxels, even.
    pixel_size_A : float
        Å/px of the projections.
    """

    transform: torch.Tensor
    box_px: int
    pixel_size_A: float


def shrink_volume(density: Image, pixel_size_A: float) -> tuple[Image, float]:
    """Crop a cubic map in Fourier space to an even box of at most `MAX_BOX_PX`.

    Parameters
    ----------
    density : NDArray[np.float32]
        ``(z, y, x)`` map, whose origin is the voxel ``n // 2`` of each axis, as in RELION and CryoSPARC.
    pixel_size_A : float
        Voxel size in Å.

    Returns
    -------
    small : NDArray[np.float32]
        ``(z, y, x)`` map in the smaller box, its origin again at ``n // 2``.
    pixel_size_A : float
        Its voxel size in Å.

    Raises
    ------
    CryosegError
        If the map is not a cube.
    """
    if density.ndim != 3 or len(set(density.shape)) != 1:
        size = " x ".join(map(str, density.shape[::-1]))
        raise CryosegError(f"the map has {size} voxels: give the cubic map of a refinement")
    # A plane in front keeps the origin of an odd box at n // 2.
    even = np.pad(density, [(density.shape[0] % 2, 0)] * 3)
    box = len(even)
    if box <= MAX_BOX_PX:
        return even, pixel_size_A
    small, _ = fourier_rescale_3d(torch.from_numpy(even), target_shape=(MAX_BOX_PX,) * 3)
    return small.numpy(), pixel_size_A * box / MAX_BOX_PX


def make_projector(density: Image, pixel_size_A: float) -> Projector:
    """Prepare a map from `shrink_volume` for projection.

    The map is padded to twice its box and divided by squared sincs, the transform of linear interpolation, so
    that slices can be interpolated linearly.
    """
    box = len(density)
    padded = np.pad(density, box // 2)
    axis = np.sinc(np.fft.fftshift(np.fft.fftfreq(_PADDING * box))).astype(np.float32) ** 2
    padded /= axis[:, None, None] * axis[:, None] * axis
    transform = torch.fft.rfftn(torch.fft.ifftshift(torch.from_numpy(padded)))
    return Projector(torch.fft.fftshift(transform, dim=(0, 1)), box, pixel_size_A)


def project_volume(projector: Projector, orientations: Rotation) -> Image:
    """Return projections along z of the map in several orientations.

    Parameters
    ----------
    projector : Projector
        The map.
    orientations : Rotation
        `m` rotations of the map (x, y, z) into the microscope's frame.

    Returns
    -------
    NDArray[np.float32]
        ``(m, y, x)`` projections in density times Å; the map's origin lies on the pixel ``n // 2`` of y and
        x.

    Raises
    ------
    CryosegError
        If torch-fourier-slice is missing or too old.
    """
    try:
        from torch_fourier_slice import extract_central_slices_rfft_3d
    except ImportError:
        raise CryosegError(
            "projecting a map needs the package torch-fourier-slice 0.6, and so Python 3.11: install them"
        ) from None
    # A frequency k of the image is the frequency R^T k of the map.
    matrices = torch.from_numpy(orientations.inv().as_matrix().reshape(-1, 3, 3).astype(np.float32))
    slices = extract_central_slices_rfft_3d(projector.transform, matrices)
    side = _PADDING * projector.box_px
    padded = torch.fft.irfftn(torch.fft.ifftshift(slices, dim=-2), s=(side, side), dim=(-2, -1))
    crop = slice(projector.box_px // 2, projector.box_px // 2 + projector.box_px)
    images = torch.fft.fftshift(padded, dim=(-2, -1))[:, crop, crop]
    return (images * projector.pixel_size_A).numpy()


def maximum_extent(density: Image, pixel_size_A: float) -> float:
    """Return the longest distance in Å within the particle of a map.

    The map is blurred by a fiftieth of the box, which joins subunits and reduces noise. The particle is all
    regions above Li's threshold, except those smaller than a twentieth of the largest.

    Parameters
    ----------
    density : NDArray[np.float32]
        ``(z, y, x)`` map.
    pixel_size_A : float
        Voxel size in Å.

    Raises
    ------
    CryosegError
        If no region is above the threshold, as in an empty map.
    """
    smooth = gaussian_filter(density, _EXTENT_BLUR * len(density))
    regions, _ = label(smooth > li_threshold(smooth))
    sizes = np.bincount(regions.ravel())
    sizes[0] = 0
    points = np.argwhere(((sizes > 0) & (sizes >= _DUST * sizes.max()))[regions])
    if len(points) == 0 or np.ptp(points, axis=0).min() == 0:
        raise CryosegError(
            "the map holds no particle that stands out: look at it, and at its mask, in a viewer"
        )
    return float(pdist(points[ConvexHull(points).vertices]).max()) * pixel_size_A


def li_threshold(density: Image) -> float:
    """Return the threshold of least cross entropy between background and foreground (Li & Lee 1993)."""
    from skimage.filters import threshold_li

    # scikit-image's own tolerance is so fine that on float32 data its iteration may never end.
    return float(threshold_li(density, tolerance=1e-4 * float(np.ptp(density))))
