"""Training on simulated fields alone, as the default model was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from cryoseg_ext.extract.score import Calibration
from cryoseg_ext.model.checkpoint import Model, load_model, save_model
from cryoseg_ext.model.inference import with_ranges
from cryoseg_ext.network.architectures import DEFAULT_ARCHITECTURE, build_network, parse_architecture
from cryoseg_ext.options.training import MODEL_FILE, TrainingOptions
from cryoseg_ext.progress import tracked
from cryoseg_ext.simulation import Specimen
from cryoseg_ext.training.blend import interpolate, weights_of
from cryoseg_ext.training.calibrate import WIDTH_FACTOR, calibrate
from cryoseg_ext.training.crf import fit_crf
from cryoseg_ext.training.dataset import SimulatedFields, load_library, simulate_field, working_field
from cryoseg_ext.training.distributed import process_group
from cryoseg_ext.training.history import Callbacks
from cryoseg_ext.training.loop import TrainingRun, optimise
from cryoseg_ext.training.options import check_options

N_RANGE_FIELDS = 24
"""Simulated fields on which the ranges of the network's maps are measured."""


def train(
    options: TrainingOptions,
    out: Path,
    *,
    device: str = "cpu",
    workers: int = 1,
    callbacks: Callbacks = Callbacks(),  # noqa: B008 - frozen
) -> Path:
    """Train on simulated fields and return the path of the calibrated model.

    A checkpoint in `out` is continued; the log is ``training.csv``.

    Parameters
    ----------
    options : TrainingOptions
        The recipe.
    out : Path
        Folder for checkpoint, log and ``model.safetensors``; made if needed.
    device : str
        Torch device.
    workers : int
        Processes that simulate fields beside the optimiser.
    callbacks : Callbacks
        Called as the training goes on.

    Raises
    ------
    CryosegError
        If there is no such architecture or loss, the checkpoint in `out` is of another recipe or cannot be
        read, `options.initial` is not a model, or a structure cannot be read.
    """
    check_options(options)
    with process_group(device) as processes:
        torch.manual_seed(options.seed)
        architecture, network = first_network(options)
        network = network.to(processes.device)
        library = load_library(Path(options.structures), options.leave_out) if options.structures else []
        fields = SimulatedFields(
            options.steps * options.batch * processes.size, options.field_px, options.seed, library
        )
        initial = weights_of(network)
        optimise(network, fields, options, TrainingRun(out, "simulated", processes, workers, callbacks))
        if options.initial:
            interpolate(network, initial, weights_of(network), options.blend_share)
        path = out / MODEL_FILE
        if processes.is_main:
            description = asdict(options) | {
                "data": f"simulated micrographs, procedural specimens and {len(library)} structures"
            }
            no_calibration = Calibration(0.0, (1.0, 0.0, 0.0, 0.0))
            model = Model(network, architecture, no_calibration, 0.5, description, processes.device)
            save_model(fit_crf_and_scores(model, options.field_px, options.seed, library), path)
        return path


def fit_crf_and_scores(model: Model, field_px: int, seed: int, library: Sequence[Specimen]) -> Model:
    """Return a trained network with its CRF, scores calibrated to the maps after it, and ranges of its maps.

    Parameters
    ----------
    model : Model
        The network; nothing else of it is kept but the description of its training.
    field_px : int
        Width of the simulated fields in working pixels.
    seed : int
        Random seed of the training; these fields are others than those.
    library : sequence of Specimen
        Structures that the CRF is learned on beside the procedural ones.
    """
    fitted = calibrate(fit_crf(model, field_px, seed + 2, library), field_px, seed + 1)
    return with_own_ranges(fitted, field_px, seed, library)


def with_own_ranges(model: Model, field_px: int, seed: int, library: Sequence[Specimen]) -> Model:
    """Return a model with the ranges of its maps on simulated fields.

    Parameters
    ----------
    model, field_px, seed, library
        As for `fit_crf_and_scores`.
    """
    shown = tracked(range(N_RANGE_FIELDS), "Simulating fields to measure ranges on")
    rngs = (np.random.default_rng([seed + 3, index]) for index in shown)
    fields = (simulate_field(rng, WIDTH_FACTOR * field_px, library=library) for rng in rngs)
    return with_ranges(model, [working_field(field)[0].image for field in fields])


def first_network(options: TrainingOptions) -> tuple[dict[str, Any], nn.Module]:
    """Return the network that a training starts from, and its description."""
    if options.initial is not None:
        initial = load_model(Path(options.initial), architecture=options.architecture)
        return initial.architecture, initial.network
    architecture = parse_architecture(options.architecture or DEFAULT_ARCHITECTURE)
    return architecture, build_network(architecture, allowed=options.architecture)
