"""The appearance kernel on the permutohedral lattice of pydensecrf: the oracle, far slower than the grid."""

from __future__ import annotations

import numpy as np
import pydensecrf.densecrf as densecrf
from numpy.typing import NDArray


class PermutohedralFilter:
    """Row-normalised Gaussian on position and grey value, by the permutohedral lattice.

    pydensecrf offers no bare filter (Adams, Baek & Davis 2010, doi:10.1111/j.1467-8659.2009.01645.x), but
    one of its mean-field steps from the state ``(0, v)`` with a zero unary term gives
    ``Q = softmax(0, K v)``, and so ``K v = log(Q1 / Q0)``.

    Parameters
    ----------
    reference : NDArray[np.float32]
        ``(y, x)`` map whose grey values steer the kernel, finite.
    sigma_px : float
        Spatial standard deviation in pixels.
    reference_sigma : float
        Standard deviation on the grey value, in units of `reference`.
    """

    def __init__(self, reference: NDArray[np.float32], sigma_px: float, reference_sigma: float) -> None:
        y_px, x_px = np.indices(reference.shape, dtype=np.float32)
        features = np.stack([y_px / sigma_px, x_px / sigma_px, reference / reference_sigma])
        self._crf = densecrf.DenseCRF(reference.size, 2)
        self._crf.setUnaryEnergy(np.zeros((2, reference.size), np.float32))
        self._crf.addPairwiseEnergy(
            np.ascontiguousarray(features.reshape(3, -1), dtype=np.float32),
            compat=1.0,
            kernel=densecrf.CONST_KERNEL,
            normalization=densecrf.NORMALIZE_AFTER,
        )

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the filtered map, ``(y, x)``."""
        state, *scratch = self._crf.startInference()
        q = np.asarray(state)
        q[0], q[1] = 0, values.ravel()
        self._crf.stepInference(state, *scratch)
        q = np.asarray(state)
        filtered: NDArray[np.float32] = np.log(q[1] / q[0]).reshape(values.shape)
        return filtered
