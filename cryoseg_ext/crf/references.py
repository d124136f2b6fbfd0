"""The reference maps that steer the appearance kernels."""

from __future__ import annotations

import torch
from torch import Tensor

from cryoseg_ext.crf.gaussian import GaussianFilter
from cryoseg_ext.options.crf import ReferenceName

LOW_PASS_SIGMA = 0.08
"""Standard deviation of the low-pass filter in particle diameters; it keeps the edge of the particle."""

TV_WEIGHT = 1.0
"""Weight of the total variation, in units of the noise."""
TV_ITERATIONS = 30
LIMIT = 6.0
"""Limit of a reference in noise units, because a few bright grains would enlarge the bilateral grid."""
_NOISE_SAMPLES = 65536
"""Pixels that median and noise are computed from."""


def reference_map(
    name: ReferenceName, micrograph: Tensor, particle_logit: Tensor, centre_logit: Tensor, diameter_px: float
) -> Tensor:
    """Return the ``(c, y, x)`` reference in robust noise units.

    "micrograph" is the normalised micrograph; "low_pass" the micrograph after a Gaussian of 0.08 particle
    diameters; "denoised" the micrograph after total-variation denoising (Chambolle 2004), which keeps edges
    and needs no training; "logit" and "centre" are the maps of the network; "stack" is the low-passed
    micrograph and the logit together.

    Parameters
    ----------
    name : str
        Name of the reference.
    micrograph, particle_logit, centre_logit : Tensor
        ``(y, x)`` normalised micrograph and maps of the network.
    diameter_px : float
        Particle diameter in pixels.
    """
    plain = {"logit": particle_logit, "centre": centre_logit, "micrograph": micrograph}
    if name in plain:
        return in_noise_units(plain[name])[None]
    if name == "denoised":
        return in_noise_units(_denoised(in_noise_units(micrograph)))[None]
    low_pass = in_noise_units(GaussianFilter(micrograph, LOW_PASS_SIGMA * diameter_px).apply(micrograph))
    if name == "low_pass":
        return low_pass[None]
    return torch.stack([low_pass, in_noise_units(particle_logit)])


def in_noise_units(reference: Tensor) -> Tensor:
    """Return `reference` minus its median, in units of its robust noise, clipped at ±6.

    The unit is 1.4826 times the median absolute deviation, which is the standard deviation for Gaussian
    noise; a reference of which more than half is constant keeps its own unit.
    """
    sample = reference.reshape(-1)[:: max(1, reference.numel() // _NOISE_SAMPLES)]
    median = sample.median()
    noise = 1.4826 * (sample - median).abs().median()
    return ((reference - median) / torch.where(noise > 0, noise, 1)).clamp(-LIMIT, LIMIT)


def _denoised(micrograph: Tensor) -> Tensor:
    from skimage.restoration import denoise_tv_chambolle

    image = micrograph.detach().cpu().numpy()
    denoised = denoise_tv_chambolle(image, weight=TV_WEIGHT, max_num_iter=TV_ITERATIONS)
    return torch.as_tensor(denoised).to(micrograph)
