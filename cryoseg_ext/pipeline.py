"""One micrograph from grey values to picks: the table of contents of the engine."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.crf.refinement import refine_maps
from cryoseg_ext.extract.candidates import Maps
from cryoseg_ext.extract.extraction import extract
from cryoseg_ext.extract.mixture import merge_sizes
from cryoseg_ext.extract.score import Calibration
from cryoseg_ext.image.areas import AreaShares, measure_areas
from cryoseg_ext.image.mottle import crystalline_ice
from cryoseg_ext.image.repair import RepairedMicrograph, repair
from cryoseg_ext.image.scale import WorkingMicrograph, to_working_scale
from cryoseg_ext.model.checkpoint import Model
from cryoseg_ext.model.inference import VIEWS, NetworkOutput, View, run_network
from cryoseg_ext.options.crf import CrfChoice, CrfOptions, chosen_crf
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.picks import Picks


@dataclass(frozen=True)
class PickedMicrograph:
    """The result for one micrograph.

    Parameters
    ----------
    candidates : Picks
        All down to a score of 0.02, in pixels of the micrograph on disk, not rounded.
    working : WorkingMicrograph
        The normalised micrograph at the working scale; of a mixture of sizes, at that of a middle one.
    probability : NDArray[np.float32]
        ``(y, x)`` probability of particle at the working scale, after the CRF.
    particle_logit : NDArray[np.float32]
        ``(y, x)`` log odds of particle at the working scale, before the CRF.
    contaminated : NDArray[np.bool_]
        ``(y, x)`` where a contaminant is more likely than not, at the working scale.
    crystalline : NDArray[np.bool_]
        ``(y, x)`` where the ice is crystalline, at the working scale.
    """

    candidates: Picks
    working: WorkingMicrograph
    probability: NDArray[np.float32]
    particle_logit: NDArray[np.float32]
    contaminated: NDArray[np.bool_]
    crystalline: NDArray[np.bool_]

    @property
    def mask(self) -> NDArray[np.bool_]:
        """``(y, x)`` where a particle is more likely than not, at the working scale."""
        return self.probability >= 0.5

    @property
    def areas(self) -> AreaShares:
        """How much of the area is contaminated, dead or mottled."""
        working = self.working
        return measure_areas(
            self.contaminated, self.crystalline, working.valid, working.image, working.diameter_px
        )


def pick_micrograph(
    image: NDArray[np.float32], pixel_size_A: float, model: Model, options: PickingOptions
) -> PickedMicrograph:
    """Pick the particles of one micrograph.

    Parameters
    ----------
    image : NDArray[np.float32]
        ``(y, x)`` as stored; protein dark, unless `options` say otherwise.
    pixel_size_A : float
        Å/px.
    model : Model
        The network.
    options : PickingOptions
        Particle diameter and the rest.

    Raises
    ------
    CryosegError
        If the image has no usable content or is smaller than one particle.
    """
    return pick_repaired(repair(image, invert=options.invert), pixel_size_A, model, options)


def pick_repaired(
    repaired: RepairedMicrograph, pixel_size_A: float, model: Model, options: PickingOptions
) -> PickedMicrograph:
    """Pick the particles of a repaired micrograph.

    Parameters
    ----------
    repaired : RepairedMicrograph
        The micrograph, its contrast repaired too.
    pixel_size_A, model, options
        As in `pick_micrograph`.
    """
    diameters_A = options.diameters_A
    picked = [_pick_at(diameter_A, repaired, pixel_size_A, model, options) for diameter_A in diameters_A]
    if len(picked) == 1:
        return picked[0]
    candidates = [micrograph.candidates for micrograph in picked]
    found = list(zip(candidates, diameters_A, strict=True))
    merged = merge_sizes(found, pixel_size_A, options.extraction)
    return replace(picked[len(picked) // 2], candidates=merged)


def _pick_at(
    diameter_A: float,
    repaired: RepairedMicrograph,
    pixel_size_A: float,
    model: Model,
    options: PickingOptions,
) -> PickedMicrograph:
    """Pick the particles of about one size."""
    working = to_working_scale(repaired, pixel_size_A, diameter_A)
    output = run_network(working.image, model)
    maps = refined_maps(output, working, model, options.crf)
    picks = extract(maps, working, diameter_A, calibration_of(model, options.crf), options.extraction)
    return PickedMicrograph(
        picks, working, maps.particle, output.particle_logit, maps.contaminant >= 0.5, maps.crystalline
    )


def calibration_of(model: Model, crf: CrfChoice | CrfOptions | None = CrfChoice()) -> Calibration:
    """Return what scores candidates; where there is no random field, each of them stands for itself."""
    if chosen_crf(crf, model.crf).solver == "none":
        return replace(model.calibration, consensus=None)
    return model.calibration


def maps_of(
    working: WorkingMicrograph,
    model: Model,
    crf: CrfChoice | CrfOptions | None = CrfChoice(),
    views: tuple[View, ...] = VIEWS,
) -> Maps:
    """Return the maps that picks are extracted from: what the network predicts, refined by the CRF.

    Parameters
    ----------
    working : WorkingMicrograph
        The micrograph at the working scale.
    model : Model
        Network and CRF.
    crf : CrfChoice, CrfOptions or None
        Changes of the model's CRF, another one, or none.
    views : tuple of View
        How the network looks at the micrograph.
    """
    return refined_maps(run_network(working.image, model, views), working, model, crf)


def refined_maps(
    output: NetworkOutput,
    working: WorkingMicrograph,
    model: Model,
    crf: CrfChoice | CrfOptions | None = CrfChoice(),
) -> Maps:
    """Return the maps of the network after the CRF.

    Parameters
    ----------
    output : NetworkOutput
        What the network predicts.
    working, model, crf
        As in `maps_of`.
    """
    refined = refine_maps(
        output.particle_logit,
        output.centre,
        working.image,
        working.diameter_px,
        chosen_crf(crf, model.crf),
        model.device,
    )
    ice = working.valid & (refined.particle < 0.5) & (output.contaminant < 0.5)
    crystalline = crystalline_ice(working.image, ice, working.diameter_px)
    return Maps(working.image, refined.centre, refined.particle, output.contaminant, crystalline)
