"""Networks without a decoder on the residual encoder: FCN and DeepLabV3."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cryoseg_ext.network.classes import N_CLASSES
from cryoseg_ext.network.encoder import N_MAPS, ResidualEncoder, enlarge

_RATES = (1, 2, 4)
"""Halves of the dilations of the pyramid's convolutions."""


class FCN(ResidualEncoder):
    """Fully convolutional network, FCN-8s with one more level (Long et al. 2015).

    Scores at the strides 16, 8, 4 and 2 are enlarged and summed.

    Parameters
    ----------
    base : int
        Feature maps after the stem.
    """

    def __init__(self, base: int = 24) -> None:
        super().__init__(base)
        self.scores = nn.ModuleList(nn.Conv2d(width, N_MAPS, 1) for width in self.widths)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return class logits ``(b, 3, h, w)`` and centre logits ``(b, 1, h, w)``."""
        _, *levels, deepest = self.features(image)
        maps = self.scores[-1](deepest)
        for score, level in zip(reversed(self.scores[:-1]), reversed(levels), strict=True):
            maps = enlarge(maps, 2) + score(level)
        maps = enlarge(maps, 2)
        return maps[:, :N_CLASSES], maps[:, N_CLASSES:]


class DeepLabV3(ResidualEncoder):
    """DeepLabV3 (Chen et al. 2017) on the features at stride 4, where a particle is 6 px across.

    The branches of the atrous spatial pyramid pooling span 1, 5, 9 and 17 of those pixels. Pooling over the
    whole image, as in the paper, is left out: the result would depend on the tiles of a micrograph.

    Parameters
    ----------
    base : int
        Feature maps after the stem.
    """

    stride = 4

    def __init__(self, base: int = 24) -> None:
        super().__init__(base)
        width = self.widths[1]
        # The deeper levels of the encoder are not used, so they must not be trained or stored.
        self.down, self.encode = self.down[:1], self.encode[:2]
        self.pyramid = nn.ModuleList([_block(width, width, 1)])
        self.pyramid.extend(_block(width, width, 3, 2 * rate) for rate in _RATES)
        self.project = nn.Sequential(_block(len(self.pyramid) * width, width, 1), _block(width, width, 3))
        self.maps = nn.Conv2d(width, N_MAPS, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return class logits ``(b, 3, h, w)`` and centre logits ``(b, 1, h, w)``."""
        deepest = self.features(image)[-1]
        pooled = torch.cat([branch(deepest) for branch in self.pyramid], dim=1)
        maps = enlarge(self.maps(self.project(pooled)), 4)
        return maps[:, :N_CLASSES], maps[:, N_CLASSES:]


def _block(channels_in: int, channels_out: int, size: int, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(
            channels_in, channels_out, size, padding=size // 2 * dilation, dilation=dilation, bias=False
        ),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )
