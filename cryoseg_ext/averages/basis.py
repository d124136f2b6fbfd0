"""Images on a disk as sums of Fourier-Bessel functions, in which a rotation only turns phases.

The functions are ``J_m(z r / R) exp(i m angle)`` with the zeros `z` of the Bessel functions. They are
orthogonal on the disk of radius `R`, and those up to a frequency hold all that an image filtered to that
frequency has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.arrays import FloatArray, Image

Coefficients = NDArray[np.complex64]
"""Of one image along the last axis."""


@dataclass(frozen=True)
class DiskBasis:
    """The functions up to a frequency.

    Parameters
    ----------
    functions : NDArray[np.complex64]
        ``(n, side, side)``; real and imaginary parts have unit norm, or are 0.
    order : NDArray[np.int64]
        ``(n,)`` the `m` of each.
    frequency : NDArray[np.float64]
        ``(n,)`` of each, in periods per pixel.
    window : NDArray[np.float32]
        ``(side, side)`` weight of each pixel; it fades out towards the rim, where neighbours are.
    """

    functions: Coefficients
    order: NDArray[np.int64]
    frequency: FloatArray
    window: Image

    @property
    def n_real(self) -> NDArray[np.int64]:
        """``(n,)`` how many real numbers each coefficient is."""
        return np.where(self.order > 0, 2, 1)

    def coefficients(self, images: Image, shift_px: tuple[int, int] = (0, 0)) -> Coefficients:
        """Return ``(m, n)`` coefficients of ``(m, side, side)`` images around a pixel beside the middle.

        Parameters
        ----------
        images : NDArray[np.float32]
            The images.
        shift_px : tuple of int
            Where the middle of the disk lies, (y, x) from pixel ``side // 2``.
        """
        windowed = self.functions * self.window
        functions = np.roll(windowed, shift_px, (1, 2)).reshape(len(windowed), -1)
        pairs = np.stack([functions.real, functions.imag], axis=1).reshape(-1, functions.shape[1])
        return (images.reshape(len(images), -1) @ pairs.T).view(np.complex64)

    def images(self, coefficients: Coefficients) -> Image:
        """Return ``(m, side, side)`` images of ``(m, n)`` coefficients, filtered to the frequency."""
        return np.tensordot(coefficients.conj(), self.functions, 1).real

    def rotations(self, angles: FloatArray) -> Coefficients:
        """Return ``(angles, n)`` factors that turn coefficients by angles in radians, from x to y."""
        return np.exp(1j * angles[:, None] * self.order).astype(np.complex64)


def disk_basis(side: int, radius_px: float, fades_px: float, most_frequency: float) -> DiskBasis:
    """Return the functions on a disk around pixel ``side // 2``.

    Parameters
    ----------
    side : int
        Side of the images.
    radius_px : float
        Radius of the disk.
    fades_px : float
        Radius from which the weight of pixels falls.
    most_frequency : float
        In periods per pixel.
    """
    from scipy.special import jn_zeros, jv

    y, x = np.mgrid[:side, :side] - side // 2
    radius, angle = np.hypot(y, x), np.arctan2(y, x)
    most = 2 * np.pi * most_frequency * radius_px
    functions, orders, zeros = [], [], []
    # Every zero of the function of order m is larger than m.
    for order in range(int(most)):
        for zero in jn_zeros(order, int(most / np.pi) + 1):
            if zero <= most:
                wave = jv(order, zero * radius / radius_px) * (radius < radius_px)
                functions.append(
                    _unit(wave * np.cos(order * angle)) + 1j * _unit(wave * np.sin(order * angle))
                )
                orders.append(order)
                zeros.append(zero)
    frequency = np.array(zeros) / (2 * np.pi * radius_px)
    fading = np.clip((radius_px - radius) / (radius_px - fades_px), 0, 1)
    window = (np.sin(np.pi / 2 * fading) ** 2).astype(np.float32)
    return DiskBasis(np.array(functions, np.complex64), np.array(orders, np.int64), frequency, window)


def _unit(image: FloatArray) -> FloatArray:
    norm = float(np.linalg.norm(image))
    return image / norm if norm else image
