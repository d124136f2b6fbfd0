"""The default network as an OpenVINO graph, in float32 or with 8-bit integers.

Batch normalisation is folded into the convolutions. For integers, weights get one step for each output map,
and every map that a convolution reads is rounded to 256 levels of the range that it has on a few fields,
which is stored with the model (Jacob et al. 2018, arXiv:1712.05877).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cryoseg_ext.arrays import Image
from cryoseg_ext.progress import tracked

if TYPE_CHECKING:
    import openvino
    from torch import nn

Ranges = Mapping[str, tuple[float, float]]
"""Lowest and highest value of each map that is rounded, by its name in the graph."""

_LEVELS, _WEIGHT_LEVELS = 256, 255
_EPSILON = 1e-5
"""That of torch's batch normalisation."""
_TAIL = 1e-5
"""Share of the values of a map beyond either end of its range."""
_LEAST = 1e-6
"""Least width of a range."""


def build_graph(network: nn.Module, ranges: Ranges | None = None) -> openvino.Model:
    """Return the graph of a `cryoseg_ext.network.unet.ResidualUNet`.

    It takes ``(1, 1, y, x)`` images whose sides are multiples of 16, and returns ``(1, 4, y, x)`` logits of
    the classes and of the centre map.

    Parameters
    ----------
    network : nn.Module
        The trained network.
    ranges : Ranges, optional
        From `measure_ranges`; the graph then computes with integers.

    Raises
    ------
    KeyError
        If `ranges` are those of another network.
    """
    return _Graph(network, ranges).model()


def measure_ranges(network: nn.Module, images: Sequence[Image]) -> dict[str, tuple[float, float]]:
    """Return the ranges of the maps of a `cryoseg_ext.network.unet.ResidualUNet`.

    Parameters
    ----------
    network : nn.Module
        The trained network.
    images : Sequence of NDArray[np.float32]
        ``(y, x)`` normalised fields, all that the network may see among them; their sides are cut to
        multiples of 16.
    """
    import openvino

    graph = _Graph(network, None)
    graph.model()
    model = openvino.Model(list(graph.rounded.values()), [graph.image], "maps")
    run = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    ends = []
    for image in tracked(images, "Measuring the ranges of the maps"):
        height, width = (n // 16 * 16 for n in image.shape)
        shown = np.ascontiguousarray(image[:height, :width], np.float32)[None, None]
        ends.append([np.quantile(values, (_TAIL, 1 - _TAIL)) for values in run([shown]).values()])
    low, high = np.min(ends, axis=0)[:, 0].tolist(), np.max(ends, axis=0)[:, 1].tolist()
    return {name: (first, last) for name, first, last in zip(graph.rounded, low, high, strict=True)}


class _Graph:
    """The network's layers, named as in its state, and the maps between them."""

    def __init__(self, network: nn.Module, ranges: Ranges | None) -> None:
        from openvino import opset13

        self._ops = opset13
        self._state = {name: values.float().cpu().numpy() for name, values in network.state_dict().items()}
        self._ranges = ranges
        self.rounded: dict[str, Any] = {}
        self.image = opset13.parameter([1, 1, -1, -1], np.float32, name="image")

    def model(self) -> openvino.Model:
        import openvino

        ops = self._ops
        full = self._relu("full", self._conv(self._round("image", self.image), "full.0"))
        x = self._relu("stem", self._conv(full, "stem", stride=2))
        levels = [self._block(x, "encode.0")]
        depth = sum(name.startswith("down.") and name.endswith(".weight") for name in self._state)
        for level in range(depth):
            x = self._relu(f"down.{level}", self._conv(levels[-1], f"down.{level}", stride=2))
            levels.append(self._block(x, f"encode.{level + 1}"))
        x = levels.pop()
        for level in reversed(range(depth)):
            x = self._block(self._joined(f"up.{level}", x, levels.pop()), f"decode.{level}")
        x = self._relu("last", self._conv(self._joined("last_up", x, full), "last.0"))
        logits = ops.concat([self._conv(x, "classes"), self._conv(x, "centre")], 1)
        return openvino.Model([ops.result(logits)], [self.image], "network")

    def _block(self, x: Any, name: str) -> Any:
        middle = self._relu(f"{name}.middle", self._conv(x, f"{name}.body.0", f"{name}.body.1"))
        skip = self._conv(x, f"{name}.skip") if f"{name}.skip.weight" in self._state else x
        added = self._ops.add(self._conv(middle, f"{name}.body.3", f"{name}.body.4"), skip)
        return self._relu(name, added)

    def _joined(self, name: str, x: Any, skip: Any) -> Any:
        """Return maps enlarged twofold after a 1 x 1 convolution, with those of the encoder behind them."""
        ops = self._ops
        enlarged = ops.interpolate(
            self._round(name, self._conv(x, name)),
            ops.constant(np.array([2, 2], np.float32)),
            "linear_onnx",
            "scales",
            coordinate_transformation_mode="half_pixel",
            axes=ops.constant(np.array([2, 3])),
        )
        return self._round(f"{name}.joined", ops.concat([enlarged, skip], 1))

    def _conv(self, x: Any, name: str, norm: str | None = None, stride: int = 1) -> Any:
        ops, weight = self._ops, self._state[f"{name}.weight"]
        bias = self._state.get(f"{name}.bias", np.zeros(len(weight), np.float32))
        if norm:
            mean, variance, scale, shift = (
                self._state[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
            )
            factor = scale / np.sqrt(variance + _EPSILON)
            weight, bias = weight * factor[:, None, None, None], (bias - mean) * factor + shift
        # Kernels of an even width are those that halve the maps, without overlap.
        pad = [weight.shape[-1] // 2 if weight.shape[-1] % 2 else 0] * 2
        sums = ops.convolution(x, self._rounded_weight(weight), [stride] * 2, pad, pad, [1, 1])
        return ops.add(sums, ops.constant(bias.reshape(1, -1, 1, 1)))

    def _rounded_weight(self, weight: Image) -> Any:
        constant = self._ops.constant(weight)
        if self._ranges is None:
            return constant
        limit = np.maximum(np.abs(weight).max(axis=(1, 2, 3), keepdims=True), _LEAST)
        ends = [self._ops.constant(end) for end in (-limit, limit)]
        return self._ops.fake_quantize(constant, *ends, *ends, _WEIGHT_LEVELS)

    def _relu(self, name: str, x: Any) -> Any:
        return self._round(name, self._ops.relu(x))

    def _round(self, name: str, x: Any) -> Any:
        """Return maps rounded to the levels of their range, which has 0 among them."""
        self.rounded[name] = x
        if self._ranges is None:
            return x
        low, high = (min(self._ranges[name][0], 0.0), max(self._ranges[name][1], _LEAST))
        if low < 0:
            # Signed integers reach one step further down than up.
            up, down = _LEVELS // 2 - 1, _LEVELS // 2
            step = max(high / up, -low / down)
            low, high = -down * step, up * step
        ends = [self._ops.constant(np.full((1, 1, 1, 1), end, np.float32)) for end in (low, high)]
        return self._ops.fake_quantize(x, *ends, *ends, _LEVELS)
