"""The appearance kernel: a bilateral grid with sparse splat and slice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from itertools import pairwise, product
from operator import mul
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cryoseg_ext.crf.filters import SymmetricFilter
from cryoseg_ext.crf.gaussian import BandedGaussian

CELLS_PER_SIGMA = 2.0
"""Grid cells per standard deviation."""
STRIPES = 2
"""Stripes of rows, processed in parallel where PyTorch may use that many threads."""
BLUR_SIGMA_CELLS = float(np.sqrt(CELLS_PER_SIGMA**2 - 2 / 6))
"""Blur in cells; splat and slice are linear interpolations, which widen it by 1/6 cell² each on average."""


class BilateralGridFilter(SymmetricFilter):
    """Row-normalised Gaussian on position and reference, by a bilateral grid.

    Values are splatted linearly into a grid of (y, x, reference channels) with two cells per standard
    deviation, blurred there and sliced back linearly (Chen, Paris & Durand 2007,
    doi:10.1145/1276377.1276506). Time and memory double with every channel.

    Parameters
    ----------
    reference : Tensor
        ``(c, y, x)`` maps that steer the kernel, finite.
    sigma_px : float
        Spatial standard deviation in pixels.
    reference_sigma : float
        Standard deviation on each channel, in units of `reference`.
    """

    def __init__(self, reference: Tensor, sigma_px: float, reference_sigma: float) -> None:
        _, ny, nx = reference.shape
        like = reference[0]
        y, x = (torch.arange(n, dtype=like.dtype, device=like.device) for n in (ny, nx))
        cells = [_Cells(y[:, None], sigma_px), _Cells(x[None, :], sigma_px)]
        cells += [_Cells(channel - channel.min(), reference_sigma) for channel in reference]
        self._shape = [axis.count for axis in cells]
        self._blur = [BandedGaussian(n, BLUR_SIGMA_CELLS, like) for n in self._shape]
        edges = np.linspace(0, ny, STRIPES + 1).astype(int) if like.device.type == "cpu" else (0, ny)
        self._stripes = [slice(int(a), int(b)) for a, b in pairwise(edges)]
        make = _SparseStripe if like.device.type == "cpu" else _IndexedStripe
        with _threads() as threads:
            self._parts = list(threads.map(lambda rows: make(cells, rows, nx), self._stripes))
        super().__init__(self.gather(torch.ones_like(like)))

    def gather(self, values: Tensor) -> Tensor:
        """Return the unnormalised filtered map."""
        # Sparse products release the interpreter lock, so stripes of the map run in parallel.
        with _threads() as threads:
            splats = threads.map(
                lambda part, rows: part.splat(values[rows].reshape(-1)), self._parts, self._stripes
            )
            grid = torch.stack(list(splats)).sum(0).reshape(self._shape)
            for dim, blur in enumerate(self._blur):
                grid = blur(grid, dim)
            flat = grid.reshape(-1)
            return torch.cat(list(threads.map(lambda part: part.slice(flat), self._parts))).view_as(values)


def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(STRIPES, torch.get_num_threads()))


class _Cells:
    """Lower grid cell and linear weight of every coordinate; the smallest coordinate is zero."""

    def __init__(self, coordinate: Tensor, sigma: float) -> None:
        scaled = coordinate * (CELLS_PER_SIGMA / sigma)
        self.lower = scaled.to(torch.int32)
        self.fraction = scaled - self.lower
        self.count = int(self.lower.max()) + 2

    def of(self, rows: slice) -> tuple[Tensor, Tensor]:
        """Return the lower cells and weights of some rows of the map."""
        part = rows if len(self.lower) > 1 else slice(None)
        return self.lower[part], self.fraction[part]


def _corners(cells: list[_Cells], rows: slice, nx: int) -> tuple[Tensor, Tensor, int]:
    """Return grid index and weight ``(pixels, corners)`` of some rows of the map, and the grid's size."""
    parts = [axis.of(rows) for axis in cells]
    strides = [int(np.prod([axis.count for axis in cells[k + 1 :]])) for k in range(len(cells))]
    n_rows = rows.stop - rows.start
    base = sum((lower * stride for (lower, _), stride in zip(parts, strides, strict=True)), torch.tensor(0))
    corners = list(product((0, 1), repeat=len(cells)))
    like = parts[0][1]
    weight = like.new_empty((n_rows, nx, len(corners)))
    index = torch.empty((n_rows, nx, len(corners)), dtype=torch.int32, device=like.device)
    for number, corner in enumerate(corners):
        share = [f if upper else 1 - f for (_, f), upper in zip(parts, corner, strict=True)]
        weight[..., number] = reduce(mul, share)
        index[..., number] = base + sum(u * s for u, s in zip(corner, strides, strict=True))
    size = int(np.prod([axis.count for axis in cells]))
    return index.reshape(-1, len(corners)), weight.reshape(-1, len(corners)), size


class _SparseStripe:
    """Splat and slice of some rows on the CPU: a scipy CSR product is several times faster than torch's."""

    def __init__(self, cells: list[_Cells], rows: slice, nx: int) -> None:
        from scipy.sparse import csr_array

        index, weight, size = _corners(cells, rows, nx)
        pixels, corners = index.shape
        start = np.arange(0, corners * pixels + 1, corners, dtype=np.int32)
        rows_of_matrix = (weight.numpy().ravel(), index.numpy().ravel(), start)
        self._matrix: Any = csr_array(rows_of_matrix, shape=(pixels, size))

    def splat(self, values: Tensor) -> Tensor:
        return torch.from_numpy(self._matrix.T @ values.numpy())

    def slice(self, grid: Tensor) -> Tensor:
        return torch.from_numpy(self._matrix @ grid.numpy())


class _IndexedStripe:
    """Splat and slice of some rows on a GPU, by scatter and gather."""

    def __init__(self, cells: list[_Cells], rows: slice, nx: int) -> None:
        self._index, self._weight, self._size = _corners(cells, rows, nx)

    def splat(self, values: Tensor) -> Tensor:
        grid = values.new_zeros(self._size)
        return grid.index_add_(0, self._index.reshape(-1), (self._weight * values[:, None]).reshape(-1))

    def slice(self, grid: Tensor) -> Tensor:
        return (grid[self._index.long()] * self._weight).sum(1)
