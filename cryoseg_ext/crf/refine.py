"""The refinement stage: network logits to a cleaner particle probability."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.crf.filters import PairwiseFilter, build_bilateral_filter, build_smooth_filter
from cryoseg_ext.crf.mean_field import mean_field
from cryoseg_ext.crf.options import CrfOptions


def refine(
    logit: NDArray[np.float32], reference: NDArray[np.float32], diameter_px: float, options: CrfOptions
) -> NDArray[np.float32]:
    """Sharpen a particle segmentation with a two-class dense conditional random field.

    The model has a smoothness kernel on position and an appearance kernel on position and grey value, both
    row-normalised, and is solved by mean field.

    Parameters
    ----------
    logit : NDArray[np.float32]
        ``(y, x)`` log odds of particle against background, finite.
    reference : NDArray[np.float32]
        ``(y, x)`` map whose edges the segmentation should follow, finite, as a rule the normalised
        micrograph; its scale and offset do not matter.
    diameter_px : float
        Particle diameter in pixels of `logit`.
    options : CrfOptions
        Weights, sigmas and filter.

    Returns
    -------
    NDArray[np.float32]
        ``(y, x)`` probability of particle, in [0, 1].

    Raises
    ------
    ValueError
        If the two maps differ in shape or `diameter_px` is not positive.
    """
    if logit.ndim != 2 or logit.shape != reference.shape:
        raise ValueError(f"logit {logit.shape} and reference {reference.shape} must be 2-D and of one shape")
    if diameter_px <= 0:
        raise ValueError(f"diameter_px must be positive, not {diameter_px}")
    logit = np.asarray(logit, np.float32)
    kernels: list[tuple[float, PairwiseFilter]] = []
    if options.iterations and options.compatibility:
        if options.smooth_weight:
            kernels.append((options.smooth_weight, build_smooth_filter(logit.shape, diameter_px, options)))
        if options.bilateral_weight:
            bilateral = build_bilateral_filter(np.asarray(reference, np.float32), diameter_px, options)
            kernels.append((options.bilateral_weight, bilateral))
    return mean_field(logit, kernels, options.compatibility, options.iterations)
