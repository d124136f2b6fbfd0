"""Fields shown more than once, where a GPU learns faster than processors simulate."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import torch
from torch import Tensor

MOST_BATCHES = 64
"""Batches that are kept on the device to draw from: 2 GB at 32 fields of 256 x 256 px."""

Batch = tuple[Tensor, ...]


def shown_again(batches: Iterator[Batch], times: int, device: str, seed: int) -> Iterator[Batch]:
    """Yield `times` batches for each one: fields drawn from the latest, turned and mirrored at random.

    Parameters
    ----------
    batches : iterator of tuple of Tensor
        New fields: maps whose last two axes are (y, x), of equal length.
    times : int
        Mean number of times that a field is shown.
    device : str
        Torch device that the fields are kept on.
    seed : int
        Random seed.
    """
    generator = torch.Generator().manual_seed(seed)
    latest: deque[Batch] = deque(maxlen=MOST_BATCHES)

    def draw(below: int, n: int = 1) -> list[int]:
        return torch.randint(below, (n,), generator=generator).tolist()

    for batch in batches:
        latest.append(tuple(tensor.to(device) for tensor in batch))
        size = len(batch[0])
        for _ in range(times):
            turns, mirrored = draw(4)[0], draw(2)[0]
            drawn = list(zip(draw(len(latest), size), draw(size, size), strict=True))
            stacked = (torch.stack([latest[b][part][i] for b, i in drawn]) for part in range(len(batch)))
            turned = (tensor.rot90(turns, (-2, -1)) for tensor in stacked)
            yield tuple(tensor.transpose(-2, -1) if mirrored else tensor for tensor in turned)
