"""Rescaling and normalisation of a repaired micrograph to the scale and contrast that the network knows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from cryoseg_ext.arrays import FloatArray, Image, Mask
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.image.blocks import block_sums, interpolation
from cryoseg_ext.image.fourier import fixed_px, fourier_rescale
from cryoseg_ext.image.repair import RepairedMicrograph

WORKING_DIAMETER_PX = 24
"""Particle diameter in pixels at the working scale, to which every micrograph is rescaled."""
MIN_DIAMETER_PX = 6
"""Smallest particle diameter in pixels of the micrograph on disk; a smaller particle cannot be picked."""
MAX_WORKING_PX = 25e6
"""Most pixels of a micrograph at the working scale, with which time and memory grow."""
BACKGROUND_SIGMA = 2.0
"""Standard deviation of the Gaussian mean that is the background, in particle diameters."""
CLIP_SIGMA = 6.0
"""Limit of normalised grey values, in robust standard deviations."""
_COARSE_PX = 8
"""Side of the blocks of working pixels on which the background is computed."""
_PLANE_SAMPLES = 128
"""Pixels along the shorter axis that a plane is fitted to."""


@dataclass(frozen=True)
class WorkingMicrograph:
    """A micrograph at the working scale.

    Parameters
    ----------
    image : NDArray[np.float32]
        ``(y, x)`` grey values without background, of unit robust standard deviation, clipped; 0 if invalid.
    valid : NDArray[np.bool_]
        ``(y, x)``, False in dead borders and patches.
    source_shape : tuple of int
        ``(ny, nx)`` of the micrograph on disk.
    diameter_px : float
        Particle diameter in working pixels.
    """

    image: Image
    valid: Mask
    source_shape: tuple[int, int]
    diameter_px: float = WORKING_DIAMETER_PX

    @property
    def step_px(self) -> tuple[float, float]:
        """Micrograph pixels per working pixel, (y, x); the two can differ slightly, as sizes are rounded."""
        ny, nx = self.source_shape
        return ny / self.image.shape[0], nx / self.image.shape[1]

    def to_source_px(self, x_px: FloatArray, y_px: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Convert working coordinates to pixels of the micrograph on disk (0 is the first pixel's centre).

        Fourier rescaling keeps the pixel `fixed_px` of each axis in place.
        """
        (ny, nx), (wy, wx), (step_y, step_x) = self.source_shape, self.image.shape, self.step_px
        return (
            (x_px - fixed_px(wx)) * step_x + fixed_px(nx),
            (y_px - fixed_px(wy)) * step_y + fixed_px(ny),
        )

    def from_source_px(self, x_px: FloatArray, y_px: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Convert pixels of the micrograph on disk to working coordinates: the inverse of `to_source_px`."""
        (ny, nx), (wy, wx), (step_y, step_x) = self.source_shape, self.image.shape, self.step_px
        return (
            (x_px - fixed_px(nx)) / step_x + fixed_px(wx),
            (y_px - fixed_px(ny)) / step_y + fixed_px(wy),
        )


def to_working_scale(
    repaired: RepairedMicrograph, pixel_size_A: float, particle_diameter_A: float
) -> WorkingMicrograph:
    """Rescale a repaired micrograph to the working scale, in Fourier space, and normalise it.

    Parameters
    ----------
    repaired : RepairedMicrograph
        Micrograph at its own scale.
    pixel_size_A : float
        Pixel size of the micrograph in Å/px.
    particle_diameter_A : float
        Particle diameter in Å.

    Raises
    ------
    CryosegError
        If the field is smaller than one particle, or a particle is far too small for it.
    """
    image, valid = repaired.image, repaired.valid
    ny, nx = image.shape
    if min(ny, nx) * pixel_size_A < particle_diameter_A:
        raise CryosegError(
            f"the field of {nx} x {ny} px at {pixel_size_A:g} Å/px is smaller than one particle of "
            f"{particle_diameter_A:g} Å: check the pixel size and the particle diameter"
        )
    if particle_diameter_A < MIN_DIAMETER_PX * pixel_size_A:
        raise CryosegError(
            f"a particle of {particle_diameter_A:g} Å is less than {MIN_DIAMETER_PX} px wide at "
            f"{pixel_size_A:g} Å/px: check the pixel size and the particle diameter"
        )
    ratio = pixel_size_A / (particle_diameter_A / WORKING_DIAMETER_PX)
    shape = round(ny * ratio), round(nx * ratio)
    if shape[0] * shape[1] > MAX_WORKING_PX:
        raise CryosegError(
            f"a particle of {particle_diameter_A:g} Å is only {particle_diameter_A / pixel_size_A:.3g} px "
            f"wide at {pixel_size_A:g} Å/px on a field of {nx} x {ny} px: check that the diameter is in Å, "
            "not nm, and the pixel size in Å/px; if they are right, pick smaller fields"
        )
    # Fourier space joins opposite edges: without the plane, a step between them would ring.
    rescaled = fourier_rescale(image, shape, _plane(image, valid))
    if valid.all():
        working_valid = np.ones(shape, np.bool_)
    else:
        rows, columns = (
            np.clip(np.round((np.arange(m) - fixed_px(m)) * n / m + fixed_px(n)).astype(int), 0, n - 1)
            for n, m in zip(image.shape, shape, strict=True)
        )
        working_valid = valid[np.ix_(rows, columns)]
    return WorkingMicrograph(normalise(rescaled, working_valid), working_valid, (ny, nx))


def normalise(image: Image, valid: Mask) -> Image:
    """Return `image` without its background, in robust standard deviations, clipped, 0 where not `valid`.

    Parameters
    ----------
    image : NDArray[np.float32]
        ``(y, x)`` at the working scale.
    valid : NDArray[np.bool_]
        ``(y, x)``, False in dead areas.
    """
    flat = image - _background(image, valid, BACKGROUND_SIGMA * WORKING_DIAMETER_PX)
    # Sorted first, because that is faster than the partition within `percentile`.
    low, middle, high = np.percentile(np.sort(flat[valid]), [15.87, 50, 84.13])
    flat -= np.float32(middle)
    flat /= np.float32(max((high - low) / 2, 1e-12))
    np.clip(flat, -CLIP_SIGMA, CLIP_SIGMA, out=flat)
    flat[~valid] = 0
    return flat


def _plane(image: Image, valid: Mask) -> tuple[Image, Image]:
    """Return the least-squares plane through a sample of the valid pixels, as the sum of two profiles."""
    step = max(min(image.shape) // _PLANE_SAMPLES, 1)
    y, x = (np.linspace(-1, 1, n, dtype=np.float32) for n in image.shape)
    sample = np.s_[::step, ::step]
    rows, columns = (grid[valid[sample]] for grid in np.meshgrid(y[::step], x[::step], indexing="ij"))
    design = np.stack([np.ones_like(rows), rows, columns], axis=1)
    (level, slope_y, slope_x), *_ = np.linalg.lstsq(design, image[sample][valid[sample]], rcond=None)
    return level + slope_y * y, slope_x * x


def _background(image: Image, valid: Mask, sigma_px: float) -> Image:
    """Return the Gaussian mean of the valid pixels, computed on blocks because it is smooth."""
    sigma = sigma_px / _COARSE_PX
    level, weight = (
        gaussian_filter(block_sums(values, _COARSE_PX), sigma)
        for values in (np.where(valid, image, 0), valid.astype(np.float32))
    )
    mean = level / np.maximum(weight, 1e-3 * _COARSE_PX**2)
    to_y, to_x = (
        interpolation(n, _COARSE_PX * (np.arange(blocks) + 0.5) - 0.5)
        for n, blocks in zip(image.shape, mean.shape, strict=True)
    )
    return to_y @ mean @ to_x.T
