"""Where and with which numbers a network computes: OpenVINO on the processor, torch elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.model.graph import Ranges, build_graph
from cryoseg_ext.network.unet import ResidualUNet

if TYPE_CHECKING:
    import openvino

Logits = Callable[[Tensor], Tensor]
"""From ``(1, 1, y, x)`` images, whose sides are multiples of the stride of the network, to ``(1, 4, y, x)``
logits of the classes and of the centre map, which hold until the next call of the same thread."""

_HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}


def choose_precision(wanted: str, network: nn.Module, device: str, ranges: Ranges | None) -> str:
    """Return the numbers to compute with: the fastest that the machine and the model have for ``auto``.

    Parameters
    ----------
    wanted : str
        One of `cryoseg_ext.options.job.PRECISIONS`.
    network : nn.Module
        The network.
    device : str
        Torch device.
    ranges : Ranges, optional
        Those of the network's maps, without which there are no integers.

    Raises
    ------
    CryosegError
        If integers are wanted and cannot be had.
    """
    if wanted == "int8" and (ranges is None or not has_graph(network, device)):
        raise CryosegError(
            "--precision int8 is for models of the default architecture that version 0.4 or later trained, "
            "on the processor: leave it out"
        )
    if wanted != "auto":
        return wanted
    if ranges and has_graph(network, device) and computes("int8", device):
        return "int8"
    return "bfloat16" if computes("bfloat16", device) else "float32"


def logits_of(network: nn.Module, device: str, precision: str, ranges: Ranges | None) -> Logits:
    """Return what computes the logits of a network.

    Parameters
    ----------
    network : nn.Module
        The network, on its device.
    device : str
        Torch device.
    precision : str
        From `choose_precision`.
    ranges : Ranges, optional
        Those of the network's maps, for integers.
    """
    if has_graph(network, device):
        return _OpenVino(build_graph(network, ranges if precision == "int8" else None), _HINTS[precision])

    def logits(image: Tensor) -> Tensor:
        with _autocast(device, precision):
            return torch.cat(network(image.contiguous(memory_format=torch.channels_last)), dim=1).float()

    return logits


class _OpenVino:
    """A graph compiled for the processor, with as many threads as torch has."""

    def __init__(self, graph: openvino.Model, hint: str) -> None:
        settings = {
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "NUM_STREAMS": 1,
            # All workers of a job would be bound to the same cores.
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_PRECISION_HINT": hint,
        }
        self._compiled = _core().compile_model(graph, "CPU", settings)
        self._requests = threading.local()

    def __call__(self, image: Tensor) -> Tensor:
        if not hasattr(self._requests, "own"):
            self._requests.own = self._compiled.create_infer_request()
        found = self._requests.own.infer([image.contiguous().numpy()], share_inputs=True, share_outputs=True)
        return torch.from_numpy(found[0])


@cache
def _core() -> openvino.Core:
    import openvino

    return openvino.Core()


def has_graph(network: nn.Module, device: str) -> bool:
    """Return whether a network runs on a device as the graph of `cryoseg_ext.model.graph`."""
    # Not every platform has a wheel of OpenVINO.
    return device == "cpu" and type(network) is ResidualUNet and find_spec("openvino") is not None


def computes(precision: str, device: str) -> bool:
    """Return whether a device has instructions for numbers; without them, results are slow or others."""
    if precision == "float32":
        return True
    if device.startswith("cuda"):
        return precision == "bfloat16" and torch.cuda.is_bf16_supported(including_emulation=False)
    # Processors without VNNI sum products of 8-bit integers in 16 bits, and lose some.
    needed = {"int8": {"avx512_vnni", "avx_vnni"}, "bfloat16": {"amx_bf16", "avx512_bf16"}}[precision]
    return device == "cpu" and bool(needed & _capabilities())


@cache
def _capabilities() -> set[str]:
    # Versions of torch before 2.10 do not tell.
    found: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return {name for name, value in found.items() if value}


def _autocast(device: str, precision: str) -> AbstractContextManager[object]:
    if precision == "float32":
        return nullcontext()
    return torch.autocast(torch.device(device).type, torch.bfloat16)
