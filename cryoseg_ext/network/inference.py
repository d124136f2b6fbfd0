"""The network over a whole micrograph at the working scale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from cryoseg_ext.network.architectures import stride_of
from cryoseg_ext.network.checkpoint import Model

Image = NDArray[np.float32]

_TILE_PX = 1280
_OVERLAP_PX = 96


@dataclass(frozen=True)
class NetworkOutput:
    """What the network says of a micrograph, all ``(y, x)`` at the working scale.

    Parameters
    ----------
    particle_logit : NDArray[np.float32]
        Log-odds of particle against everything else.
    contaminant : NDArray[np.float32]
        Probability of the contaminant class.
    centre : NDArray[np.float32]
        Centre map in [0, 1].
    """

    particle_logit: Image
    contaminant: Image
    centre: Image


def segment(image: Image, model: Model) -> NetworkOutput:
    """Run the network on a normalised working-scale image.

    A field wider than 1280 px is cut into overlapping tiles, which bounds the memory.

    Parameters
    ----------
    image : NDArray[np.float32]
        ``(y, x)``, as `cryoseg_ext.normalise.normalise` returns it.
    model : Model
        The network and its device.
    """
    maps = np.empty((3, *image.shape), np.float32)
    stride = stride_of(model.network)
    for rows, inner_rows in _tiles(image.shape[0], stride):
        for columns, inner_columns in _tiles(image.shape[1], stride):
            tile = _segment_tile(image[rows, columns], model, stride)
            target = (slice(None), inner_rows, inner_columns)
            source = (
                slice(None),
                slice(inner_rows.start - rows.start, inner_rows.stop - rows.start),
                slice(inner_columns.start - columns.start, inner_columns.stop - columns.start),
            )
            maps[target] = tile[source]
    return NetworkOutput(*maps)


def _tiles(length: int, stride: int) -> Iterator[tuple[slice, slice]]:
    """Yield (tile, its part to keep) so that the kept parts cover `length` once."""
    n = 1 if length <= _TILE_PX else -(-length // (_TILE_PX - 2 * _OVERLAP_PX))
    # On the network's own grid, so that a tile is sampled as the whole would be.
    edges = [*(round(length * k / n / stride) * stride for k in range(n)), length]
    for start, stop in pairwise(edges):
        yield slice(max(start - _OVERLAP_PX, 0), min(stop + _OVERLAP_PX, length)), slice(start, stop)


def _segment_tile(image: Image, model: Model, stride: int) -> Image:
    """Return ``(3, y, x)``: particle logit, contaminant probability, centre map."""
    height, width = image.shape
    pad = (0, -width % stride, 0, -height % stride)
    batch = torch.from_numpy(np.ascontiguousarray(image))[None, None].to(model.device)
    batch = torch.nn.functional.pad(batch, pad)
    with torch.inference_mode():
        classes, centre = model.network(batch.contiguous(memory_format=torch.channels_last))
        others = torch.logsumexp(classes[:, [0, 2]], dim=1)
        maps = torch.stack(
            [classes[:, 1] - others, torch.softmax(classes, dim=1)[:, 2], torch.sigmoid(centre[:, 0])], dim=1
        )
    tile: Image = maps[0, :, :height, :width].float().cpu().numpy()
    return tile
