"""What `measure` returns for particles of one size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.size.estimate import RINGS_PER_DIAMETER, Measurement
from cryoseg_ext.size.measure import N_RINGS


def long_particles(diameter_A: float) -> list[Measurement]:
    """Return 20 isolated long particles, and some that are not, at three stated diameters."""
    extent_A, sure = np.full(20, diameter_A), np.full(20, 0.9)
    return [
        Measurement(stated_A, extent_A, extent_A, sure, np.tile(fading(diameter_A, stated_A), (20, 1)), 25.0)
        for stated_A in (0.8 * diameter_A, diameter_A, 1.25 * diameter_A)
    ]


def fading(diameter_A: float, stated_A: float) -> NDArray[np.float32]:
    """Return the profile of the mean of long particles: it fades long before it ends."""
    return np.minimum(radii(diameter_A, stated_A) - 0.3, 0).astype(np.float32)


def radii(diameter_A: float, stated_A: float) -> NDArray[np.float64]:
    """Return the radii of the rings of a profile, in diameters."""
    return np.arange(N_RINGS, dtype=np.float64) * (stated_A / RINGS_PER_DIAMETER / diameter_A)
