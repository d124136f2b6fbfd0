"""Candidate particles: where they are, and the features that their score is computed from.

Every method of extraction gives positions only. The features there are the same for all of them, so that the
calibrated score, RELION's figure of merit, means the same whichever method found the particle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter, uniform_filter

Image = NDArray[np.float32]
Points = tuple[NDArray[np.float64], NDArray[np.float64]]
"""(x_px, y_px), each ``(n,)``, in working pixels; 0 is the first pixel's centre."""

PEAK_PX = 5
"""A peak of the centre map is the highest pixel of a square of this width."""
_PEAK_SIGMA_PX = 1.0
_SUPPORT_PX = 9


@dataclass(frozen=True)
class Maps:
    """What the network and the CRF say of a micrograph, all ``(y, x)`` in [0, 1] at the working scale.

    Parameters
    ----------
    centre : NDArray[np.float32]
        Centre map.
    particle : NDArray[np.float32]
        Probability of particle, after the CRF.
    contaminant : NDArray[np.float32]
        Probability of contamination.
    """

    centre: Image
    particle: Image
    contaminant: Image


@dataclass(frozen=True)
class Candidates:
    """Candidate particles at the working scale.

    Parameters
    ----------
    x_px, y_px : NDArray[np.float64]
        ``(n,)`` sub-pixel working coordinates; 0 is the first pixel's centre.
    features : NDArray[np.float64]
        ``(n, 3)``, see `cryoseg_ext.extract.score.FEATURES`.
    """

    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    features: NDArray[np.float64]


def smooth_centres(centre: Image) -> Image:
    """Return the centre map without its pixel noise."""
    smooth: Image = gaussian_filter(centre, _PEAK_SIGMA_PX)
    return smooth


def candidates_at(points: Points, maps: Maps) -> Candidates:
    """Return candidates at given points: their logit is that of the highest centre within two pixels."""
    x_px, y_px = points
    rows, columns = nearest_pixels(points, maps.centre.shape)
    highest = maximum_filter(smooth_centres(maps.centre), size=PEAK_PX)[rows, columns].astype(np.float64)
    highest = np.clip(highest, 1e-6, 1 - 1e-6)
    support = uniform_filter(maps.particle, _SUPPORT_PX)[rows, columns]
    dirt = uniform_filter(maps.contaminant, _SUPPORT_PX)[rows, columns]
    return Candidates(x_px, y_px, np.stack([np.log(highest / (1 - highest)), support, dirt], axis=1))


def nearest_pixels(points: Points, shape: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (rows, columns) of the pixels of an image of `shape` nearest to `points`."""
    x_px, y_px = points
    rows = np.clip(np.rint(y_px).astype(np.int64), 0, shape[0] - 1)
    return rows, np.clip(np.rint(x_px).astype(np.int64), 0, shape[1] - 1)
