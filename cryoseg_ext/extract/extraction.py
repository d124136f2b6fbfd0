"""Extraction of the picks of a micrograph from its maps, by any of the methods."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cryoseg_ext.extract.blobs import blob_centres
from cryoseg_ext.extract.candidates import Candidates, Maps, Points, candidates_at
from cryoseg_ext.extract.contours import contour_centres
from cryoseg_ext.extract.filaments import filament_picks
from cryoseg_ext.extract.gaussian_nms import gaussian_nms_centres
from cryoseg_ext.extract.peaks import find_candidates
from cryoseg_ext.extract.score import Calibration
from cryoseg_ext.extract.selection import allowed_area, extract_picks
from cryoseg_ext.extract.shape import measure_shapes
from cryoseg_ext.extract.watershed import watershed_centres
from cryoseg_ext.image.scale import WorkingMicrograph
from cryoseg_ext.options.extraction import DEFAULT_MIN_DISTANCE, ExtractionOptions
from cryoseg_ext.picks import Picks


def extract(
    maps: Maps,
    working: WorkingMicrograph,
    particle_diameter_A: float,
    calibration: Calibration,
    options: ExtractionOptions,
) -> Picks:
    """Return the picks of a micrograph, best first, each with its size and, where it has one, its axis.

    Parameters
    ----------
    maps : Maps
        Maps at the working scale.
    working : WorkingMicrograph
        Micrograph that the maps belong to.
    particle_diameter_A : float
        Particle diameter in Å.
    calibration : Calibration
        Score of the candidates.
    options : ExtractionOptions
        Method and limits.
    """
    pixel_A = particle_diameter_A / working.diameter_px
    allowed = allowed_area(working.valid, maps.contaminant, working.diameter_px, pixel_A, options)
    inside = replace(working, valid=allowed)
    if options.helical_rise_A is not None:
        picks = filament_picks(maps.particle, inside, pixel_A, options)
    else:
        min_distance_px = min_distance_in_px(working.diameter_px, pixel_A, options)
        candidates = find(maps, working.diameter_px, pixel_A, options)
        picks = extract_picks(candidates, inside, calibration, min_distance_px)
        points = working.from_source_px(picks.x_px, picks.y_px)
        mask = maps.particle >= options.mask_threshold
        extent_px, psi_deg = measure_shapes(points, picks.score, mask, working.diameter_px)
        picks = replace(picks, diameter_A=extent_px * pixel_A, psi_deg=psi_deg)
    return picks.at(np.arange(min(len(picks), options.max_picks or len(picks))))


def min_distance_in_px(diameter_px: float, pixel_A: float, options: ExtractionOptions) -> float:
    """Return the smallest distance between two picks in working pixels.

    Parameters
    ----------
    diameter_px : float
        Particle diameter in working pixels.
    pixel_A : float
        Å per working pixel.
    options : ExtractionOptions
        The distance in Å, if the user gives one.
    """
    if options.min_distance_A is None:
        return DEFAULT_MIN_DISTANCE * diameter_px
    return options.min_distance_A / pixel_A


def find(maps: Maps, diameter_px: float, pixel_A: float, options: ExtractionOptions) -> Candidates:
    """Return the candidates that a method finds, with the features of each.

    Parameters
    ----------
    maps : Maps
        Maps at the working scale.
    diameter_px : float
        Particle diameter in working pixels.
    pixel_A : float
        Å per working pixel.
    options : ExtractionOptions
        Method and limits.
    """
    if options.method == "centre":
        return find_candidates(maps)
    return candidates_at(_points(maps, diameter_px, pixel_A, options), maps)


def _points(maps: Maps, diameter_px: float, pixel_A: float, options: ExtractionOptions) -> Points:
    min_distance_px = min_distance_in_px(diameter_px, pixel_A, options)
    if options.method == "trackpy":
        return blob_centres(maps.particle, diameter_px, min_distance_px)
    if options.method == "gaussian_nms":
        return gaussian_nms_centres(maps.particle, diameter_px, min_distance_px)
    mask = maps.particle >= options.mask_threshold
    disc_px = np.pi / 4 * diameter_px**2
    area_px = options.min_area * disc_px, options.max_area * disc_px
    if options.method == "watershed":
        return watershed_centres(mask, diameter_px, area_px)
    return contour_centres(mask, options.erosion_A / pixel_A, area_px, options.min_solidity)
