"""The appearance kernel on the permutohedral lattice of pydensecrf, much slower than the grid."""

from __future__ import annotations

import numpy as np
import pydensecrf.densecrf as densecrf
import torch
from torch import Tensor

from cryoseg_ext.crf.filters import PairwiseFilter


class PermutohedralFilter(PairwiseFilter):
    """Row-normalised Gaussian on position and reference, by the permutohedral lattice; on the CPU, float32.

    pydensecrf offers no bare filter (Adams, Baek & Davis 2010, doi:10.1111/j.1467-8659.2009.01645.x), but
    one of its mean-field steps from the state ``(0, v)`` with a zero unary term gives
    ``Q = softmax(0, K v)``, and so ``K v = log(Q1 / Q0)``.

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
        position = np.indices(reference.shape[1:], dtype=np.float32) / np.float32(sigma_px)
        appearance = reference.detach().cpu().numpy() / np.float32(reference_sigma)
        features = np.concatenate([position, appearance]).reshape(2 + len(reference), -1)
        self._features = np.ascontiguousarray(features, dtype=np.float32)
        self._normal = self._model(densecrf.NORMALIZE_AFTER)
        self._transposed = self._model(densecrf.NORMALIZE_BEFORE)

    def _model(self, normalization: int) -> densecrf.DenseCRF:
        pixels = self._features.shape[1]
        crf = densecrf.DenseCRF(pixels, 2)
        crf.setUnaryEnergy(np.zeros((2, pixels), np.float32))
        crf.addPairwiseEnergy(
            self._features, compat=1.0, kernel=densecrf.CONST_KERNEL, normalization=normalization
        )
        return crf

    def apply(self, values: Tensor) -> Tensor:
        """Return the product of K and a map ``(y, x)``."""
        return _step(self._normal, values)

    def apply_transposed(self, values: Tensor) -> Tensor:
        """Return the product of Kᵀ and a map ``(y, x)``."""
        return _step(self._transposed, values)


def _step(crf: densecrf.DenseCRF, values: Tensor) -> Tensor:
    # Scaled to 1, because a small argument would be lost in the rounding of the softmax.
    scale = max(float(values.abs().max()), 1e-30)
    state, *scratch = crf.startInference()
    q = np.asarray(state)
    q[0], q[1] = 0, (values / scale).detach().cpu().numpy().ravel()
    crf.stepInference(state, *scratch)
    q = np.asarray(state)
    filtered = torch.from_numpy(np.log(q[1] / q[0]).reshape(values.shape))
    return filtered.to(values) * scale
