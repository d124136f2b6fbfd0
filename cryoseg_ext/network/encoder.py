"""The residual encoder that the built-in networks share."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from cryoseg_ext.network.classes import N_CLASSES

N_MAPS = N_CLASSES + 1
"""Output maps of a network: the logits of the classes and of the centre map."""


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with batch normalisation around a skip (He et al. 2016).

    Parameters
    ----------
    channels_in, channels_out : int
        Numbers of feature maps; a 1 x 1 convolution adapts the skip if they differ.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
        )
        self.skip = nn.Identity() if channels_in == channels_out else nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(b, channels_out, h, w)`` from ``(b, channels_in, h, w)``."""
        return torch.relu_(self.body(x) + self.skip(x))


class ResidualEncoder(nn.Module):
    """A stride-2 stem and residual blocks at the strides 2, 4, 8 and 16.

    The stem halves the resolution before the first block, which makes a network about four times faster.

    Parameters
    ----------
    base : int
        Feature maps after the stem (stride 2); the deeper levels have 2, 4 and 4 times as many.
    """

    stride = 16

    def __init__(self, base: int) -> None:
        super().__init__()
        self.full_width = max(base // 2, 8)
        self.widths = [base, 2 * base, 4 * base, 4 * base]
        self.full = nn.Sequential(nn.Conv2d(1, self.full_width, 5, padding=2), nn.ReLU(inplace=True))
        self.stem = nn.Conv2d(self.full_width, base, 3, stride=2, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(self.widths))
        self.encode = nn.ModuleList(ResidualBlock(w, w) for w in self.widths)

    def features(self, image: Tensor) -> list[Tensor]:
        """Return the features at the strides 1, 2, 4, 8 and 16 of ``(b, 1, h, w)`` images."""
        full = self.full(image)
        levels = [full, self.encode[0](torch.relu_(self.stem(full)))]
        for down, encode in zip(self.down, self.encode[1:], strict=True):
            levels.append(encode(torch.relu_(down(levels[-1]))))
        return levels


def enlarge(x: Tensor, factor: int) -> Tensor:
    """Return ``(b, c, h, w)`` maps enlarged by `factor`, bilinearly."""
    return nn.functional.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
