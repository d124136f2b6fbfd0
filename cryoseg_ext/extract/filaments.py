"""Segments along filaments, for helical reconstruction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter, label, map_coordinates

from cryoseg_ext.arrays import FloatArray, Image
from cryoseg_ext.extract.candidates import nearest_pixels
from cryoseg_ext.extract.skeleton import Axis, filament_axes
from cryoseg_ext.image.scale import WorkingMicrograph
from cryoseg_ext.options.extraction import ExtractionOptions
from cryoseg_ext.picks import Picks, concatenate

SHORTEST_TUBE = 2.0
"""Default smallest length of a filament, in filament widths."""
_SMOOTHING = 0.12
"""Standard deviation of the smoothing of the mask, in filament widths."""
_WIDTHS = (0.4, 2.0)
"""Smallest and largest ratio of the measured to the stated width of a filament."""


def filament_picks(
    particle: Image, working: WorkingMicrograph, pixel_A: float, options: ExtractionOptions
) -> Picks:
    """Return segments along the filaments in the mask, ``helical_nr_asu * helical_rise_A`` apart.

    The skeleton of the mask gives the axes. They end where filaments cross: a segment there would show both.
    The score of a segment is the mean particle probability along its filament: a filament is kept or dropped
    as a whole, and it has no peaks in the centre map that the calibrated score needs.

    Parameters
    ----------
    particle : NDArray[np.float32]
        ``(y, x)`` particle probability at the working scale.
    working : WorkingMicrograph
        Micrograph in whose `valid` area the segments must lie; its diameter is the width of the filament.
    pixel_A : float
        Å per working pixel.
    options : ExtractionOptions
        Options with a `helical_rise_A`.

    Returns
    -------
    Picks
        Segments in pixels of the micrograph on disk, the filaments in descending order of score.
    """
    assert options.helical_rise_A is not None
    width_px = working.diameter_px
    step_px = options.helical_nr_asu * options.helical_rise_A / pixel_A
    shortest_px = SHORTEST_TUBE * width_px
    if options.helical_tube_length_min_A is not None:
        shortest_px = options.helical_tube_length_min_A / pixel_A
    # Smoothed, because a rough outline makes a skeleton with many side branches.
    smooth = gaussian_filter(particle, _SMOOTHING * width_px)
    mask = (smooth >= options.mask_threshold) & working.valid
    # `remove_small_holes` of scikit-image names its limit otherwise in each version.
    holes, _ = label(~mask)
    mask |= np.bincount(holes.ravel())[holes] <= int(np.pi / 4 * width_px**2)
    half_width_px = distance_transform_edt(mask)
    tubes: list[Picks] = []
    for axis in filament_axes(mask, width_px):
        if axis.length_px >= max(shortest_px, step_px):
            tube = _segments(axis, particle, half_width_px, step_px, pixel_A, working)
            if _WIDTHS[0] <= np.median(tube.columns()["diameter_A"]) / (width_px * pixel_A) <= _WIDTHS[1]:
                tubes.append(tube)
    numbered = [
        replace(tube, tube_id=np.full(len(tube), number))
        for number, tube in enumerate(sorted(tubes, key=lambda tube: -tube.score[0]), start=1)
    ]
    # Start with an empty Picks so that concatenation also works without filaments.
    return concatenate([Picks(*np.zeros((7, 0))), *numbered])


def _segments(
    axis: Axis,
    particle: Image,
    half_width_px: FloatArray,
    step_px: float,
    pixel_A: float,
    working: WorkingMicrograph,
) -> Picks:
    """Return the segments of a filament: as many as fit, centred along it."""
    n_steps = int(axis.length_px / step_px)
    track_px = (axis.length_px - n_steps * step_px) / 2 + step_px * np.arange(n_steps + 1)
    x_px, y_px, angle_deg = axis.at(track_px)
    score = float(map_coordinates(particle, [axis.y_px, axis.x_px], order=1, mode="nearest").mean())
    x_source_px, y_source_px = working.to_source_px(x_px, y_px)
    return Picks(
        x_source_px,
        y_source_px,
        np.full(len(x_px), score),
        diameter_A=2 * half_width_px[nearest_pixels((x_px, y_px), half_width_px.shape)] * pixel_A,
        psi_deg=-angle_deg,
        track_length_A=(track_px - track_px[0]) * pixel_A,
    )
