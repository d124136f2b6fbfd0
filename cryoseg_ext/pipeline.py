"""One micrograph from grey values to picks: the table of contents of the engine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.crf import CrfChoice, CrfOptions, chosen_crf, refine_maps
from cryoseg_ext.extract import extract_picks, find_candidates
from cryoseg_ext.network import Model, segment
from cryoseg_ext.normalise import WORKING_DIAMETER_PX, WorkingMicrograph, to_working_scale
from cryoseg_ext.picks import Picks
from cryoseg_ext.repair import RepairedMicrograph, repair


@dataclass(frozen=True)
class PickingOptions:
    """What a user decides about picking.

    Parameters
    ----------
    particle_diameter_A : float
        Largest extent of the particle in Å.
    min_distance_A : float, optional
        Smallest distance between two picks in Å; half the diameter by default.
    crf : CrfChoice, CrfOptions or None
        Changes of the model's own conditional random field, another one altogether, or none at all.
    invert : bool
        Whether protein is bright, so that the contrast has to be inverted.
    """

    particle_diameter_A: float
    min_distance_A: float | None = None
    crf: CrfChoice | CrfOptions | None = CrfChoice()
    invert: bool = False


@dataclass(frozen=True)
class PickedMicrograph:
    """The result for one micrograph.

    Parameters
    ----------
    candidates : Picks
        All down to a score of 0.02, in pixels of the micrograph on disk, not rounded.
    working : WorkingMicrograph
        The normalised micrograph at the working scale.
    probability : NDArray[np.float32]
        ``(y, x)`` probability of particle at the working scale, after the CRF.
    """

    candidates: Picks
    working: WorkingMicrograph
    probability: NDArray[np.float32]

    @property
    def mask(self) -> NDArray[np.bool_]:
        """``(y, x)`` where a particle is more likely than not, at the working scale."""
        return self.probability >= 0.5


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
    return pick_repaired(repair(image), pixel_size_A, model, options)


def pick_repaired(
    repaired: RepairedMicrograph, pixel_size_A: float, model: Model, options: PickingOptions
) -> PickedMicrograph:
    """Pick the particles of a micrograph whose defects are already repaired; see `pick_micrograph`."""
    image = -repaired.image if options.invert else repaired.image
    working = to_working_scale(image, repaired.valid, pixel_size_A, options.particle_diameter_A)
    return pick_working(working, model, options)


def pick_working(working: WorkingMicrograph, model: Model, options: PickingOptions) -> PickedMicrograph:
    """Pick the particles, which are dark, of a micrograph at the working scale; see `pick_micrograph`."""
    output = segment(working.image, model)
    crf = chosen_crf(options.crf, model.crf)
    refined = refine_maps(
        output.particle_logit, output.centre, working.image, working.diameter_px, crf, model.device
    )
    candidates = find_candidates(refined.centre, refined.particle, output.contaminant)
    min_distance_px = None
    if options.min_distance_A is not None:
        min_distance_px = options.min_distance_A / options.particle_diameter_A * WORKING_DIAMETER_PX
    picks = extract_picks(candidates, working, model.calibration, min_distance_px)
    return PickedMicrograph(picks, working, refined.particle)
