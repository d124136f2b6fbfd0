"""The settings that are tried, and the picks that each makes of a micrograph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from itertools import product

from cryoseg_ext.crf.refinement import refine_maps
from cryoseg_ext.extract.candidates import Candidates, Maps
from cryoseg_ext.extract.extraction import find
from cryoseg_ext.extract.selection import extract_picks
from cryoseg_ext.image.repair import RepairedMicrograph
from cryoseg_ext.image.scale import WORKING_DIAMETER_PX, WorkingMicrograph, to_working_scale
from cryoseg_ext.model.checkpoint import Model
from cryoseg_ext.model.inference import NetworkOutput, run_network
from cryoseg_ext.options.crf import CrfChoice, chosen_crf
from cryoseg_ext.options.extraction import DEFAULT_MIN_DISTANCE, METHODS, ExtractionOptions, Method
from cryoseg_ext.picks import Picks
from cryoseg_ext.pipeline import calibration_of

FACTORS = (0.8, 0.9, 1.0, 1.1, 1.2)
MIN_DISTANCES = (DEFAULT_MIN_DISTANCE, 0.5, 0.65, 0.8)


@dataclass(frozen=True)
class Setting:
    """What is tried, but for the threshold.

    Parameters
    ----------
    diameter : float
        Stated diameter, in diameters of the particle.
    crf : bool
        Whether the model's conditional random field refines the maps.
    method : Method
        Of extraction.
    min_distance : float
        Between two picks, in diameters of the particle.
    """

    diameter: float = 1.0
    crf: bool = True
    method: Method = "centre"
    min_distance: float = DEFAULT_MIN_DISTANCE

    @property
    def n_changes(self) -> int:
        """In how many values it differs from the default."""
        return sum(getattr(self, field.name) != field.default for field in fields(self))


DEFAULT = Setting()


# Candidates of these depend on the distance: they would have to be found again for each.
_FOUND_BY_DISTANCE: tuple[Method, ...] = ("trackpy", "gaussian_nms")


def full_grid() -> list[Setting]:
    """Return all settings that are tried, those that share work side by side."""
    every = (Setting(*one) for one in product(FACTORS, (True, False), METHODS, MIN_DISTANCES))
    return [
        one
        for one in every
        if one.method not in _FOUND_BY_DISTANCE or one.min_distance == DEFAULT_MIN_DISTANCE
    ]


def pick_grid(
    repaired: RepairedMicrograph,
    pixel_size_A: float,
    particle_diameter_A: float,
    model: Model,
    grid: Sequence[Setting],
) -> list[Picks]:
    """Pick one micrograph with every setting; the network runs once for each stated diameter.

    Parameters
    ----------
    repaired : RepairedMicrograph
        The micrograph.
    pixel_size_A : float
        Its Å/px.
    particle_diameter_A : float
        Of the particle, in Å.
    model : Model
        The network.
    grid : Sequence[Setting]
        The settings.

    Returns
    -------
    list[Picks]
        All candidates of each setting, in pixels of the micrograph.

    Raises
    ------
    CryosegError
        If the field is smaller than a particle, or a particle has too few pixels.
    """

    @cache
    def seen(diameter: float) -> tuple[WorkingMicrograph, NetworkOutput]:
        stated_A = diameter * particle_diameter_A
        working = to_working_scale(repaired, pixel_size_A, stated_A)
        return working, run_network(working.image, model)

    @cache
    def maps(diameter: float, crf: bool) -> Maps:
        working, output = seen(diameter)
        refined = refine_maps(
            output.particle_logit,
            output.centre,
            working.image,
            working.diameter_px,
            chosen_crf(CrfChoice() if crf else None, model.crf),
            model.device,
        )
        return Maps(working.image, refined.centre, refined.particle, output.contaminant)

    @cache
    def candidates(diameter: float, crf: bool, method: Method) -> Candidates:
        pixel_A = diameter * particle_diameter_A / WORKING_DIAMETER_PX
        options = ExtractionOptions(method, DEFAULT_MIN_DISTANCE * particle_diameter_A)
        return find(maps(diameter, crf), WORKING_DIAMETER_PX, pixel_A, options)

    picks = []
    for one in grid:
        working, _ = seen(one.diameter)
        min_distance_px = one.min_distance / one.diameter * WORKING_DIAMETER_PX
        found = candidates(one.diameter, one.crf, one.method)
        calibration = calibration_of(model, CrfChoice() if one.crf else None)
        picks.append(extract_picks(found, working, calibration, min_distance_px))
    return picks
