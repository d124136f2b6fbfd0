"""The appearance kernel cut to a dilated window, as in convolutional CRFs."""

from __future__ import annotations

import torch
from torch import Tensor

from cryoseg_ext.crf.filters import SymmetricFilter

RADIUS_TAPS = 3
"""Taps from the centre of the window to its edge, along each axis."""
REACH_SIGMAS = 2.0
"""Distance from the centre of the window to its edge, in standard deviations."""


class WindowFilter(SymmetricFilter):
    """Row-normalised Gaussian on position and reference over a sparse window of 7 x 7 pixels.

    The local form of the dense CRF (Teichmann & Cipolla 2018, arXiv:1805.04777) with a window dilated to two
    standard deviations. It is exact on the pixels that it visits and takes a reference of any number of
    channels, but it skips the pixels between its taps.

    Parameters
    ----------
    reference : Tensor
        ``(c, y, x)`` maps that steer the kernel, finite.
    sigma_px : float
        Spatial standard deviation in pixels.
    reference_sigma : float
        Standard deviation on each channel, in units of `reference`.
    """

    def __init__(self, reference: Tensor, sigma_px: float, reference_sigma: float) -> None:
        step = max(1, round(REACH_SIGMAS * sigma_px / RADIUS_TAPS))
        shape = reference.shape[1:]
        features = reference / reference_sigma
        self._taps: list[tuple[tuple[slice, slice], tuple[slice, slice], Tensor]] = []
        for dy, dx in _half_window(step):
            if dy >= shape[0] or abs(dx) >= shape[1]:
                continue
            here = (slice(0, shape[0] - dy), slice(max(0, -dx), shape[1] - max(0, dx)))
            there = (slice(dy, shape[0]), slice(max(0, dx), shape[1] - max(0, -dx)))
            unlike = ((features[:, here[0], here[1]] - features[:, there[0], there[1]]) ** 2).sum(0)
            distance2 = (dy**2 + dx**2) / sigma_px**2
            self._taps.append((here, there, torch.exp(-0.5 * (unlike + distance2))))
        super().__init__(self.gather(torch.ones_like(reference[0])))

    def gather(self, values: Tensor) -> Tensor:
        """Return the unnormalised sum over the window, each pair of pixels visited once."""
        result = values.clone()
        for here, there, weight in self._taps:
            result[here] += weight * values[there]
            result[there] += weight * values[here]
        return result


def _half_window(step: int) -> list[tuple[int, int]]:
    """Return the offsets (dy, dx) of one half of the window, without its centre."""
    taps = range(-RADIUS_TAPS, RADIUS_TAPS + 1)
    return [(y * step, x * step) for y in taps for x in taps if (y, x) > (0, 0)]
