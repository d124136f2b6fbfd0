"""Where particles sit in the field, and their projected density."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from cryoseg_ext.picks import apart
from cryoseg_ext.simulation.specimens import Specimen

FloatArray = NDArray[np.float64]
Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

BEADS_AT_ONCE = 200_000
"""A crowded 4096 x 4096 field of a large molecule has ten million beads."""


def smooth_field(rng: np.random.Generator, shape: tuple[int, int], length_px: float) -> Image:
    """Return a ``(y, x)`` Gaussian random field of unit variance, correlated over `length_px`."""
    step = max(length_px / 4, 1.0)
    coarse = rng.normal(size=[int(n / step) + 4 for n in shape])
    coarse = gaussian_filter(coarse, length_px / step)
    coarse = (coarse - coarse.mean()) / max(float(coarse.std()), 1e-6)
    grid = torch.from_numpy(coarse.astype(np.float32))[None, None]
    field: Image = torch.nn.functional.interpolate(grid, shape, mode="bilinear")[0, 0].numpy()
    return field


def place_centres(
    rng: np.random.Generator,
    shape: tuple[int, int],
    diameter_px: float,
    coverage: float,
    spacing: float,
    clustering: float,
) -> FloatArray:
    """Return ``(n, 2)`` random centres (x_px, y_px) that keep `spacing` diameters apart.

    Random sequential addition: a dart that lands too close to an earlier one is dropped, so a high
    `coverage` ends in a jammed, touching field.
    """
    height, width = shape
    target = int(coverage * height * width / (np.pi / 4 * diameter_px**2)) + 1
    density = smooth_field(rng, shape, 4 * diameter_px)
    allowed = density >= np.quantile(density, 0.7 * clustering)
    darts = rng.uniform(size=(8 * target, 2)) * np.array([width, height])
    darts = darts[allowed[darts[:, 1].astype(int), darts[:, 0].astype(int)]]
    x_px, y_px = darts.T
    placed: FloatArray = darts[apart(x_px, y_px, spacing * diameter_px)][:target]
    return placed


def draw_orientations(rng: np.random.Generator, n: int, preferred: bool) -> Rotation:
    """Return `n` rotations: uniform, or most of them within 20 degrees of one view."""
    views = Rotation.random(n, rng=rng)
    if not preferred or n == 0:
        return views
    in_plane = Rotation.from_euler("z", rng.uniform(0, 360, size=(n, 1)), degrees=True)
    tilt = Rotation.from_rotvec(rng.normal(scale=np.deg2rad(12), size=(n, 3)))
    same = in_plane * tilt * Rotation.random(rng=rng)
    quaternions = np.where(rng.uniform(size=(n, 1)) < 0.8, same.as_quat(), views.as_quat())
    return Rotation.from_quat(quaternions)


def project(
    specimen: Specimen,
    orientations: Rotation,
    centres: FloatArray,
    shape: tuple[int, int],
    diameter_px: float,
    contrast: FloatArray | None = None,
) -> Image:
    """Return the ``(y, x)`` projected density of particles: beads splat bilinearly, then blurred.

    Parameters
    ----------
    specimen : Specimen
        The molecule.
    orientations : Rotation
        `n` rotations of the specimen into the microscope's frame; the beam runs along z.
    centres : NDArray[np.float64]
        ``(n, 2)`` centres of mass (x_px, y_px).
    shape : tuple of int
        Of the field, (y, x); density wraps around its rim.
    diameter_px : float
        Maximum extent of the specimen in pixels.
    contrast : NDArray[np.float64], optional
        ``(n,)`` factors on the particles' densities; 1 by default.
    """
    density = np.zeros(shape, np.float32)
    if len(centres) == 0:
        return density
    to_xy = orientations.as_matrix()[:, :2].transpose(0, 2, 1)
    contrast = np.ones(len(centres)) if contrast is None else contrast
    at_once = max(BEADS_AT_ONCE // len(specimen.weights), 1)
    for start in range(0, len(centres), at_once):
        part = slice(start, start + at_once)
        xy = specimen.positions @ to_xy[part] * diameter_px + centres[part, None]
        density += splat(xy.reshape(-1, 2), np.outer(contrast[part], specimen.weights).ravel(), shape)
    return blur(density, specimen.bead_sigma * diameter_px)


def splat(xy_px: FloatArray, weights: FloatArray, shape: tuple[int, int]) -> Image:
    """Return the ``(y, x)`` sum of `weights` splat bilinearly at ``(n, 2)`` positions, wrapping around."""
    # On one row and one column more, folded back at the end: cheaper than to wrap every index.
    height, width = shape[0] + 1, shape[1] + 1
    left, top = np.floor(xy_px).T
    across, down = (xy_px - np.stack([left, top], axis=1)).T
    first = (top % shape[0] * width + left % shape[1]).astype(np.int64)
    index = np.concatenate([first, first + 1, first + width, first + width + 1])
    lower = weights * down
    upper = weights - lower
    shares = np.concatenate([upper - upper * across, upper * across, lower - lower * across, lower * across])
    total = np.bincount(index, shares, minlength=height * width)
    folded = total.reshape(height, width)
    folded[0] += folded[-1]
    folded[:, 0] += folded[:, -1]
    return folded[:-1, :-1].astype(np.float32)


def blur(image: Image, sigma_px: float) -> Image:
    """Return `image` convolved with a Gaussian, wrapping at the rim."""
    k2 = frequency_squared(image.shape, 1.0)
    blurred: Image = irfft2(rfft2(image) * np.exp(-2 * np.pi**2 * sigma_px**2 * k2), s=image.shape)
    return blurred


def typical_density(density: Image) -> float:
    """Return the median of a ``(y, x)`` projected density where there is any; 1 in an empty field."""
    highest = float(density.max())
    return float(np.median(density[density > 0.05 * highest])) if highest > 0 else 1.0


def silhouette(density: Image, diameter_px: float) -> Mask:
    """Return where a ``(y, x)`` projected density counts as particle: above 0.3 of its typical value.

    The density is first blurred by a twentieth of the diameter, as no finer outline can be seen.
    """
    mask: Mask = blur(density, 0.05 * diameter_px) > 0.3 * typical_density(density)
    return mask


def frequency_squared(shape: tuple[int, ...], pixel_size_A: float) -> Image:
    """Return ``k^2`` in 1/Å^2 on the half plane of ``rfft2``."""
    ky, kx = np.fft.fftfreq(shape[0], pixel_size_A), np.fft.rfftfreq(shape[1], pixel_size_A)
    return (ky[:, None] ** 2 + kx[None] ** 2).astype(np.float32)
