"""Fine-tuning on a user's own micrographs: the table of contents."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import replace_text
from cryoseg_ext.model.checkpoint import Model, load_model, save_model
from cryoseg_ext.network.architectures import build_network, parse_architecture
from cryoseg_ext.training.blend import blend
from cryoseg_ext.training.crops import MixedFields
from cryoseg_ext.training.distributed import team
from cryoseg_ext.training.history import Epoch, Watch
from cryoseg_ext.training.loop import optimise
from cryoseg_ext.training.micrographs import LabelledMicrograph, fingerprint
from cryoseg_ext.training.options import TrainingOptions
from cryoseg_ext.training.recalibrate import recalibrate
from cryoseg_ext.training.targets import Lesson, ask, prepare
from cryoseg_ext.training.validate import score_candidates, score_pixels

MODEL, SPLIT = "model.safetensors", "split.csv"


@dataclass(frozen=True)
class FineTuningOptions(TrainingOptions):
    """The recipe for a user's own micrographs; `initial` is the default model when not given.

    Parameters
    ----------
    from_scratch : bool
        Start from random weights; `initial` then only helps to make the labels.
    simulated_share : float
        Share of each batch that is simulated fields, rounded down.
    validation_share : float
        Share of the micrographs that is kept for validation, at least one.
    complete : bool
        Whether everything without a pick is background.

    Notes
    -----
    The learning rate, the steps and the share of simulated fields were chosen on two of the first five
    micrographs of EMPIAR-10017 (15_30_21, 15_36_26) after training on the other three. With an
    earlier default model, 400 steps at 4e-4 with a share of 0.34 of simulated fields brought the average
    precision from .845 to .876, 200 at 1e-3 with 0.17 to .879. Later, 600 steps at 1e-3 brought it from .853
    to .901, at 2e-3 it was .905 after 500 steps, .908 after 1250 and .906 after 1500. The steps are so many
    that 2 slow cores are done in 20 minutes.

    With four of the first five micrographs to train on and the fifth to score, in turn (not 15_07_41,
    half of whose particles have no pick), this recipe came to a best F1 of .884 to .887 and an average
    precision of .908 to .915, by the seed; without simulated fields to .886 and .918, with
    `keep_statistics` off to .890 and .916, told a diameter of 152 Å to .887 and .919, with `complete` to
    .882 and .911, and the mean of three networks to .886 and .913.
    """

    steps: int = 600
    steps_per_epoch: int = 50
    learning_rate: float = 2e-3
    average_decay: float = 0.995
    patience: int = 8
    keep_statistics: bool = True
    from_scratch: bool = False
    simulated_share: float = 0.17
    validation_share: float = 0.2
    complete: bool = False


_FROM_SCRATCH: dict[str, Any] = {
    # Half as wide as the default model: from nothing there is more to learn, in a time that a laptop has.
    "architecture": "residual_unet:16",
    "steps": 1500,
    "simulated_share": 0.34,
    "average_decay": 0.998,
    "patience": 20,
    "keep_statistics": False,
}


def fine_tuning_options(*, from_scratch: bool = False, **given: Any) -> FineTuningOptions:
    """Return the recipe with what is `given`, and defaults that suit a start from scratch or from a model."""
    defaults = _FROM_SCRATCH if from_scratch else {}
    return FineTuningOptions(**defaults | {"from_scratch": from_scratch} | given)


def fine_tune(
    micrographs: Sequence[LabelledMicrograph],
    options: FineTuningOptions,
    out: Path,
    *,
    device: str = "cpu",
    workers: int = 1,
    watch: Watch = Watch(),  # noqa: B008 - frozen
) -> Path:
    """Train on labelled micrographs and return the path of the calibrated model.

    A checkpoint in `out` is continued. Beside the model, ``split.csv`` says which micrographs were trained
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
    watch : Watch
        Told of the progress.

    Raises
    ------
    CryosegError
        If the checkpoint in `out` is of another recipe or other data, or a model does not fit the options.
    """
    with team(device) as processes:
        torch.manual_seed(options.seed)
        initial = Path(options.initial) if options.initial else None
        teacher = load_model(initial, processes.device, options.architecture)
        architecture, network = _first_network(options, teacher)
        watch.say("looking at the micrographs with the model to start from")
        lessons = prepare(micrographs, teacher, complete=options.complete)
        training, validation = split(lessons, options)
        # Masks are given for their outlines; with picks alone the outlines are the teacher's.
        has_masks = all(one.classes is not None for one in micrographs)
        judged_by = ("average_precision", "pixel_iou") if has_masks else ("average_precision",)
        if processes.leads:
            write_split(out / SPLIT, training, validation)
        network = network.to(processes.device)
        fields = MixedFields(
            training,
            n=options.steps * options.batch * processes.size,
            batch=options.batch,
            n_simulated=int(options.simulated_share * options.batch),
            field_px=options.field_px,
            seed=options.seed,
        )

        def score(averaged: nn.Module) -> dict[str, float]:
            model = Model(
                averaged,
                architecture,
                teacher.calibration,
                teacher.threshold,
                device=processes.device,
                crf=teacher.crf,
            )
            opinions = [ask(lesson.micrograph.working, model) for lesson in validation]
            picks = score_candidates(validation, opinions)
            return {
                "pixel_iou": score_pixels(validation, opinions),
                "average_precision": picks.average_precision,
                "best_f1": picks.best_f1,
            }

        data = fingerprint(micrographs)
        history = optimise(
            network,
            fields,
            options,
            out,
            processes,
            data=data,
            workers=workers,
            validation=score,
            judged_by=judged_by,
            watch=watch,
        )
        if processes.leads:
            watch.say("choosing between the network before and after, and calibrating the score")
            description: dict[str, Any] = asdict(options) | {
                "data": f"{len(training)} micrographs, validated on {len(validation)}",
                "data_fingerprint": data,
                "initial_fingerprint": teacher.fingerprint,
            }
            if not options.from_scratch:
                n_particles = sum(len(lesson.micrograph.xy_px) for lesson in validation)
                first = teacher.network.state_dict()
                description["blend"] = blend(network, first, score, judged_by, n_particles)
            unscored = Model(
                network,
                architecture,
                teacher.calibration,
                teacher.threshold,
                description,
                processes.device,
                crf=teacher.crf,
            )
            finish(unscored, training, validation, history, out, watch)
        return out / MODEL


def split(lessons: Sequence[Lesson], options: FineTuningOptions) -> tuple[list[Lesson], list[Lesson]]:
    """Return the micrographs to train on and those to validate with, at least one each, drawn by the seed."""
    n_validation = min(max(round(options.validation_share * len(lessons)), 1), len(lessons) - 1)
    drawn = set(np.random.default_rng(options.seed).permutation(len(lessons))[:n_validation].tolist())
    training = [lesson for index, lesson in enumerate(lessons) if index not in drawn]
    return training, [lessons[index] for index in sorted(drawn)]


def write_split(path: Path, training: Sequence[Lesson], validation: Sequence[Lesson]) -> None:
    """Write which micrographs are trained on, and how complete their picks seem to be."""
    rows = [
        f'"{lesson.micrograph.name}",{which},{len(lesson.micrograph.xy_px)},{lesson.share_labelled:.3f},'
        f"{lesson.doubtful.sum()}\n"
        for which, lessons in (("training", training), ("validation", validation))
        for lesson in lessons
    ]
    replace_text(path, "micrograph,set,picks,estimated_completeness,places_not_known\n" + "".join(rows))


def finish(
    unscored: Model,
    training: Sequence[Lesson],
    validation: Sequence[Lesson],
    history: Sequence[Epoch],
    out: Path,
    watch: Watch,
) -> None:
    """Calibrate the trained network, and write the model and the report."""
    from cryoseg_ext.training.report import write_training_report

    trained, held = (
        [ask(one.micrograph.working, unscored) for one in part] for part in (training, validation)
    )
    calibration, threshold = recalibrate(
        list(zip(training, trained, strict=True)),
        list(zip(validation, held, strict=True)),
        unscored.calibration,
        unscored.threshold,
    )
    model = replace(unscored, calibration=calibration, threshold=threshold)
    save_model(model, out / MODEL)
    write_training_report(out / "report.pdf", model, validation, history, watch.page)


def _first_network(options: FineTuningOptions, teacher: Model) -> tuple[dict[str, Any], nn.Module]:
    if options.from_scratch:
        architecture = (
            parse_architecture(options.architecture) if options.architecture else teacher.architecture
        )
        return architecture, build_network(architecture, allowed=options.architecture)
    if options.architecture and parse_architecture(options.architecture) != teacher.architecture:
        raise CryosegError(
            f"--architecture {options.architecture}: the model to start from is another network "
            f"({teacher.architecture}): give --from_scratch, or --initial with a model of this architecture"
        )
    return teacher.architecture, deepcopy(teacher.network)
