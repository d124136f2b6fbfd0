"""The network over a whole micrograph at about the working scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from cryoseg_ext.arrays import Image
from cryoseg_ext.model.backend import has_graph
from cryoseg_ext.model.checkpoint import Model
from cryoseg_ext.model.graph import measure_ranges
from cryoseg_ext.network.architectures import stride_of
from cryoseg_ext.network.classes import N_CLASSES

_TILE_PX = 1280
_OVERLAP_PX = 96


@dataclass(frozen=True)
class View:
    """How the network looks at a micrograph.

    Parameters
    ----------
    zoom : float
        Pixels that it is shown for a pixel of the working scale.
    transposed : bool
        Whether x and y are exchanged.
    """

    zoom: float = 1.0
    transposed: bool = False


ONE_VIEW = (View(),)
VIEWS = (View(2**-0.25, transposed=True), View(2**0.25))
"""A quarter of an octave below and above the working scale: a diameter stated somewhat wrong is less wrong in
one of them, and of two views the errors that they do not share are halved."""


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


def run_network(image: Image, model: Model, views: tuple[View, ...] = VIEWS) -> NetworkOutput:
    """Run the network on a normalised working-scale image; of several views, take the mean of its logits.

    A field wider than 1280 px is cut into overlapping tiles, which bounds the memory.

    Parameters
    ----------
    image : NDArray[np.float32]
        ``(y, x)``, as `cryoseg_ext.image.scale.normalise` returns it.
    model : Model
        The network and its device.
    views : tuple of View
        How it looks at the image.
    """
    whole = torch.from_numpy(np.ascontiguousarray(image))[None, None].to(model.device)
    with torch.inference_mode():
        logits = torch.stack([_look(whole, model, view) for view in views]).mean(dim=0)[0]
        classes, centre = logits[:N_CLASSES], logits[N_CLASSES]
        particle = classes[1] - torch.logsumexp(classes[[0, 2]], dim=0)
        maps = torch.stack([particle, torch.softmax(classes, dim=0)[2], torch.sigmoid(centre)])
    return NetworkOutput(*maps.float().cpu().numpy())


def with_ranges(model: Model, images: Sequence[Image]) -> Model:
    """Return a model with the ranges that its network's maps have on images, for 8-bit integers.

    Of networks that integers are not for, there are none.

    Parameters
    ----------
    model : Model
        The model, whose network is final.
    images : Sequence of NDArray[np.float32]
        ``(y, x)`` normalised fields, all that the network may see among them.
    """
    if not has_graph(model.network, "cpu"):
        return replace(model, ranges=None)
    fields = [torch.from_numpy(np.ascontiguousarray(image))[None, None] for image in images]
    seen = [_seen(field, view)[0, 0].numpy() for field in fields for view in VIEWS]
    return replace(model, ranges=measure_ranges(model.network, seen))


def _look(image: Tensor, model: Model, view: View) -> Tensor:
    """Return the ``(1, 4, y, x)`` logits of the classes and of the centre map, pixel by pixel of `image`."""
    logits = _tiled(_seen(image, view), model)
    return _resized(logits.mT if view.transposed else logits, image.shape[-2:], "bilinear")


def _seen(image: Tensor, view: View) -> Tensor:
    """Return an image as a view shows it."""
    seen = _resized(image, [round(view.zoom * n) for n in image.shape[-2:]], "bicubic")
    return seen.mT if view.transposed else seen


def _resized(image: Tensor, size: Sequence[int], mode: str) -> Tensor:
    if image.shape[-2:] == tuple(size):
        return image
    # Where a map is enlarged bilinearly there is nothing to smooth, and the plain way is faster.
    smooths = mode == "bicubic" or size[0] < image.shape[-2]
    return torch.nn.functional.interpolate(image, size=list(size), mode=mode, antialias=smooths)


def _tiled(image: Tensor, model: Model) -> Tensor:
    """Return the ``(1, 4, y, x)`` logits of a ``(1, 1, y, x)`` image, tile by tile."""
    stride = stride_of(model.network)
    height, width = image.shape[-2:]
    logits = image.new_empty((1, N_CLASSES + 1, height, width))
    for rows, inner_rows in _tiles(height, stride):
        for columns, inner_columns in _tiles(width, stride):
            tile = _tile_logits(image[..., rows, columns], model, stride)
            logits[..., inner_rows, inner_columns] = tile[
                ...,
                inner_rows.start - rows.start : inner_rows.stop - rows.start,
                inner_columns.start - columns.start : inner_columns.stop - columns.start,
            ]
    return logits


def _tiles(length: int, stride: int) -> Iterator[tuple[slice, slice]]:
    """Yield (tile, its part to keep) so that the kept parts cover `length` once."""
    n = 1 if length <= _TILE_PX else -(-length // (_TILE_PX - 2 * _OVERLAP_PX))
    # On the network's own grid, so that a tile is sampled as the whole would be.
    edges = [*(round(length * k / n / stride) * stride for k in range(n)), length]
    for start, stop in pairwise(edges):
        yield slice(max(start - _OVERLAP_PX, 0), min(stop + _OVERLAP_PX, length)), slice(start, stop)


def _tile_logits(tile: Tensor, model: Model, stride: int) -> Tensor:
    height, width = tile.shape[-2:]
    padded = torch.nn.functional.pad(tile, (0, -width % stride, 0, -height % stride))
    return model.logits(padded)[..., :height, :width]
