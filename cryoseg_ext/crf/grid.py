"""The appearance kernel: a bilateral grid with sparse splat and slice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.crf.gaussian import BandedGaussian

CELLS_PER_SIGMA = 2.0

# Stripes of rows handled side by side, one thread each.
STRIPES = 2

# A linear interpolation widens a kernel by 1/6 cell² on average; splat and slice make two of them.
BLUR_SIGMA_CELLS = float(np.sqrt(CELLS_PER_SIGMA**2 - 2 / 6))


class BilateralGridFilter:
    """Row-normalised Gaussian on position and grey value, by a bilateral grid.

    Values are splatted trilinearly into a grid of (y, x, grey value) with two cells per standard deviation,
    blurred there and sliced back trilinearly (Chen, Paris & Durand 2007, doi:10.1145/1276377.1276506).

    Parameters
    ----------
    reference : NDArray[np.float32]
        ``(y, x)`` map whose grey values steer the kernel, finite.
    sigma_px : float
        Spatial standard deviation in pixels.
    reference_sigma : float
        Standard deviation on the grey value, in units of `reference`.
    """

    def __init__(self, reference: NDArray[np.float32], sigma_px: float, reference_sigma: float) -> None:
        ny, nx = reference.shape
        y = _Cells(np.arange(ny, dtype=np.float32), sigma_px)
        x = _Cells(np.arange(nx, dtype=np.float32), sigma_px)
        grey = _Cells(reference - reference.min(), reference_sigma)
        self._shape = (y.count, x.count, grey.count)
        self._blur = [BandedGaussian(n, BLUR_SIGMA_CELLS, normalised=False) for n in self._shape]
        edges = np.linspace(0, ny, STRIPES + 1).astype(int)
        self._stripes = [slice(a, b) for a, b in pairwise(edges)]
        with ThreadPoolExecutor(STRIPES) as threads:
            self._slices = list(threads.map(lambda rows: _slice_matrix(y, x, grey, rows), self._stripes))
        self._norm = self._filter(np.ones_like(reference))

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the filtered map, ``(y, x)``."""
        return self._filter(values) / self._norm

    def _filter(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        # scipy's sparse products release the interpreter lock, so stripes of the map run side by side.
        with ThreadPoolExecutor(STRIPES) as threads:
            splats = threads.map(lambda s, rows: s.T @ values[rows].ravel(), self._slices, self._stripes)
            grid = self._blurred(sum(splats))
            parts = threads.map(lambda s: s @ grid, self._slices)
            return np.concatenate(list(parts)).reshape(values.shape)

    def _blurred(self, grid: NDArray[np.float32]) -> NDArray[np.float32]:
        n_y, n_x, n_grey = self._shape
        along_y, along_x, along_grey = self._blur
        grid = along_y.apply_left(grid.reshape(n_y, -1)).reshape(n_y, n_x, n_grey)
        grid = np.stack([along_x.apply_left(row) for row in grid])
        return along_grey.apply_right(grid.reshape(-1, n_grey)).ravel()


class _Cells:
    """Lower grid cell and linear weight of every coordinate, the coordinates starting at zero."""

    def __init__(self, coordinate: NDArray[np.float32], sigma: float) -> None:
        scaled = coordinate * np.float32(CELLS_PER_SIGMA / sigma)
        self.lower = scaled.astype(np.int32)
        self.fraction = scaled - self.lower
        self.count = int(self.lower.max()) + 2


def _slice_matrix(y: _Cells, x: _Cells, grey: _Cells, rows: slice) -> Any:
    """Sparse ``(pixels, cells)`` matrix of trilinear weights for some rows of the map."""
    from scipy.sparse import csr_array

    lower_grey, fraction_grey = grey.lower[rows], grey.fraction[rows]
    weight = np.empty((*lower_grey.shape, 8), np.float32)
    index = np.empty((*lower_grey.shape, 8), np.int32)
    base = (y.lower[rows, None] * x.count + x.lower[None, :]) * grey.count + lower_grey
    upper = [fraction_grey, 1 - fraction_grey]
    for corner in range(8):
        dy, dx, dg = corner >> 2, corner >> 1 & 1, corner & 1
        wy = y.fraction[rows] if dy else 1 - y.fraction[rows]
        wx = x.fraction if dx else 1 - x.fraction
        weight[..., corner] = (wy[:, None] * wx[None, :]) * upper[1 - dg]
        index[..., corner] = base + ((dy * x.count + dx) * grey.count + dg)
    pixels = lower_grey.size
    start = np.arange(0, 8 * pixels + 1, 8, dtype=np.int32)
    return csr_array((weight.ravel(), index.ravel(), start), shape=(pixels, y.count * x.count * grey.count))
