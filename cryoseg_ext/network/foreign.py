"""Networks from elsewhere: those of MONAI, and a user's own class."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.extras import require
from cryoseg_ext.network.classes import N_CLASSES
from cryoseg_ext.network.encoder import N_MAPS

OWN_STRIDE = 32
"""Stride of a user's class that has no attribute `stride`."""


class FourMaps(nn.Module):
    """Adapter from a network of four output maps to the two outputs of the built-in networks.

    Parameters
    ----------
    body : nn.Module
        Network from ``(b, 1, h, w)`` to ``(b, 4, h, w)``, three class logits and the centre logit, or to a
        list of such maps of which the last one counts.
    stride : int
        Number of which `h` and `w` must be multiples.
    """

    def __init__(self, body: nn.Module, stride: int) -> None:
        super().__init__()
        self.body, self.stride = body, stride

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return class logits ``(b, 3, h, w)`` and centre logits ``(b, 1, h, w)``."""
        maps = self.body(image)
        if isinstance(maps, list):
            maps = maps[-1]
        return maps[:, :N_CLASSES], maps[:, N_CLASSES:]


def build_unetpp(base: int) -> nn.Module:
    """Return MONAI's UNet++ (Zhou et al. 2018)."""
    features = (base, base, 2 * base, 4 * base, 8 * base, base)
    return FourMaps(_monai().BasicUNetPlusPlus(2, 1, N_MAPS, features), 16)


def build_attention_unet(base: int) -> nn.Module:
    """Return MONAI's Attention U-Net (Oktay et al. 2018)."""
    channels = [base, 2 * base, 4 * base, 8 * base]
    return FourMaps(_monai().AttentionUnet(2, 1, N_MAPS, channels, [2, 2, 2]), 8)


def build_segresnet(base: int) -> nn.Module:
    """Return MONAI's SegResNet (Myronenko 2018, without the variational branch)."""
    return FourMaps(_monai().SegResNet(2, base, 1, N_MAPS), 8)


def build_flexible_unet(encoder: str) -> nn.Module:
    """Return MONAI's FlexibleUNet with the EfficientNet encoder "b0" ... "b5", untrained (Tan & Le 2019)."""
    network = _monai().FlexibleUNet(1, N_MAPS, f"efficientnet-{encoder}", False, (128, 64, 32, 16, 16))
    return FourMaps(network, 32)


def build_own(path: str) -> nn.Module:
    """Import a user's own class, ``package.module:Class``, and return an instance made without arguments.

    It must map ``(b, 1, h, w)`` to ``(b, 4, h, w)``, the logits of background, particle, contaminant and
    centre, where `h` and `w` are multiples of its attribute `stride`, or of 32 if it has none.

    Raises
    ------
    CryosegError
        If it cannot be imported or instantiated, or its output has another form.
    """
    module, _, name = path.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        made: Any = getattr(importlib.import_module(module), name)()
    except Exception as error:
        raise CryosegError(
            f"--architecture {path}: the class cannot be imported and made without arguments ({error}): "
            "start in the folder of its module, or install its package"
        ) from error
    stride = getattr(made, "stride", OWN_STRIDE)
    if not isinstance(made, nn.Module) or not isinstance(stride, int) or not _gives_maps(made, stride):
        raise CryosegError(
            f"--architecture {path}: it must be a torch.nn.Module that maps (b, 1, h, w) to "
            f"(b, {N_MAPS}, h, w), where h and w are multiples of its attribute stride, a whole number"
        )
    return FourMaps(made, stride)


def _gives_maps(network: nn.Module, stride: int) -> bool:
    side = 2 * stride
    try:
        with torch.no_grad():
            output = network.eval()(torch.zeros(1, 1, side, side))
    # A user's class can raise any exception.
    except Exception:
        return False
    return isinstance(output, Tensor) and output.shape == (1, N_MAPS, side, side)


def _monai() -> Any:
    require("networks", "this architecture")
    return importlib.import_module("monai.networks.nets")
