"""Learning the CRF of a model on simulated fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cryoseg_ext.arrays import Image
from cryoseg_ext.image.scale import WORKING_DIAMETER_PX
from cryoseg_ext.model.checkpoint import Model
from cryoseg_ext.model.inference import ONE_VIEW, NetworkOutput, run_network
from cryoseg_ext.network.classes import PARTICLE
from cryoseg_ext.progress import tracked
from cryoseg_ext.simulation import SimulatedMicrograph, Specimen
from cryoseg_ext.training.crf_learning import CrfExample, learn_crf
from cryoseg_ext.training.dataset import simulate_field, working_field

N_EXAMPLES = 300
"""Number of simulated fields."""


def fit_crf(model: Model, field_px: int, seed: int, library: Sequence[Specimen] = ()) -> Model:
    """Return `model` with a CRF learned on the maps of its own, frozen network.

    Its scores have to be calibrated again, because they are calibrated to the maps after the CRF.

    Parameters
    ----------
    model : Model
        The trained network.
    field_px : int
        Width of the simulated fields in working pixels.
    seed : int
        Random seed of the fields; another one than those of the training.
    library : sequence of Specimen
        Structures to draw from beside the procedural ones.
    """
    examples = []
    for index in tracked(range(N_EXAMPLES), "Simulating fields for the random field"):
        field = simulate_field(np.random.default_rng([seed, index]), field_px, library=library)
        micrograph = working_field(field)[0].image
        examples.append(crf_example(field, micrograph, run_network(micrograph, model, ONE_VIEW)))
    return replace(model, crf=learn_crf(examples, WORKING_DIAMETER_PX))


def crf_example(field: SimulatedMicrograph, micrograph: Image, output: NetworkOutput) -> CrfExample:
    """Return an example to learn the CRF from.

    Parameters
    ----------
    field : SimulatedMicrograph
        The simulated field with its truth.
    micrograph : NDArray[np.float32]
        ``(y, x)`` the same, normalised.
    output : NetworkOutput
        The network's maps of it.
    """
    return CrfExample(
        micrograph,
        output.particle_logit,
        output.centre,
        field.labels == PARTICLE,
        np.stack([field.x_px, field.y_px], axis=1),
    )
