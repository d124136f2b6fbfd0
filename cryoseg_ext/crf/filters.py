"""The interface of the pairwise filters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor


class PairwiseFilter(ABC):
    """A row-normalised pairwise kernel K, built once per reference and applied to many maps.

    Calling it is differentiable with respect to the map, and a constant map stays as it is. A new filter only
    needs to implement the products with K and with its transpose.
    """

    @abstractmethod
    def apply(self, values: Tensor) -> Tensor:
        """Return the product of K and a map ``(y, x)``, without a gradient."""

    @abstractmethod
    def apply_transposed(self, values: Tensor) -> Tensor:
        """Return the product of Kᵀ and a map ``(y, x)``, without a gradient."""

    def __call__(self, values: Tensor) -> Tensor:
        """Return the product of K and each of the maps ``(..., y, x)``."""
        if not (values.requires_grad and torch.is_grad_enabled()):
            return _each_map(self.apply, values)
        return _Apply.apply(values, self)  # type: ignore[no-untyped-call]


class SymmetricFilter(PairwiseFilter):
    """A filter ``K = diag(1 / G 1) G`` with a symmetric kernel G.

    Parameters
    ----------
    norm : Tensor
        ``(y, x)`` row sums ``G 1``.
    """

    def __init__(self, norm: Tensor) -> None:
        self._norm = norm

    @abstractmethod
    def gather(self, values: Tensor) -> Tensor:
        """Return the product of G and a map ``(y, x)``."""

    def apply(self, values: Tensor) -> Tensor:
        """Return the product of K and a map ``(y, x)``."""
        return self.gather(values) / self._norm

    def apply_transposed(self, values: Tensor) -> Tensor:
        """Return the product of Kᵀ and a map ``(y, x)``."""
        return self.gather(values / self._norm)


class _Apply(torch.autograd.Function):
    """Apply a filter; the gradient goes back through its transpose."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, kernel: PairwiseFilter) -> Tensor:
        ctx.kernel = kernel
        return _each_map(kernel.apply, values.detach())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _each_map(ctx.kernel.apply_transposed, gradients[0]), None


def _each_map(function: Any, values: Tensor) -> Tensor:
    if values.ndim == 2:
        return function(values)
    maps = values.reshape(-1, *values.shape[-2:])
    return torch.stack([function(single) for single in maps]).reshape(values.shape)
