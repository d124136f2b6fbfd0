"""Positions and orientations of particles in a field, and their projected density."""

from __future__ import annotations

import numpy as np
import torch
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from cryoseg_ext.arrays import FloatArray, Image, Mask
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.picks import apart
from cryoseg_ext.simulation.specimens import Specimen

BEADS_AT_ONCE = 200_000
"""Number of beads projected at once, which bounds the memory that a crowded field takes."""
OUTLINE_BLUR = 0.05
"""Standard deviation, in particle diameters, of the blur before a density is outlined."""


def pad_field(shape: tuple[int, int], diameter_px: float) -> tuple[int, tuple[int, int], tuple[slice, slice]]:
    """Return how to pad a field, so that what wraps around its rim does not reach into it.

    Parameters
    ----------
    shape : tuple of int
        ``(y, x)`` of the field in px.
    diameter_px : float
        Maximum extent of a particle in px, the least width of the margin.

    Returns
    -------
    margin_px : int
        Margin above and to the left of the field.
    padded : tuple of int
        ``(y, x)`` of the padded field in px, sizes of which the Fourier transform is fast.
    crop : tuple of slice
        Rows and columns of the field in the padded one.
    """
    margin = int(np.ceil(diameter_px))
    height, width = (next_fast_len(n + 2 * margin, real=True) for n in shape)
    return margin, (height, width), np.s_[margin : margin + shape[0], margin : margin + shape[1]]


def smooth_field(rng: np.random.Generator, shape: tuple[int, int], length_px: float) -> Image:
    """Return a Gaussian random field of zero mean and unit variance.

    Parameters
    ----------
    rng : np.random.Generator
        Source of the field.
    shape : tuple of int
        ``(y, x)`` in px.
    length_px : float
        Length in px over which the field is correlated.

    Returns
    -------
    NDArray[np.float32]
        ``(y, x)`` field.
    """
    step = max(length_px / 4, 1.0)
    coarse = rng.normal(size=[int(n / step) + 4 for n in shape])
    coarse = gaussian_filter(coarse, length_px / step)
    coarse = (coarse - coarse.mean()) / max(float(coarse.std()), 1e-6)
    grid = torch.from_numpy(coarse.astype(np.float32))[None, None]
    return torch.nn.functional.interpolate(grid, shape, mode="bilinear")[0, 0].numpy()


def place_centres(
    rng: np.random.Generator,
    shape: tuple[int, int],
    diameter_px: float,
    coverage: float,
    spacing: float,
    clustering: float,
) -> FloatArray:
    """Return random centres of particles that keep a distance from each other.

    They are placed by random sequential addition: a centre too close to an earlier one is dropped, so a high
    `coverage` ends in a jammed field of touching particles.

    Parameters
    ----------
    rng : np.random.Generator
        Source of the positions.
    shape : tuple of int
        ``(y, x)`` of the field in px.
    diameter_px : float
        Maximum extent of a particle in px.
    coverage : float
        Share of the area that the particles' discs should cover, in [0, 1]; 0 for no particle.
    spacing : float
        Smallest distance between two centres in diameters.
    clustering : float
        0 spreads the particles over the whole field, 1 leaves 70 % of it empty.

    Returns
    -------
    NDArray[np.float64]
        ``(n, 2)`` centres (x_px, y_px).
    """
    if coverage <= 0:
        return np.empty((0, 2))
    height, width = shape
    target = int(coverage * height * width / (np.pi / 4 * diameter_px**2)) + 1
    density = smooth_field(rng, shape, 4 * diameter_px)
    allowed = density >= np.quantile(density, 0.7 * clustering)
    darts = rng.uniform(size=(8 * target, 2)) * np.array([width, height])
    darts = darts[allowed[darts[:, 1].astype(int), darts[:, 0].astype(int)]]
    x_px, y_px = darts.T
    return darts[apart(x_px, y_px, spacing * diameter_px)][:target]


def draw_centres(
    rng: np.random.Generator, shape: tuple[int, int], n: int, distance_px: float, rim_px: float
) -> FloatArray:
    """Return a given number of random centres, placed by random sequential addition.

    Parameters
    ----------
    rng : np.random.Generator
        Source of the positions.
    shape : tuple of int
        ``(y, x)`` of the field in px.
    n : int
        Number of centres.
    distance_px : float
        Smallest distance between two centres in px.
    rim_px : float
        Smallest distance of a centre from the rim of the field in px.

    Returns
    -------
    NDArray[np.float64]
        ``(n, 2)`` centres (x_px, y_px).

    Raises
    ------
    CryosegError
        If `n` centres do not fit.
    """
    extent = np.array(shape[::-1]) - 2 * rim_px
    centres = np.empty((0, 2))
    for candidate in rng.uniform(size=(200 * n, 2)) * extent + rim_px:
        if len(centres) == n:
            break
        if len(centres) == 0 or ((centres - candidate) ** 2).sum(axis=1).min() >= distance_px**2:
            centres = np.append(centres, candidate[None], axis=0)
    if len(centres) < n or extent.min() <= 0:
        raise CryosegError(
            f"{n} particles do not fit into {shape[1]} x {shape[0]} px at least {distance_px:.0f} px apart: "
            "give fewer, or a larger micrograph"
        )
    return centres


def draw_orientations(rng: np.random.Generator, n: int, preferred: bool) -> Rotation:
    """Return random rotations of particles.

    Parameters
    ----------
    rng : np.random.Generator
        Source of the rotations.
    n : int
        Number of rotations.
    preferred : bool
        Whether four fifths of them show about the same view, turned in the plane; else they are uniform.

    Returns
    -------
    Rotation
        `n` rotations of the specimen into the microscope's frame.
    """
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
    """Return the projected density of particles, whose beads are added bilinearly and then blurred.

    Parameters
    ----------
    specimen : Specimen
        The molecule.
    orientations : Rotation
        `n` rotations of the specimen into the microscope's frame; the beam runs along z.
    centres : NDArray[np.float64]
        ``(n, 2)`` centres of mass (x_px, y_px).
    shape : tuple of int
        ``(y, x)`` of the field in px; density wraps around its rim.
    diameter_px : float
        Maximum extent of the specimen in px.
    contrast : NDArray[np.float64], optional
        ``(n,)`` factors on the particles' densities; 1 by default.

    Returns
    -------
    NDArray[np.float32]
        ``(y, x)`` density, which sums to the weights of the beads over each particle.
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
    """Return an image of points, each shared bilinearly by four pixels; they wrap around at the rim.

    Parameters
    ----------
    xy_px : NDArray[np.float64]
        ``(n, 2)`` positions (x, y) in px.
    weights : NDArray[np.float64]
        ``(n,)`` weights of the points.
    shape : tuple of int
        ``(y, x)`` of the image in px.

    Returns
    -------
    NDArray[np.float32]
        ``(y, x)`` sum of the weights.
    """
    # One more row and column, folded back at the end, are cheaper than wrapping every index.
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
    """Return a ``(y, x)`` image convolved with a Gaussian of `sigma_px`, wrapping around at the rim."""
    k2 = frequency_squared(image.shape, 1.0)
    return irfft2(rfft2(image) * np.exp(-2 * np.pi**2 * sigma_px**2 * k2), s=image.shape)


def typical_density(density: Image) -> float:
    """Return the median of a ``(y, x)`` projected density where there is any; 1 in an empty field."""
    highest = float(density.max())
    return float(np.median(density[density > 0.05 * highest])) if highest > 0 else 1.0


def silhouette(density: Image, diameter_px: float) -> Mask:
    """Return where a ``(y, x)`` projected density counts as particle: above 0.3 of its typical value.

    The density is first blurred by `OUTLINE_BLUR`, as no finer outline can be seen.
    """
    return blur(density, OUTLINE_BLUR * diameter_px) > 0.3 * typical_density(density)


def frequency_squared(shape: tuple[int, ...], pixel_size_A: float) -> Image:
    """Return the squared frequency in 1/Å^2 of each value of ``rfft2`` of a ``(y, x)`` image."""
    ky, kx = np.fft.fftfreq(shape[0], pixel_size_A), np.fft.rfftfreq(shape[1], pixel_size_A)
    return (ky[:, None] ** 2 + kx[None] ** 2).astype(np.float32)
