"""``cryoseg train``: a model from a user's own micrographs, or from simulated ones."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cryoseg_ext.cli.common_options import device_option, workers_option
from cryoseg_ext.cli.config import config_option
from cryoseg_ext.cli.own_micrographs import own_micrographs
from cryoseg_ext.cli.progress import training_on_terminal
from cryoseg_ext.cli.stopping import stoppable
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.options.kinds import ABOVE_ZERO, FRACTION, Number
from cryoseg_ext.options.training import (
    ARCHITECTURE_NAMES,
    FROM_SCRATCH,
    LOSS_NAMES,
    FineTuningOptions,
    TrainingOptions,
)

if TYPE_CHECKING:
    from cryoseg_ext.training.micrographs import LabelledMicrograph


_ONLY_SIMULATED = ("structures", "leave_out", "blend_share")
_ONLY_OWN = ("complete", "from_scratch", "simulated_share")


@click.command()
@config_option
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder for the model, the log, the report and checkpoints.",
)
@own_micrographs
@click.option(
    "--complete",
    is_flag=True,
    help="The picks are complete: everything else is background. Default: what looks like a particle that "
    "nobody picked counts as one with its probability.",
)
@click.option("--from_scratch", is_flag=True, help="Start from random weights, not from a model.")
@click.option(
    "--initial",
    type=click.Path(dir_okay=False, path_type=str),
    help="Model to start from; default: the one in the package, or none without --in_mics.",
)
@click.option(
    "--architecture",
    metavar="NAME[:VARIANT]",
    help=f"{', '.join(ARCHITECTURE_NAMES)}, with a variant such as residual_unet:32 (width) or "
    "flexible_unet:b2, or your own class as package.module:Class; default: that of the model to start from, "
    f"from scratch {FROM_SCRATCH.architecture}, simulated {ARCHITECTURE_NAMES[0]}.",
)
@click.option(
    "--loss",
    metavar="NAME",
    help=f"{', '.join(LOSS_NAMES)}, or a sum such as dice:0.5+focal:1; default: {LOSS_NAMES[0]}.",
)
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    help=f"Most steps; default: {FineTuningOptions.steps}, from scratch {FROM_SCRATCH.steps}, simulated "
    f"{TrainingOptions.steps}.",
)
@click.option(
    "--batch", type=click.IntRange(min=1), help=f"Fields per step; default: {TrainingOptions.batch}."
)
@click.option(
    "--field_shown",
    type=click.IntRange(min=1),
    help="Steps in which a field is shown, turned and mirrored anew: more where a GPU learns faster than the "
    f"workers simulate; default: {TrainingOptions.field_shown}.",
)
@click.option(
    "--learning_rate",
    type=ABOVE_ZERO,
    help=f"Peak learning rate; default: {TrainingOptions.learning_rate:g}.",
)
@click.option(
    "--simulated_share",
    type=Number("SHARE", "0 or more and below 1", high=0.999),
    metavar="SHARE",
    help="With --in_mics: simulated fields in a batch, which keep the ability on other specimens; default: "
    f"{FineTuningOptions.simulated_share:g}, from scratch {FROM_SCRATCH.simulated_share:g}. With 0 masks are "
    "learnt faster and finer.",
)
@click.option(
    "--blend_share",
    type=FRACTION,
    metavar="SHARE",
    help="Simulation only: how far to go from --initial to the trained weights; default: "
    f"{TrainingOptions.blend_share:g}.",
)
@click.option("--seed", default=TrainingOptions.seed, help="Random seed.")
@click.option(
    "--structures",
    type=click.Path(file_okay=False, exists=True, path_type=str),
    help="Simulation only: folder of atomic models and maps to draw specimens from as well.",
)
@click.option(
    "--leave_out", multiple=True, metavar="NAME", help="Structure to leave out, for tests; repeatable."
)
@device_option
@click.option("--j", "threads", type=click.IntRange(min=1), help="Processor threads; default: all.")
@workers_option
@stoppable
def train(
    out: Path,
    read_own: Callable[[], list[LabelledMicrograph]] | None,
    device: str,
    threads: int | None,
    workers: int,
    **recipe: Any,
) -> None:
    """Train a model: on your own micrographs and picks, or, without --in_mics, on simulated micrographs.

    Writes model.safetensors, to be used with --model; with your own micrographs also report.pdf (learning
    curves, precision and recall, overlays), training.csv and split.csv (which micrographs were trained on).
    Run the same command again after an interruption: it goes on from the last epoch. On several GPUs:
    torchrun --nproc_per_node=4 --no-python cryoseg train --device cuda ...
    """
    from cryoseg_ext.files import locked
    from cryoseg_ext.job.device import check_device
    from cryoseg_ext.network.architectures import build_network, is_own, parse_architecture
    from cryoseg_ext.processes import use_threads
    from cryoseg_ext.training.distributed import is_main_process

    check_device(device)
    if recipe["architecture"]:
        # What it lacks is said before the data are read.
        build_network(parse_architecture(recipe["architecture"]), allowed=recipe["architecture"])
    if threads:
        use_threads(threads)
    # Not `in`: a share of 0 is equal to False.
    given = {
        name: value for name, value in recipe.items() if not (value is None or value is False or value == ())
    }
    for name in _ONLY_SIMULATED if read_own else _ONLY_OWN:
        if name in given:
            raise CryosegError(
                f"--{name} is for training on simulated micrographs: leave it out with --in_mics"
                if read_own
                else f"--{name} is for your own micrographs: give --in_mics, or leave it out"
            )
    # Before the data are read, as a folder that cannot be written shows then.
    with locked(out) if is_main_process() else nullcontext():
        model = _train(out, given, read_own, device=device, workers=workers)
    own = f" --architecture {recipe['architecture']}" if is_own(recipe["architecture"]) else ""
    click.echo(f"Use it with --model {model}{own}")


def _train(
    out: Path,
    recipe: dict[str, Any],
    read_own: Callable[[], list[LabelledMicrograph]] | None,
    **machine: Any,
) -> Path:
    """Train by the recipe that was given, and return the path of the model."""
    from cryoseg_ext import training

    with training_on_terminal() as callbacks:
        if read_own is None:
            return training.train(TrainingOptions(**recipe), out, callbacks=callbacks, **machine)
        options = training.fine_tuning_options(**recipe)
        model = training.fine_tune(read_own(), options, out, callbacks=callbacks, **machine)
    click.echo(f"Learning curves, precision and recall, and overlays: {out / 'report.pdf'}")
    return model
