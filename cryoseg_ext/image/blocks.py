"""Work on an image in pieces that stay in the processor's cache, and interpolation between block means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.arrays import FloatArray, Image


def chunks(total: int, length: int) -> Iterator[slice]:
    """Yield the slices of `length` elements, and a shorter last one, that make up `total`."""
    return (slice(start, min(start + length, total)) for start in range(0, total, length))


def interpolation(n_px: int, centres_px: FloatArray) -> Image:
    """Return the ``(n_px, blocks)`` matrix of linear interpolation between centres, constant outside."""
    columns = [np.interp(np.arange(n_px), centres_px, unit) for unit in np.eye(len(centres_px))]
    return np.stack(columns, axis=1).astype(np.float32)


def block_sums(values: NDArray[Any], side_px: int) -> Image:
    """Return the ``(y, x)`` sums over square blocks; those at the far sides may have fewer pixels.

    Parameters
    ----------
    values : NDArray
        ``(y, x)`` values, of a type that can hold the sum of a column of a block.
    side_px : int
        Side of a block in pixels.
    """
    columns = np.arange(0, values.shape[1], side_px)
    lines = (values[rows].sum(axis=0, dtype=values.dtype) for rows in chunks(len(values), side_px))
    return np.stack([np.add.reduceat(line, columns, dtype=np.float32) for line in lines])
