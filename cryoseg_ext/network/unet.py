"""The default network: a small residual U-Net with a stride-2 stem and two heads."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from cryoseg_ext.network.classes import N_CLASSES
from cryoseg_ext.network.encoder import ResidualBlock, ResidualEncoder, enlarge


class ResidualUNet(ResidualEncoder):
    """Residual U-Net (Ronneberger et al. 2015).

    Features of full resolution are used only in the last convolution, where they sharpen boundaries.

    Parameters
    ----------
    base : int
        Feature maps after the stem.
    """

    def __init__(self, base: int = 24) -> None:
        super().__init__(base)
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(self.widths))
        self.decode = nn.ModuleList(ResidualBlock(2 * w, w) for w in self.widths[:-1])
        self.last_up = nn.Conv2d(base, self.full_width, 1)
        self.last = nn.Sequential(
            nn.Conv2d(2 * self.full_width, self.full_width, 3, padding=1), nn.ReLU(inplace=True)
        )
        self.classes = nn.Conv2d(self.full_width, N_CLASSES, 1)
        self.centre = nn.Conv2d(self.full_width, 1, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return class logits ``(b, 3, h, w)`` and centre logits ``(b, 1, h, w)``.

        Parameters
        ----------
        image : Tensor
            ``(b, 1, h, w)`` normalised images at the working scale; `h` and `w` are multiples of `stride`.
        """
        full, *skips, x = self.features(image)
        for up, decode in zip(reversed(self.up), reversed(self.decode), strict=True):
            x = decode(torch.cat([enlarge(up(x), 2), skips.pop()], dim=1))
        x = self.last(torch.cat([enlarge(self.last_up(x), 2), full], dim=1))
        return self.classes(x), self.centre(x)
