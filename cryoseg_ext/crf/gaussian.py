"""The smoothness kernel: a row-normalised Gaussian on the distance between pixels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

TRUNCATE_SIGMAS = 4.0

# Rows of one dense product: long enough for the BLAS, short enough that the zeros off the band cost little.
BLOCK = 64

# OpenBLAS starts threads for larger products, which gain nothing here and cost five times as much when the
# cores are busy with another micrograph.
SINGLE_THREAD_MULTIPLICATIONS = 4 * 65536


class GaussianFilter:
    """Gaussian smoothing whose weights sum to one at every pixel, at the rim too.

    Parameters
    ----------
    shape : tuple[int, int]
        ``(ny, nx)`` of the maps to filter.
    sigma_px : float
        Standard deviation in pixels.
    """

    def __init__(self, shape: tuple[int, int], sigma_px: float) -> None:
        self._by = BandedGaussian(shape[0], sigma_px, normalised=True)
        self._bx = BandedGaussian(shape[1], sigma_px, normalised=True)

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the smoothed map, ``(y, x)``."""
        return self._bx.apply_right(self._by.apply_left(values))


class BandedGaussian:
    """A Gaussian Toeplitz matrix along one axis, applied block by block.

    A dense product of short blocks runs at the speed of the BLAS, several times faster than a
    sliding-window convolution of the same length.

    Parameters
    ----------
    length : int
        Number of samples along the axis.
    sigma : float
        Standard deviation in samples; the kernel is cut at four of them.
    normalised : bool
        Whether every row sums to one; otherwise the peak weight is one.
    """

    def __init__(self, length: int, sigma: float, *, normalised: bool) -> None:
        radius = min(int(np.ceil(TRUNCATE_SIGMAS * sigma)), length - 1)
        self._blocks: list[tuple[slice, slice, NDArray[np.float32]]] = []
        for start in range(0, length, BLOCK):
            out = slice(start, min(start + BLOCK, length))
            source = slice(max(start - radius, 0), min(out.stop + radius, length))
            distance = np.arange(out.start, out.stop)[:, None] - np.arange(source.start, source.stop)
            weight = np.exp(-0.5 * (distance / sigma) ** 2) * (np.abs(distance) <= radius)
            if normalised:
                weight /= weight.sum(axis=1, keepdims=True)
            self._blocks.append((out, source, weight.astype(np.float32)))

    def apply_left(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the product along the first axis of `values` ``(length, m)``."""
        result = np.empty_like(values)
        for out, source, weight in self._blocks:
            for part in _slabs(values.shape[1], weight.size):
                np.matmul(weight, values[source, part], out=result[out, part])
        return result

    def apply_right(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the product along the last axis of `values` ``(m, length)``."""
        result = np.empty_like(values)
        for out, source, weight in self._blocks:
            for part in _slabs(len(values), weight.size):
                np.matmul(values[part, source], weight.T, out=result[part, out])
        return result


def _slabs(length: int, multiplications: int) -> Iterator[slice]:
    """Ranges along an axis of `length` whose products stay on one thread."""
    step = max(1, SINGLE_THREAD_MULTIPLICATIONS // multiplications)
    return (slice(start, start + step) for start in range(0, length, step))
