"""The architectures by name. Each returns class logits and centre logits, and has a stride."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.network import foreign
from cryoseg_ext.network.plain import FCN, DeepLabV3
from cryoseg_ext.network.unet import ResidualUNet

DEFAULT_ARCHITECTURE = "residual_unet"
OWN = "own"
"""Name of every user's own class in a model file."""
_WIDTHS = tuple(range(8, 129, 8))
"""Feature maps after the first layer that can be chosen."""


@dataclass(frozen=True)
class Architecture:
    """A way to build a network.

    Parameters
    ----------
    build : callable
        Function that makes the network of a variant.
    argument : str
        Name of the variant in a model file.
    variants : tuple
        Available variants; the first one is the default.
    """

    build: Callable[[Any], nn.Module]
    argument: str
    variants: tuple[int, ...] | tuple[str, ...]


def _of_width(build: Callable[[int], nn.Module], default: int) -> Architecture:
    return Architecture(build, "base", (default, *(width for width in _WIDTHS if width != default)))


ARCHITECTURES = {
    DEFAULT_ARCHITECTURE: _of_width(ResidualUNet, 24),
    "unetpp": _of_width(foreign.build_unetpp, 16),
    "attention_unet": _of_width(foreign.build_attention_unet, 16),
    "flexible_unet": Architecture(foreign.build_flexible_unet, "encoder", tuple(f"b{n}" for n in range(6))),
    "segresnet": _of_width(foreign.build_segresnet, 16),
    "deeplabv3": _of_width(DeepLabV3, 24),
    "fcn": _of_width(FCN, 24),
}


def parse_architecture(text: str) -> dict[str, Any]:
    """Return the description of an architecture as it is stored in a model file.

    Parameters
    ----------
    text : str
        ``NAME`` or ``NAME:VARIANT``, such as ``residual_unet:32`` (feature maps after the stem) or
        ``flexible_unet:b2``; or ``package.module:Class`` for a user's own class.

    Raises
    ------
    CryosegError
        If the architecture or its variant is unknown.
    """
    name, colon, variant = text.partition(":")
    if name not in ARCHITECTURES:
        if colon and variant.isidentifier():
            return {"name": OWN, "path": text}
        raise CryosegError(
            f"--architecture {text} is not known: give {', '.join(ARCHITECTURES)}, or your own class as "
            "package.module:Class"
        )
    known = ARCHITECTURES[name]
    by_text = {str(value): value for value in known.variants}
    if colon and variant not in by_text:
        ordered = sorted(by_text, key=lambda value: (len(value), value))
        raise CryosegError(f"--architecture {text}: there are {name}:{f', {name}:'.join(ordered)}")
    return {"name": name, known.argument: by_text[variant] if colon else known.variants[0]}


def is_own(text: str | None) -> bool:
    """Return whether a text names a user's own class, which must be given again to use the model."""
    return text is not None and parse_architecture(text)["name"] == OWN


def build_network(architecture: dict[str, Any], allowed: str | None = None) -> nn.Module:
    """Return an untrained network.

    Parameters
    ----------
    architecture : dict
        Description from `parse_architecture` or a model file.
    allowed : str, optional
        The user's own class, ``package.module:Class``, that may be imported; no other class of a file is.

    Raises
    ------
    CryosegError
        If it is a class that is not `allowed` or cannot be instantiated, or needs a package that is not
        installed.
    ValueError
        If the architecture or its variant is unknown.
    """
    name = architecture.get("name")
    if name == OWN:
        if architecture["path"] != allowed:
            raise CryosegError(
                f"its network is the class {architecture['path']}, which is imported only when named: if "
                f"you trust that code, give --architecture {architecture['path']}"
            )
        return foreign.build_own(architecture["path"])
    if name not in ARCHITECTURES:
        raise ValueError(f"unknown architecture {architecture}")
    known = ARCHITECTURES[name]
    if architecture.keys() != {"name", known.argument} or architecture[known.argument] not in known.variants:
        raise ValueError(f"unknown variant of an architecture {architecture}")
    return known.build(architecture[known.argument])


def stride_of(network: nn.Module) -> int:
    """Return the number of which height and width of the input of a network must be multiples."""
    stride = network.stride
    if not isinstance(stride, int):
        raise TypeError(f"{type(network).__name__} declares no stride")
    return stride
