"""Selection of picks among candidates, by score, allowed area and distance."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt, label

from cryoseg_ext.arrays import Image, Mask
from cryoseg_ext.extract.candidates import Candidates, nearest_pixels
from cryoseg_ext.extract.score import Calibration
from cryoseg_ext.image.areas import smallest_film_px
from cryoseg_ext.image.scale import WorkingMicrograph
from cryoseg_ext.options.extraction import DEFAULT_MIN_DISTANCE, ExtractionOptions
from cryoseg_ext.picks import Picks, apart

CANDIDATE_THRESHOLD = 0.02
"""Smallest score of a candidate that is kept, whatever the threshold of the picks."""


def extract_picks(
    candidates: Candidates,
    working: WorkingMicrograph,
    calibration: Calibration,
    min_distance_px: float | None = None,
) -> Picks:
    """Return scored picks in pixels of the micrograph on disk, in descending order of score.

    Parameters
    ----------
    candidates : Candidates
        Candidates at the working scale.
    working : WorkingMicrograph
        Micrograph in whose `valid` area the picks must lie.
    calibration : Calibration
        Score of the candidates.
    min_distance_px : float, optional
        Smallest distance between two picks in working pixels; `DEFAULT_MIN_DISTANCE` diameters by default.
    """
    if min_distance_px is None:
        min_distance_px = DEFAULT_MIN_DISTANCE * working.diameter_px
    score = calibration(candidates)
    inside = working.valid[nearest_pixels((candidates.x_px, candidates.y_px), working.valid.shape)]
    index = np.flatnonzero((score >= CANDIDATE_THRESHOLD) & inside)
    index = index[np.argsort(-score[index], kind="stable")]
    kept = index[apart(candidates.x_px[index], candidates.y_px[index], min_distance_px)]
    x_px, y_px = working.to_source_px(candidates.x_px[kept], candidates.y_px[kept])
    ny, nx = working.source_shape
    return Picks(np.clip(x_px, 0, nx - 1), np.clip(y_px, 0, ny - 1), score[kept])


def allowed_area(
    valid: Mask, contaminant: Image, diameter_px: float, pixel_A: float, options: ExtractionOptions
) -> Mask:
    """Return the ``(y, x)`` mask of the area in which picks may lie.

    Parameters
    ----------
    valid : NDArray[np.bool_]
        ``(y, x)``, False in dead areas.
    contaminant : NDArray[np.float32]
        ``(y, x)`` contaminant probability.
    diameter_px : float
        Particle diameter in working pixels.
    pixel_A : float
        Å per working pixel.
    options : ExtractionOptions
        Smallest distances of a pick from the edge and from contamination.
    """
    allowed = valid
    if options.border_A:
        # Padded, because the outside of the image counts as dead.
        distance = distance_transform_edt(np.pad(valid, 1))[1:-1, 1:-1]
        allowed = allowed & (distance - 0.5 >= options.border_A / pixel_A)
    for least_A, least_px in (
        (options.contaminant_distance_A, 0.0),
        (options.carbon_distance_A, smallest_film_px(diameter_px)),
    ):
        if least_A and (area := _larger_than(contaminant >= 0.5, least_px)).any():
            allowed = allowed & (distance_transform_edt(~area) >= least_A / pixel_A)
    return allowed


def _larger_than(area: Mask, least_px: float) -> Mask:
    """Return the connected parts of `area` that have more than `least_px` pixels."""
    labels, _ = label(area)
    large = np.bincount(labels.ravel()) > least_px
    large[0] = False
    return large[labels]
