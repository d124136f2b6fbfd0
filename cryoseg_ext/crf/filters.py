"""The interface of the pairwise filters, and the choice of one."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.crf.gaussian import GaussianFilter
from cryoseg_ext.crf.grid import BilateralGridFilter
from cryoseg_ext.crf.options import CrfOptions

# Grey values further from the median count as this far: a few bright grains must not blow up the grid.
REFERENCE_LIMIT = 6.0
NOISE_SAMPLES = 65536


class PairwiseFilter(Protocol):
    """A row-normalised pairwise kernel K: built once per reference, applied to many maps."""

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return K `values`, both ``(y, x)`` with values in [-1, 1]; a constant map stays as it is."""
        ...


def build_smooth_filter(shape: tuple[int, int], diameter_px: float, options: CrfOptions) -> PairwiseFilter:
    """Return the smoothness kernel for maps of `shape` ``(ny, nx)``."""
    return GaussianFilter(shape, options.smooth_sigma * diameter_px)


def build_bilateral_filter(
    reference: NDArray[np.float32], diameter_px: float, options: CrfOptions
) -> PairwiseFilter:
    """Return the appearance kernel steered by `reference` ``(y, x)``, as chosen by ``options.filter``."""
    sigma_px = options.bilateral_sigma * diameter_px
    grey = in_noise_units(reference)
    if options.filter == "permutohedral":
        from cryoseg_ext.crf.permutohedral import PermutohedralFilter

        return PermutohedralFilter(grey, sigma_px, options.reference_sigma)
    return BilateralGridFilter(grey, sigma_px, options.reference_sigma)


def in_noise_units(reference: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return `reference` minus its median, in units of its robust noise, clipped at ±6.

    The unit is 1.4826 times the median absolute deviation, which is the standard deviation for Gaussian
    noise; a reference more than half constant keeps its own unit.
    """
    sample = reference.ravel()[:: max(1, reference.size // NOISE_SAMPLES)]
    median = np.median(sample)
    noise = 1.4826 * np.median(np.abs(sample - median))
    scaled: NDArray[np.float32] = (reference - np.float32(median)) / np.float32(noise if noise > 0 else 1)
    return scaled.clip(-REFERENCE_LIMIT, REFERENCE_LIMIT)
