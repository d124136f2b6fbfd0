"""The settings that are tried, and the picks that each makes of a micrograph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib.util import find_spec
from itertools import product

import numpy as np

from cryoseg_ext.extract.candidates import Candidates, Maps
from cryoseg_ext.extract.extraction import extract, find, min_distance_in_px
from cryoseg_ext.extract.mixture import merge_sizes
from cryoseg_ext.extract.selection import allowed_area, extract_picks
from cryoseg_ext.image.repair import RepairedMicrograph
from cryoseg_ext.image.scale import WORKING_DIAMETER_PX, WorkingMicrograph, to_working_scale
from cryoseg_ext.model.checkpoint import Model
from cryoseg_ext.model.inference import NetworkOutput, run_network
from cryoseg_ext.options.crf import CrfChoice, CrfOptions
from cryoseg_ext.options.extraction import DEFAULT_MIN_DISTANCE, METHODS, Method
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.picks import Picks
from cryoseg_ext.pipeline import calibration_of, refined_maps

Crf = CrfChoice | CrfOptions | None

FACTORS = (0.8, 0.9, 1.0, 1.1, 1.2)
"""Stated diameters that are tried, in diameters of the particle."""
MIN_DISTANCES = (DEFAULT_MIN_DISTANCE, 0.5, 0.65, 0.8)
"""Smallest distances between two picks that are tried, in diameters of the particle."""


@dataclass(frozen=True)
class Setting:
    """Values that are tried together, without the threshold.

    Parameters
    ----------
    diameter : float
        Stated diameter, in diameters of the particle.
    crf : bool
        Whether the conditional random field refines the maps.
    method : Method
        Method of extraction.
    min_distance : float
        Smallest distance between two picks, in diameters of the particle.
    """

    diameter: float = 1.0
    crf: bool = True
    method: Method = "centre"
    min_distance: float = DEFAULT_MIN_DISTANCE

    def n_changes(self, default: Setting) -> int:
        """Return the number of values that differ from those of the default."""
        return sum(getattr(self, field.name) != getattr(default, field.name) for field in fields(self))

    def applied_to(self, base: PickingOptions) -> PickingOptions:
        """Return the options with this setting, where those of `base` state the diameter of the particle."""
        diameter_A, smallest_A = base.particle_diameter_A, base.smallest_diameter_A
        extraction = replace(base.extraction, method=self.method)
        if not _is_special(base):
            extraction = replace(extraction, min_distance_A=self.min_distance * diameter_A)
        return replace(
            base,
            particle_diameter_A=self.diameter * diameter_A,
            smallest_diameter_A=smallest_A and self.diameter * smallest_A,
            extraction=extraction,
            crf=base.crf if self.crf else None,
        )


@dataclass(frozen=True)
class Grid:
    """The settings that are tried, those that share work side by side.

    Parameters
    ----------
    settings : tuple of Setting
        The settings.
    default : Setting
        What is used without a search; one of them.
    """

    settings: tuple[Setting, ...]
    default: Setting

    @property
    def n_changes(self) -> list[int]:
        """In how many values each setting differs from the default."""
        return [setting.n_changes(self.default) for setting in self.settings]


_FOUND_BY_DISTANCE: tuple[Method, ...] = ("trackpy", "gaussian_nms")
"""Methods whose candidates depend on the distance: they would have to be found again for each."""


def grid_of(base: PickingOptions, *, with_distances: bool = True) -> Grid:
    """Return the settings to try: all values of what `base` leaves at its default.

    Parameters
    ----------
    base : PickingOptions
        What the user decided. Method, distance or random field other than the default stay as they are; so do
        method and distance of filaments and of mixtures of sizes.
    with_distances : bool
        Whether distances between two picks are tried.
    """
    given, special = base.extraction, _is_special(base)
    distance = (given.min_distance_A or 0.0) / base.particle_diameter_A or DEFAULT_MIN_DISTANCE
    default = Setting(method=given.method, min_distance=distance)
    methods = installed_methods() if given.method == METHODS[0] and not special else (given.method,)
    is_free = with_distances and given.min_distance_A is None and not special
    distances = MIN_DISTANCES if is_free else (distance,)
    fields_of_crf = (True, False) if base.crf == CrfChoice() else (True,)
    settings = (Setting(*values) for values in product(FACTORS, fields_of_crf, methods, distances))
    tried = (
        setting
        for setting in settings
        if setting.method not in _FOUND_BY_DISTANCE or setting.min_distance == distance
    )
    return Grid(tuple(tried), default)


def installed_methods() -> tuple[Method, ...]:
    """Return the methods whose packages are there."""
    return tuple(method for method in METHODS if method != "trackpy" or find_spec("trackpy"))


def _is_special(base: PickingOptions) -> bool:
    """Return whether picks need the whole pipeline: of filaments, and of mixtures of sizes."""
    return base.smallest_diameter_A is not None or base.extraction.helical_rise_A is not None


def pick_grid(
    repaired: RepairedMicrograph,
    pixel_size_A: float,
    model: Model,
    base: PickingOptions,
    grid: Sequence[Setting],
) -> list[Picks]:
    """Pick one micrograph with every setting; the network runs once for each stated diameter.

    Parameters
    ----------
    repaired : RepairedMicrograph
        The micrograph, its contrast repaired too.
    pixel_size_A : float
        Pixel size of the micrograph in Å/px.
    model : Model
        The network.
    base : PickingOptions
        Options that the settings change.
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
    def output_at(diameter_A: float) -> tuple[WorkingMicrograph, NetworkOutput]:
        working = to_working_scale(repaired, pixel_size_A, diameter_A)
        return working, run_network(working.image, model)

    @cache
    def maps_at(diameter_A: float, crf: Crf) -> Maps:
        working, output = output_at(diameter_A)
        return refined_maps(output, working, model, crf)

    @cache
    def candidates_of(setting: Setting) -> Candidates:
        options = setting.applied_to(base)
        pixel_A = options.particle_diameter_A / WORKING_DIAMETER_PX
        maps = maps_at(options.particle_diameter_A, options.crf)
        return find(maps, WORKING_DIAMETER_PX, pixel_A, options.extraction)

    def whole(options: PickingOptions) -> Picks:
        calibration = calibration_of(model, options.crf)
        picked = []
        for size_A in options.diameters_A:
            maps, working = maps_at(size_A, options.crf), output_at(size_A)[0]
            picked.append((extract(maps, working, size_A, calibration, options.extraction), size_A))
        return picked[0][0] if len(picked) == 1 else merge_sizes(picked, pixel_size_A, options.extraction)

    found = []
    for setting in grid:
        options = setting.applied_to(base)
        if _is_special(base):
            found.append(whole(options))
            continue
        working, output = output_at(options.particle_diameter_A)
        pixel_A = options.particle_diameter_A / WORKING_DIAMETER_PX
        area = (working.valid, output.contaminant, WORKING_DIAMETER_PX, pixel_A, options.extraction)
        working = replace(working, valid=allowed_area(*area))
        min_distance_px = min_distance_in_px(WORKING_DIAMETER_PX, pixel_A, options.extraction)
        is_found_by_it = setting.method in _FOUND_BY_DISTANCE
        candidates = candidates_of(setting if is_found_by_it else replace(setting, min_distance=1.0))
        picks = extract_picks(candidates, working, calibration_of(model, options.crf), min_distance_px)
        found.append(picks.at(np.arange(min(len(picks), options.extraction.max_picks or len(picks)))))
    return found
