"""Centre-map peaks with the support of the mask: the default extraction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter, uniform_filter
from scipy.spatial import cKDTree

from cryoseg_ext.extract.options import DEFAULT_MIN_DISTANCE
from cryoseg_ext.extract.score import Calibration
from cryoseg_ext.normalise import WorkingMicrograph
from cryoseg_ext.picks import Picks

Image = NDArray[np.float32]

CANDIDATE_THRESHOLD = 0.02
"""Candidates with a lower score are dropped for good."""
_LOWEST_CENTRE = 0.01
_PEAK_SIGMA_PX = 1.0
_SUPPORT_PX = 9


@dataclass(frozen=True)
class Candidates:
    """Peaks of the centre map at the working scale.

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


def find_candidates(centre: Image, particle: Image, contaminant: Image) -> Candidates:
    """Return the local maxima of the smoothed centre map and what surrounds them.

    Parameters
    ----------
    centre, particle, contaminant : NDArray[np.float32]
        ``(y, x)`` probabilities at the working scale; `particle` after the CRF.
    """
    smooth = gaussian_filter(centre, _PEAK_SIGMA_PX)
    peak = (smooth == maximum_filter(smooth, size=5)) & (smooth > _LOWEST_CENTRE)
    rows, columns = np.nonzero(peak)
    height = np.clip(smooth[rows, columns].astype(np.float64), 1e-6, 1 - 1e-6)
    support = uniform_filter(particle, _SUPPORT_PX)[rows, columns]
    dirt = uniform_filter(contaminant, _SUPPORT_PX)[rows, columns]
    features = np.stack([np.log(height / (1 - height)), support, dirt], axis=1)
    y_px, x_px = _subpixel(smooth, rows, columns)
    return Candidates(x_px, y_px, features)


def _subpixel(
    image: Image, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (y_px, x_px) of the parabola's top through each maximum and its two neighbours per axis."""
    padded = np.pad(image, 1, mode="edge").astype(np.float64)
    y, x = rows + 1, columns + 1
    middle = padded[y, x]

    def shift(before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
        curvature = np.minimum(before - 2 * middle + after, -1e-12)
        return np.clip((before - after) / 2 / curvature, -0.5, 0.5)

    return (
        rows + shift(padded[y - 1, x], padded[y + 1, x]),
        columns + shift(padded[y, x - 1], padded[y, x + 1]),
    )


def extract_picks(
    candidates: Candidates,
    working: WorkingMicrograph,
    calibration: Calibration,
    min_distance_px: float | None = None,
) -> Picks:
    """Return scored picks on the micrograph on disk, best first, none closer than the minimum distance.

    Parameters
    ----------
    candidates : Candidates
        Peaks at the working scale.
    working : WorkingMicrograph
        Whose `valid` area the centres must lie in, and whose scale they are converted from.
    calibration : Calibration
        From features to score.
    min_distance_px : float, optional
        In working pixels; half the stated diameter by default.
    """
    if min_distance_px is None:
        min_distance_px = DEFAULT_MIN_DISTANCE * working.diameter_px
    score = calibration(candidates.features)
    rows = np.clip(np.rint(candidates.y_px).astype(int), 0, working.valid.shape[0] - 1)
    columns = np.clip(np.rint(candidates.x_px).astype(int), 0, working.valid.shape[1] - 1)
    index = np.flatnonzero((score >= CANDIDATE_THRESHOLD) & working.valid[rows, columns])
    index = index[np.argsort(-score[index], kind="stable")]
    kept = index[_apart(candidates.x_px[index], candidates.y_px[index], min_distance_px)]
    x_px, y_px = working.to_source_px(candidates.x_px[kept], candidates.y_px[kept])
    ny, nx = working.source_shape
    return Picks(np.clip(x_px, 0, nx - 1), np.clip(y_px, 0, ny - 1), score[kept])


def _apart(x_px: NDArray[np.float64], y_px: NDArray[np.float64], min_distance_px: float) -> NDArray[np.bool_]:
    """Return which points survive when each, in the order given, removes the later ones too near to it."""
    alive = np.ones(len(x_px), np.bool_)
    if len(x_px) == 0:
        return alive
    neighbours = cKDTree(np.stack([x_px, y_px], axis=1))
    for first, near in enumerate(neighbours.query_ball_tree(neighbours, min_distance_px)):
        if alive[first]:
            alive[[other for other in near if other > first]] = False
    return alive
