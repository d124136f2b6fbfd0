"""Fine-tuning on a user's own micrographs: the table of contents."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import replace_text
from cryoseg_ext.model.checkpoint import Model, load_model, save_model
from cryoseg_ext.model.inference import with_ranges
from cryoseg_ext.network.architectures import build_network, parse_architecture
from cryoseg_ext.options.training import MODEL_FILE, FineTuningOptions
from cryoseg_ext.progress import tracked
from cryoseg_ext.training.blend import blend
from cryoseg_ext.training.crops import MixedFields
from cryoseg_ext.training.distributed import process_group
from cryoseg_ext.training.history import Callbacks
from cryoseg_ext.training.loop import TrainingRun, Validation, optimise
from cryoseg_ext.training.micrographs import LabelledMicrograph, fingerprint
from cryoseg_ext.training.options import check_options
from cryoseg_ext.training.recalibrate import recalibrate
from cryoseg_ext.training.report import write_training_report
from cryoseg_ext.training.simulated import N_RANGE_FIELDS
from cryoseg_ext.training.targets import TrainingExample, make_examples, predict
from cryoseg_ext.training.validate import score_candidates, score_pixels

SPLIT = "split.csv"


def fine_tune(
    micrographs: Sequence[LabelledMicrograph],
    options: FineTuningOptions,
    out: Path,
    *,
    device: str = "cpu",
    workers: int = 1,
    callbacks: Callbacks = Callbacks(),  # noqa: B008 - frozen
) -> Path:
    """Train on labelled micrographs and return the path of the calibrated model.

    A checkpoint in `out` is continued. Beside the model, ``split.csv`` lists which micrographs were trained
    on, ``training.csv`` is the log, and ``report.pdf`` shows learning curves, precision and recall, and
    overlays.

    Parameters
    ----------
    micrographs : Sequence[LabelledMicrograph]
        At least two.
    options : FineTuningOptions
        The recipe.
    out : Path
        Folder to write to; made if needed.
    device : str
        Torch device.
    workers : int
        Processes that prepare fields beside the optimiser.
    callbacks : Callbacks
        Called as the training goes on.

    Raises
    ------
    CryosegError
        If there is no such architecture or loss, the checkpoint in `out` is of another recipe or other data,
        or a model does not fit the options.
    """
    check_options(options)
    with process_group(device) as processes:
        torch.manual_seed(options.seed)
        initial = Path(options.initial) if options.initial else None
        teacher = load_model(initial, processes.device, options.architecture)
        model = _first_model(teacher, options)
        examples = make_examples(micrographs, teacher, complete=options.complete)
        training, held_out = split(examples, options)
        if processes.is_main:
            write_split(out / SPLIT, training, held_out)
        validation = Validation(partial(_scores, model, held_out), _metrics(micrographs))
        run = TrainingRun(out, fingerprint(micrographs), processes, workers, callbacks)
        fields = MixedFields(training, options, options.steps * options.batch * processes.size)
        history = optimise(model.network, fields, options, run, validation)
        if processes.is_main:
            training_record = asdict(options) | {
                "data": f"{len(training)} micrographs, validated on {len(held_out)}",
                "data_fingerprint": run.data,
                "initial_fingerprint": teacher.fingerprint,
            }
            if not options.from_scratch:
                n_particles = sum(len(example.micrograph.xy_px) for example in held_out)
                first = teacher.network.state_dict()
                training_record["blend"] = blend(model.network, first, validation, n_particles)
            model = _calibrated(replace(model, training=training_record), training, held_out)
            save_model(model, out / MODEL_FILE)
            write_training_report(out / "report.pdf", model, held_out, history, callbacks.page)
        return out / MODEL_FILE


def split(
    examples: Sequence[TrainingExample], options: FineTuningOptions
) -> tuple[list[TrainingExample], list[TrainingExample]]:
    """Return the micrographs to train on and those to validate with, at least one each, drawn by the seed."""
    n_validation = min(max(round(options.validation_share * len(examples)), 1), len(examples) - 1)
    drawn = set(np.random.default_rng(options.seed).permutation(len(examples))[:n_validation].tolist())
    training = [example for index, example in enumerate(examples) if index not in drawn]
    return training, [examples[index] for index in sorted(drawn)]


def write_split(
    path: Path, training: Sequence[TrainingExample], validation: Sequence[TrainingExample]
) -> None:
    """Write which micrographs are trained on, and how complete their picks seem to be.

    Parameters
    ----------
    path : Path
        Path of the CSV file to write.
    training, validation : Sequence[TrainingExample]
        The micrographs of the two sets.
    """
    rows = [
        f'"{example.micrograph.name}",{part},{len(example.micrograph.xy_px)},{example.share_labelled:.3f},'
        f"{example.possible.sum()}\n"
        for part, examples in (("training", training), ("validation", validation))
        for example in examples
    ]
    replace_text(path, "micrograph,set,picks,estimated_completeness,places_not_known\n" + "".join(rows))


def _first_model(teacher: Model, options: FineTuningOptions) -> Model:
    """Return the model that the training starts from, with the calibration and the CRF of the teacher."""
    architecture = teacher.architecture
    if options.from_scratch:
        if options.architecture:
            architecture = parse_architecture(options.architecture)
        network = build_network(architecture, allowed=options.architecture)
    elif options.architecture and parse_architecture(options.architecture) != architecture:
        raise CryosegError(
            f"--architecture {options.architecture}: the model to start from is another network "
            f"({architecture}): give --from_scratch, or --initial with a model of this architecture"
        )
    else:
        network = deepcopy(teacher.network)
    network = network.to(teacher.device)
    return replace(
        teacher,
        network=network,
        architecture=architecture,
        training={},
        fingerprint="",
        ranges=None,
        precision="float32",
    )


def _metrics(micrographs: Sequence[LabelledMicrograph]) -> tuple[str, ...]:
    # Masks are given for their outlines; with picks alone the outlines are the teacher's.
    has_masks = all(micrograph.classes is not None for micrograph in micrographs)
    return ("average_precision", "pixel_iou") if has_masks else ("average_precision",)


def _scores(model: Model, examples: Sequence[TrainingExample], network: nn.Module) -> dict[str, float]:
    """Return the scores of a network in place of that of `model`."""
    scored = replace(model, network=network)
    predictions = [
        predict(example.micrograph.working, scored)
        for example in tracked(examples, "Scoring the validation micrographs")
    ]
    picks = score_candidates(examples, predictions)
    return {
        "pixel_iou": score_pixels(examples, predictions),
        "average_precision": picks.average_precision,
        "best_f1": picks.best_f1,
    }


def _calibrated(
    model: Model, training: Sequence[TrainingExample], validation: Sequence[TrainingExample]
) -> Model:
    predicted = [
        (example, predict(example.micrograph.working, model))
        for example in tracked([*training, *validation], "Calibrating the score")
    ]
    trained, held_out = predicted[: len(training)], predicted[len(training) :]
    calibration, threshold = recalibrate(trained, held_out, model.calibration, model.threshold)
    shown = [example.micrograph.working.image for example in [*training, *validation][:N_RANGE_FIELDS]]
    return with_ranges(replace(model, calibration=calibration, threshold=threshold), shown)
