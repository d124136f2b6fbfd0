"""Random sizes and outlines that several parts of the simulation share."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from scipy.ndimage import gaussian_filter

from cryoseg_ext.arrays import FloatArray, Image

Drawing = tuple[Image, Image]
"""Projected density, and the density that a particle needs to show through it."""


def log_uniform(rng: Generator, low: float, high: float) -> float:
    """Return a random number whose logarithm is uniform.

    Parameters
    ----------
    rng : np.random.Generator
        Source of the number.
    low, high : float
        Its range, both above 0.
    """
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def ragged_disc(
    rng: Generator,
    shape: tuple[int, int],
    radius_px: float,
    raggedness: float,
    blur_px: float = 0.0,
    at_px: FloatArray | None = None,
) -> Image:
    """Return 1 inside and 0 outside a blurred outline of random harmonics.

    Parameters
    ----------
    rng : np.random.Generator
        Source of the outline, and of its position.
    shape : tuple of int
        ``(y, x)`` in px.
    radius_px : float
        Its mean radius.
    raggedness : float
        Size of the harmonics; 0 for a disc.
    blur_px : float
        Standard deviation of the blur.
    at_px : NDArray[np.float64], optional
        Centre (y, x); random by default.
    """
    y0, x0 = rng.uniform(size=2) * np.array(shape) if at_px is None else at_px
    harmonics = [(n, raggedness / n * rng.normal(), rng.uniform(0, 2 * np.pi)) for n in range(2, 6)]
    reach = radius_px * (1 + sum(abs(amplitude) for _, amplitude, _ in harmonics)) + 5 * blur_px
    rows, columns = (slice(max(int(at - reach), 0), max(int(at + reach) + 2, 0)) for at in (y0, x0))
    y, x = np.ogrid[: shape[0], : shape[1]]
    down, right = y[rows] - y0, x[:, columns] - x0
    angle = np.arctan2(down, right)
    outline = 1 + sum(amplitude * np.cos(n * angle + phase) for n, amplitude, phase in harmonics)
    inside = np.zeros(shape, np.float32)
    disc = (np.hypot(down, right) < radius_px * outline).astype(np.float32)
    inside[rows, columns] = gaussian_filter(disc, blur_px)
    return inside


def above(density: Image, threshold: float) -> Image:
    """Return the density where it is above a threshold, else 0."""
    return np.where(density > threshold, density, np.float32(0))
