"""Candidate particles: their positions, and the features that their score is computed from.

The methods of extraction give positions only. The features are the same for all methods, so that the
calibrated score, RELION's figure of merit, does not depend on the method.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.special import logit

from cryoseg_ext.arrays import FloatArray, Image, Mask

Points = tuple[FloatArray, FloatArray]
"""(x_px, y_px), each ``(n,)``, in working pixels; 0 is the first pixel's centre."""

PEAK_PX = 5
"""Side of the square in which a peak of the centre map is the highest pixel."""
_PEAK_SIGMA_PX = 1.0
"""Standard deviation of the smoothing of the centre map."""
_SUPPORT_PX = 9
"""Side of the square over which the probabilities around a candidate are averaged."""
_RINGS, _RING_PX = 12, 15 / 11
"""Number of rings of a profile and distance between them; the outermost lies outside the particle."""
_LEAST_PROBABILITY = 1e-4
"""Probabilities are kept this far from 0 and 1, so that their log odds stay finite."""


@dataclass(frozen=True)
class Maps:
    """A micrograph and its maps from the network and the CRF, all ``(y, x)`` at the working scale.

    Parameters
    ----------
    micrograph : NDArray[np.float32]
        Normalised grey values.
    centre : NDArray[np.float32]
        Centre map in [0, 1].
    particle : NDArray[np.float32]
        Particle probability after the CRF.
    contaminant : NDArray[np.float32]
        Contaminant probability.
    crystalline : NDArray[np.bool_]
        Where the ice is crystalline. Its blobs look like particles, and what is a particle there will not
        align.
    """

    micrograph: Image
    centre: Image
    particle: Image
    contaminant: Image
    crystalline: Mask

    @cached_property
    def smooth_centre(self) -> Image:
        """The centre map smoothed against pixel noise."""
        return gaussian_filter(self.centre, _PEAK_SIGMA_PX)


@dataclass(frozen=True)
class Candidates:
    """Candidate particles at the working scale.

    Parameters
    ----------
    x_px, y_px : NDArray[np.float64]
        ``(n,)`` sub-pixel working coordinates; 0 is the first pixel's centre.
    features : NDArray[np.float64]
        ``(n, 4)`` features, see `cryoseg_ext.extract.score.FEATURES`.
    profiles : NDArray[np.float32]
        ``(n, 2, 12)`` radial profiles, see `profiles_at`.
    """

    x_px: FloatArray
    y_px: FloatArray
    features: FloatArray
    profiles: Image

    def at(self, index: NDArray[np.int64]) -> Candidates:
        """Return the candidates at `index`, in that order."""
        return Candidates(self.x_px[index], self.y_px[index], self.features[index], self.profiles[index])


def candidates_at(points: Points, maps: Maps) -> Candidates:
    """Return candidates at `points`, each with the logit of the highest centre value within two pixels."""
    highest = _windows(maps.smooth_centre, points, PEAK_PX // 2).max(axis=(1, 2)).astype(np.float64)
    around = (
        _windows(image, points, _SUPPORT_PX // 2).mean(axis=(1, 2))
        for image in (maps.particle, maps.contaminant, maps.crystalline.astype(np.float32))
    )
    features = np.stack([logit(np.clip(highest, 1e-6, 1 - 1e-6)), *around], axis=1)
    return Candidates(*points, features, profiles_at(points, maps))


def _windows(image: Image, points: Points, reach: int) -> Image:
    """Return the ``(n, 2 reach + 1, 2 reach + 1)`` pixels around points, those outside mirrored."""
    windows = sliding_window_view(np.pad(image, reach, mode="symmetric"), (2 * reach + 1, 2 * reach + 1))
    return windows[nearest_pixels(points, image.shape)]


def profiles_at(points: Points, maps: Maps) -> Image:
    """Return ``(n, 2, 12)`` radial profiles at points, of the micrograph and of the particle log odds."""
    particle = np.clip(maps.particle, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    images = (maps.micrograph, np.log(particle / (1 - particle)))
    return np.stack([ring_means(image, points, _RINGS, _RING_PX) for image in images], axis=1)


def ring_means(image: Image, points: Points, n_rings: int, ring_px: float) -> Image:
    """Return radial profiles: ``(n, n_rings)`` means of an image over rings around points.

    Parameters
    ----------
    image : NDArray[np.float32]
        ``(y, x)`` values.
    points : tuple of NDArray
        ``(n,)`` x and y of the centres in pixels.
    n_rings : int
        Number of rings; the first one is the centre itself.
    ring_px : float
        Distance between two rings in pixels.
    """
    reach = round((n_rings - 1) * ring_px) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    ring = np.hypot(y, x) / ring_px - np.arange(n_rings)[:, None, None]
    weights = np.clip(1 - np.abs(ring), 0, None).astype(np.float32)
    weights /= weights.sum(axis=(1, 2), keepdims=True)
    windows = sliding_window_view(np.pad(image, reach, mode="edge"), weights.shape[1:])
    return np.tensordot(windows[nearest_pixels(points, image.shape)], weights, ((1, 2), (1, 2)))


def nearest_pixels(points: Points, shape: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (rows, columns) of the pixels of an image of `shape` nearest to `points`."""
    x_px, y_px = points
    rows = np.clip(np.rint(y_px).astype(np.int64), 0, shape[0] - 1)
    return rows, np.clip(np.rint(x_px).astype(np.int64), 0, shape[1] - 1)
