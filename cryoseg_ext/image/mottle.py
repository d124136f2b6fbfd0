"""Where a micrograph is mottled as crystalline ice is: blobs as wide as particles that are none.

The lattice of the ice, near 3.7 Å, is lost at the working scale. What stays is a mottle of the size of
particles that is strong beside the noise between neighbouring pixels, where vitreous ice has next to none.
"""

from __future__ import annotations

import numpy as np

from cryoseg_ext.arrays import Image, Mask
from cryoseg_ext.image.blocks import block_sums

VISIBLE, UNEVEN = 0.16, 0.6
"""Ratio of mottle to noise from which ice is crystalline, and from which a large contaminated area is no
film; of white noise it is 0.03. Chosen on simulation, with pictures in sight (``benchmarks/verdicts.py``)."""
_NOISE, _MOTTLE = 1 / 16, (1 / 4, 1 / 2)
"""Standard deviations, in diameters, of the blur that takes noise away, and of those around the mottle."""
_FINEST_PX = (0.75, 1.5)
"""Standard deviations of the blurs around the finest noise, which a filter takes away."""
_BLOCKS = 6
"""Blocks in a diameter: a mottle is coarse."""
_WINDOW = 4
"""Width, in diameters, of the window that both are measured in."""
_LEAST_COVERED = 0.15
"""Part of a window that has to be measured."""
_AROUND = 0.25
"""Width, in diameters, of the square around a pixel of ice that is free of particles and contaminants."""


def crystalline_ice(image: Image, ice: Mask, diameter_px: float) -> Mask:
    """Return where a micrograph is crystalline, also under particles there; nowhere if it was filtered.

    Parameters
    ----------
    image : NDArray[np.float32]
        ``(y, x)`` normalised grey values.
    ice : NDArray[np.bool_]
        ``(y, x)``, True where neither particles nor contaminants nor dead areas are.
    diameter_px : float
        Particle diameter in pixels.
    """
    from scipy.ndimage import uniform_filter

    if is_filtered(image):
        return np.zeros_like(ice)
    clear = uniform_filter(ice.astype(np.float32), round(_AROUND * diameter_px)) > 1 - 1e-6
    if not clear.any():
        return clear
    # Particles must not reach into the ice beside them.
    return is_mottled(np.where(clear, image, image[clear].mean()), clear, diameter_px, VISIBLE)


def is_filtered(image: Image) -> bool:
    """Return whether an image was low-pass filtered or denoised: then its noise says nothing."""
    from scipy.ndimage import gaussian_filter

    less, least = (gaussian_filter(image, sigma_px) for sigma_px in _FINEST_PX)
    return bool((image - less).std() < (less - least).std())


def is_mottled(image: Image, measured: Mask, diameter_px: float, ratio: float) -> Mask:
    """Return where the mottle is strong beside the noise around a pixel.

    Parameters
    ----------
    image : NDArray[np.float32]
        ``(y, x)`` grey values.
    measured : NDArray[np.bool_]
        ``(y, x)`` what counts in the window around a pixel.
    diameter_px : float
        Particle diameter in pixels.
    ratio : float
        Least ratio of the mottle to the noise.
    """
    from scipy.ndimage import gaussian_filter, uniform_filter

    less = gaussian_filter(image, _NOISE * diameter_px)
    side_px = max(int(diameter_px / _BLOCKS), 1)
    weight, coarse, power, full = (
        block_sums(values.astype(np.float32), side_px)
        for values in (measured, image, (image - less) ** 2 * measured, np.ones_like(image))
    )
    low, lower = (gaussian_filter(coarse / full, share * diameter_px / side_px) for share in _MOTTLE)
    window = round(_WINDOW * diameter_px / side_px)
    covered, noise_power, mottle_power = (
        uniform_filter(values, window) for values in (weight, power, (low - lower) ** 2 * weight)
    )
    found = (covered > _LEAST_COVERED * side_px**2) & (mottle_power > ratio**2 * noise_power)
    return found.repeat(side_px, axis=0).repeat(side_px, axis=1)[: image.shape[0], : image.shape[1]]
