"""The default network: a small residual U-Net with a stride-2 stem and two heads."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

N_CLASSES = 3
"""Background, particle, contaminant."""


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with batch normalisation around a skip (He et al. 2016).

    Parameters
    ----------
    channels_in, channels_out : int
        Feature maps; a 1 x 1 convolution adapts the skip where they differ.
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
        return torch.relu(self.body(x) + self.skip(x))


class ResidualUNet(nn.Module):
    """Residual U-Net (Ronneberger et al. 2015) over a stride-2 stem.

    The stem halves the resolution before the first block, which makes the network four times cheaper; the
    full-resolution features come back only for the last convolution, where they sharpen the boundary.

    Parameters
    ----------
    base : int
        Feature maps after the stem; doubled at each of the three further levels, the last at most `4 base`.
    """

    stride = 16

    def __init__(self, base: int = 24) -> None:
        super().__init__()
        half = max(base // 2, 8)
        widths = [base, 2 * base, 4 * base, 4 * base]
        self.full = nn.Sequential(nn.Conv2d(1, half, 5, padding=2), nn.ReLU(inplace=True))
        self.stem = nn.Conv2d(half, base, 3, stride=2, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.encode = nn.ModuleList(ResidualBlock(w, w) for w in widths)
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(widths))
        self.decode = nn.ModuleList(ResidualBlock(2 * w, w) for w in widths[:-1])
        self.last_up = nn.Conv2d(base, half, 1)
        self.last = nn.Sequential(nn.Conv2d(2 * half, half, 3, padding=1), nn.ReLU(inplace=True))
        self.classes = nn.Conv2d(half, N_CLASSES, 1)
        self.centre = nn.Conv2d(half, 1, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return class logits ``(b, 3, h, w)`` and centre logits ``(b, 1, h, w)``.

        Parameters
        ----------
        image : Tensor
            ``(b, 1, h, w)`` normalised working-scale image; `h` and `w` are multiples of `stride`.
        """
        full = self.full(image)
        x = self.encode[0](torch.relu(self.stem(full)))
        skips = []
        for down, encode in zip(self.down, self.encode[1:], strict=True):
            skips.append(x)
            x = encode(torch.relu(down(x)))
        for up, decode in zip(reversed(self.up), reversed(self.decode), strict=True):
            x = decode(torch.cat([_double(up(x)), skips.pop()], dim=1))
        x = self.last(torch.cat([_double(self.last_up(x)), full], dim=1))
        return self.classes(x), self.centre(x)


def _double(x: Tensor) -> Tensor:
    return nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
