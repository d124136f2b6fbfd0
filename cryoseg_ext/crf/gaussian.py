"""The smoothness kernel: a row-normalised Gaussian on the distance between pixels."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from cryoseg_ext.crf.filters import SymmetricFilter

TRUNCATE_SIGMAS = 4.0
"""Distance at which the kernel is cut, in standard deviations."""
BLOCK = 64
"""Rows of one dense product: enough for the BLAS, few enough that the zeros off the band cost little."""
COARSE_FROM_PX = 16.0
"""Standard deviation in pixels above which the kernel works on a coarser grid, which is much faster."""
CELLS_PER_SIGMA = 2.0
"""Cells of that grid per standard deviation."""


@lru_cache(maxsize=32)
def gaussian_filter(
    shape: tuple[int, int], dtype: torch.dtype, device: torch.device, sigma_px: float
) -> GaussianFilter:
    """Return a cached filter: most micrographs of a session have the same shape.

    Parameters
    ----------
    shape : tuple of int
        ``(ny, nx)`` of the maps to filter.
    dtype : torch.dtype
        Type of the maps.
    device : torch.device
        Device of the maps.
    sigma_px : float
        Standard deviation in pixels.
    """
    return GaussianFilter(torch.empty(shape, dtype=dtype, device=device), sigma_px)


class GaussianFilter(SymmetricFilter):
    """Gaussian smoothing whose weights sum to one at every pixel, also at the edge.

    Parameters
    ----------
    like : Tensor
        ``(y, x)`` map of the shape, type and device of the maps to filter.
    sigma_px : float
        Standard deviation in pixels.
    """

    def __init__(self, like: Tensor, sigma_px: float) -> None:
        step = max(1.0, sigma_px / CELLS_PER_SIGMA) if sigma_px > COARSE_FROM_PX else 1.0
        self._to_cells = [_interpolation(n, step, like) for n in like.shape] if step > 1 else None
        cells = [weights.shape[1] for weights in self._to_cells] if self._to_cells else like.shape
        # A linear interpolation widens a kernel by 1/6 cell² on average, and there are two: down and up.
        sigma = (sigma_px**2 / step**2 - (2 / 6 if step > 1 else 0)) ** 0.5
        self._blur = [BandedGaussian(n, sigma, like) for n in cells]
        along_y, along_x = self._blur
        ones = torch.ones_like(like)
        # Without cells the sum of the weights is a product of one factor per axis, which is faster to build.
        super().__init__(
            self.gather(ones) if self._to_cells else along_y(ones[:, :1], 0) * along_x(ones[:1], 1)
        )

    def gather(self, values: Tensor) -> Tensor:
        """Return the unnormalised smoothing of a map ``(y, x)``."""
        along_y, along_x = self._blur
        if self._to_cells is None:
            return along_x(along_y(values, 0), 1)
        rows, columns = self._to_cells
        coarse = along_x(along_y(rows.T @ values @ columns, 0), 1)
        return rows @ coarse @ columns.T


def _interpolation(length: int, step: float, like: Tensor) -> Tensor:
    """Return ``(length, cells)`` weights of linear interpolation from cells `step` samples apart."""
    cells = math.ceil((length - 1) / step) + 1
    position = torch.arange(length, dtype=like.dtype, device=like.device)[:, None] / step
    return (1 - (position - torch.arange(cells, device=like.device)).abs()).clamp(min=0)


class BandedGaussian:
    """A Gaussian Toeplitz matrix of peak 1 along one axis, applied block by block.

    Dense products of short blocks run at the speed of the BLAS, which a convolution does not reach.

    Parameters
    ----------
    length : int
        Number of samples along the axis.
    sigma : float
        Standard deviation in samples; the kernel is cut at `TRUNCATE_SIGMAS` of them.
    like : Tensor
        Any tensor of the type and device of the values to filter.
    """

    def __init__(self, length: int, sigma: float, like: Tensor) -> None:
        radius = min(math.ceil(TRUNCATE_SIGMAS * sigma), length - 1)
        index = torch.arange(length, device=like.device)
        self._blocks: list[tuple[slice, slice, Tensor]] = []
        for start in range(0, length, BLOCK):
            out = slice(start, min(start + BLOCK, length))
            source = slice(max(start - radius, 0), min(out.stop + radius, length))
            distance = (index[out, None] - index[source]).to(like.dtype)
            weight = torch.exp(-0.5 * (distance / sigma) ** 2) * (distance.abs() <= radius)
            self._blocks.append((out, source, weight))

    def __call__(self, values: Tensor, dim: int) -> Tensor:
        """Return the product along dimension `dim` of `values`."""
        length = values.shape[dim]
        flat = values.movedim(dim, 0)
        rest, flat = flat.shape[1:], flat.reshape(length, -1)
        result = torch.cat([weight @ flat[source] for _, source, weight in self._blocks])
        return result.reshape(length, *rest).movedim(0, dim)
