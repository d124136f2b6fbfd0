"""Rescaling in Fourier space, in pieces, so that the transform of a large field is never whole in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from cryoseg_ext.arrays import Image
from cryoseg_ext.image.blocks import chunks

_ROWS, _COLUMNS = 64, 16
"""Rows and columns that are transformed together, few enough for the cache."""


def fixed_px(length: int) -> int:
    """Return the pixel that `fourier_rescale` maps onto the same pixel of the other size."""
    return (length + 1) // 2


def fourier_rescale(image: Image, shape: tuple[int, int], surface: tuple[Image, Image]) -> Image:
    """Return an image less a surface, rescaled by cropping or padding its Fourier transform.

    The mean is kept, and so is the position of `fixed_px`: it is the origin of the convention of
    torch-fourier-rescale, in whose place this stands because it needs less time and memory.

    Parameters
    ----------
    image : NDArray[np.float32]
        ``(y, x)`` values.
    shape : tuple of int
        ``(ny, nx)`` of the result.
    surface : tuple of NDArray[np.float32]
        ``(y,)`` and ``(x,)`` profiles whose sum at each pixel is subtracted.
    """
    (ny, nx), along_y, along_x = image.shape, surface[0][:, None], surface[1]
    n_y, n_x = min(ny, shape[0]), min(nx, shape[1]) // 2 + 1
    half = np.empty((ny, n_x), np.complex64)
    for rows in chunks(ny, _ROWS):
        half[rows] = fft.rfft(image[rows] - (along_y[rows] + along_x), axis=1)[:, :n_x]
    kept = np.zeros((shape[0], shape[1] // 2 + 1), np.complex64)
    # Of an even number of frequencies the one without a partner is negative.
    n_positive, n_negative = (n_y + 1) // 2, n_y // 2
    for columns in chunks(n_x, _COLUMNS):
        spectrum = fft.fft(half[:, columns], axis=0)
        kept[:n_positive, columns] = spectrum[:n_positive]
        kept[shape[0] - n_negative :, columns] = spectrum[ny - n_negative :]
    y_frequencies = np.rint(fft.fftfreq(shape[0], 1 / shape[0]))
    kept *= _shift(ny, shape[0], y_frequencies)[:, None] / np.float32(ny * nx)
    kept *= _shift(nx, shape[1], np.arange(kept.shape[1]))
    return np.asarray(fft.irfft2(kept, shape, norm="forward"), np.float32)


def _shift(length: int, new_length: int, frequencies: NDArray[Any]) -> NDArray[np.complex64]:
    """Return the phases by which `fixed_px` of one length comes to lie on that of the other."""
    turns = fixed_px(length) / length - fixed_px(new_length) / new_length
    return np.exp(2j * np.pi * turns * frequencies).astype(np.complex64)
