"""Candidate particles: where they are, and the features that their score is computed from.

Every method of extraction gives positions only. The features there are the same for all of them, so that the
calibrated score, RELION's figure of merit, means the same whichever method found the particle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter, uniform_filter
from scipy.special import logit

Image = NDArray[np.float32]
Points = tuple[NDArray[np.float64], NDArray[np.float64]]
"""(x_px, y_px), each ``(n,)``, in working pixels; 0 is the first pixel's centre."""

PEAK_PX = 5
"""A peak of the centre map is the highest pixel of a square of this width."""
_PEAK_SIGMA_PX = 1.0
_SUPPORT_PX = 9
_RINGS, _RING_PX = 12, 15 / 11
"""Rings of a profile and the distance between them; the outermost lies beyond the rim of the particle."""
_SURE = 1e-4
"""Probabilities nearer to 0 or 1 count as this near."""


@dataclass(frozen=True)
class Maps:
    """A micrograph and what the network and the CRF say of it, all ``(y, x)`` at the working scale.

    Parameters
    ----------
    micrograph : NDArray[np.float32]
        Normalised.
    centre : NDArray[np.float32]
        Centre map in [0, 1].
    particle : NDArray[np.float32]
        Probability of particle, after the CRF.
    contaminant : NDArray[np.float32]
        Probability of contamination.
    """

    micrograph: Image
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
    profiles : NDArray[np.float32]
        ``(n, 2, 12)``, see `profiles_at`.
    """

    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    features: NDArray[np.float64]
    profiles: NDArray[np.float32]

    def at(self, index: NDArray[np.int64]) -> Candidates:
        """Return the candidates at `index`, in that order."""
        return Candidates(self.x_px[index], self.y_px[index], self.features[index], self.profiles[index])


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
    features = np.stack([logit(highest), support, dirt], axis=1)
    return Candidates(x_px, y_px, features, profiles_at(points, maps))


def profiles_at(points: Points, maps: Maps) -> NDArray[np.float32]:
    """Return ``(n, 2, 12)`` means over rings, of the micrograph and of the log odds of particle."""
    images = (maps.micrograph, logit(np.clip(maps.particle, _SURE, 1 - _SURE)))
    return np.stack([ring_means(image, points, _RINGS, _RING_PX) for image in images], axis=1)


def ring_means(image: Image, points: Points, n_rings: int, ring_px: float) -> Image:
    """Return ``(n, n_rings)`` means of a ``(y, x)`` image around points, over rings `ring_px` apart."""
    reach = round((n_rings - 1) * ring_px) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    ring = np.hypot(y, x) / ring_px - np.arange(n_rings)[:, None, None]
    weights = np.clip(1 - np.abs(ring), 0, None).astype(np.float32)
    weights /= weights.sum(axis=(1, 2), keepdims=True)
    windows = sliding_window_view(np.pad(image, reach, mode="edge"), weights.shape[1:])
    means: Image = np.tensordot(windows[nearest_pixels(points, image.shape)], weights, ((1, 2), (1, 2)))
    return means


def nearest_pixels(points: Points, shape: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (rows, columns) of the pixels of an image of `shape` nearest to `points`."""
    x_px, y_px = points
    rows = np.clip(np.rint(y_px).astype(np.int64), 0, shape[0] - 1)
    return rows, np.clip(np.rint(x_px).astype(np.int64), 0, shape[1] - 1)
