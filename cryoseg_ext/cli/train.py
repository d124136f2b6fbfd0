"""``cryoseg train``: a model from a user's own micrographs, or from simulated ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cryoseg_ext.cli.common_options import POSITIVE, device_option, pixel_size_option, workers_option
from cryoseg_ext.cli.config import config_option
from cryoseg_ext.errors import CryosegError

if TYPE_CHECKING:
    from cryoseg_ext.training import Epoch, Watch
    from cryoseg_ext.training.micrographs import LabelledMicrograph


@click.command()
@config_option
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder for the model, the log, the report and checkpoints.",
)
@click.option(
    "--in_mics",
    multiple=True,
    metavar="STAR|FOLDER|PATTERN",
    help="Micrographs: a STAR file, CryoSPARC's exposures (.csg), a folder or '*.mrc'. Repeatable.",
)
@click.option(
    "--in_coords",
    type=click.Path(path_type=Path),
    help="Picks to learn from: STAR, .cs, .csg, CSV, or a folder of such files.",
)
@click.option(
    "--in_labels",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Masks to learn from, in place of picks: labels.star of `cryoseg labels`.",
)
@click.option(
    "--particle_diameter",
    type=POSITIVE,
    metavar="Å",
    help="Longest extent of the particle; needed with --in_mics.",
)
@pixel_size_option
@click.option("--invert", is_flag=True, help="Protein is bright on --in_mics: invert them, here and to pick.")
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
    help="residual_unet[:WIDTH] (default), unetpp, attention_unet, flexible_unet:b0 ... b5, segresnet, "
    "deeplabv3, fcn, or your own class as package.module:Class.",
)
@click.option(
    "--loss",
    metavar="NAME",
    help="dice_ce (default), cross_entropy, dice, focal, jaccard, lovasz, tversky, or a sum such as "
    "dice:0.5+focal:1.",
)
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    help="Most steps; default: 600, from scratch 1500, simulated 7000.",
)
@click.option("--batch", type=click.IntRange(min=1), help="Fields per step; default: 6.")
@click.option(
    "--field_shown",
    type=click.IntRange(min=1),
    help="Steps in which a field is shown, turned and mirrored anew: more where a GPU learns faster than the "
    "workers simulate; default: 1.",
)
@click.option("--learning_rate", type=float, help="Peak; default: 2e-3.")
@click.option(
    "--simulated_share",
    type=click.FloatRange(0, 1, max_open=True),
    metavar="SHARE",
    help="With --in_mics: simulated fields in a batch, which keep the network from forgetting what else "
    "there is; default: 0.17, from scratch 0.34. With 0 masks are learnt faster and finer.",
)
@click.option(
    "--blend_share",
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="Simulation only: how far to go from --initial to the trained weights; default: 1.",
)
@click.option("--seed", default=1, show_default=True, help="Of all that is drawn.")
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
def train(
    out: Path,
    in_mics: tuple[str, ...],
    in_coords: Path | None,
    in_labels: Path | None,
    particle_diameter: float | None,
    pixel_size: float | None,
    invert: bool,
    complete: bool,
    from_scratch: bool,
    structures: str | None,
    leave_out: tuple[str, ...],
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
    from cryoseg_ext.network.architectures import is_own
    from cryoseg_ext.processes import use_threads
    from cryoseg_ext.training import TrainingOptions, fine_tune, fine_tuning_options
    from cryoseg_ext.training import train as train_on_simulation

    check_device(device)
    if threads:
        use_threads(threads)
    given = {name: value for name, value in recipe.items() if value is not None}
    for name, value in (("structures", structures), ("blend_share", given.get("blend_share"))):
        if in_mics and value is not None:
            raise CryosegError(
                f"--{name} is for training on simulated micrographs: leave it out with --in_mics"
            )
    if in_mics:
        options = fine_tuning_options(from_scratch=from_scratch, complete=complete, **given)
        micrographs = read_inputs(in_mics, in_coords, in_labels, particle_diameter, pixel_size, invert=invert)
        with progress_bar(options.steps) as watch:
            model = fine_tune(micrographs, options, out, device=device, workers=workers, watch=watch)
        click.echo(f"Learning curves, precision and recall, and overlays: {out / 'report.pdf'}")
    elif "simulated_share" in given:
        raise CryosegError("--simulated_share is for --in_mics: without, all fields are simulated")
    elif in_coords or in_labels:
        raise CryosegError("--in_mics is missing: give the micrographs that the labels are of")
    else:
        simulation = TrainingOptions(**given, structures=structures, leave_out=leave_out)
        with progress_bar(simulation.steps) as watch:
            model = train_on_simulation(simulation, out, device=device, workers=workers, watch=watch)
    own = f" --architecture {recipe['architecture']}" if is_own(recipe["architecture"]) else ""
    click.echo(f"Use it with --model {model}{own}")


def read_inputs(
    in_mics: Sequence[str],
    in_coords: Path | None,
    in_labels: Path | None,
    particle_diameter_A: float | None,
    pixel_size_A: float | None,
    *,
    invert: bool = False,
) -> list[LabelledMicrograph]:
    """Return the micrographs and labels that the options name.

    Raises
    ------
    CryosegError
        If an option is missing or what it names cannot be used.
    """
    from cryoseg_ext.training.inputs import find_masks, find_picks, find_tasks
    from cryoseg_ext.training.micrographs import read_labelled

    if particle_diameter_A is None:
        raise CryosegError("--particle_diameter is missing: give the longest extent of the particle in Å")
    if (in_coords is None) == (in_labels is None):
        raise CryosegError(
            "give the labels of the micrographs: either picks, --in_coords, or masks, --in_labels"
        )
    tasks = find_tasks(in_mics, pixel_size_A)
    labels = find_picks(in_coords, tasks) if in_coords else find_masks(Path(in_labels or ""), tasks)
    return read_labelled(
        tasks,
        labels,
        particle_diameter_A,
        lambda text: click.echo(f"Skipped: {text}", err=True),
        invert=invert,
    )


def check_device(device: str) -> None:
    """Check that PyTorch knows a device.

    Raises
    ------
    CryosegError
        If not.
    """
    import torch

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise CryosegError(
            f"--device {device}: PyTorch finds no such device here: give cpu or another"
        ) from error


@contextmanager
def progress_bar(steps: int) -> Iterator[Watch]:
    """Yield what draws a bar with the loss and writes a line of validation scores after each epoch."""
    import tqdm

    from cryoseg_ext.training import Watch

    with tqdm.tqdm(total=steps, desc="training", unit="step", smoothing=0.05) as bar:

        def step(number: int, loss: float) -> None:
            bar.update(number - bar.n)
            bar.set_postfix(loss=f"{loss:.3f}")

        def epoch(done: Epoch) -> None:
            if done.average_precision is not None:
                bar.write(str(done))

        yield Watch(step, epoch, bar.write)
