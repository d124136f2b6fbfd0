"""``cryoseg compare``: architectures, losses and the CRF on the same data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cryoseg_ext.cli.common_options import device_option, out_option, workers_option
from cryoseg_ext.cli.own_micrographs import own_micrographs
from cryoseg_ext.cli.progress import training_on_terminal
from cryoseg_ext.cli.stopping import stoppable
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.options.training import ARCHITECTURE_NAMES, LOSS_NAMES, TrainingOptions
from cryoseg_ext.progress import write

if TYPE_CHECKING:
    from cryoseg_ext.training.compare import Row
    from cryoseg_ext.training.micrographs import LabelledMicrograph


@click.command()
@out_option
@click.option(
    "--architectures",
    metavar="NAME,NAME...",
    help="As --architecture of `cryoseg train`, with commas; default: all whose packages are installed.",
)
@click.option(
    "--losses",
    default=LOSS_NAMES[0],
    metavar="NAME,NAME...",
    help="As --loss of `cryoseg train`, with commas.",
)
@own_micrographs
@click.option("--steps", type=click.IntRange(min=1), default=3000, help="Steps of each training.")
@click.option("--seed", default=TrainingOptions.seed, help="Random seed.")
@device_option
@workers_option
@stoppable
def compare(
    out: Path,
    architectures: str | None,
    losses: str,
    read_own: Callable[[], list[LabelledMicrograph]] | None,
    steps: int,
    seed: int,
    device: str,
    workers: int,
) -> None:
    """Train every architecture with every loss from random weights on the same data, and score them.

    Prints and writes, in comparison.csv, accuracy, precision, recall, F1 and IoU of the pixels of each class
    and the F1 of the picks, each without and with the CRF, the training time and the number of parameters;
    on your own micrographs of those kept for validation. Run the same command again after an interruption:
    it goes on.
    """
    from cryoseg_ext.files import locked
    from cryoseg_ext.job.device import check_device
    from cryoseg_ext.training import fine_tuning_options
    from cryoseg_ext.training.compare import compare_networks, write_table
    from cryoseg_ext.training.losses import parse_loss
    from cryoseg_ext.training.trials import TrialRun, on_micrographs, on_simulation

    check_device(device)
    names = losses.split(",")
    for loss in names:
        parse_loss(loss)
    networks = _networks(architectures)
    with locked(out), training_on_terminal() as callbacks:
        run = TrialRun(device, workers, callbacks)
        if read_own:
            options = fine_tuning_options(from_scratch=True, steps=steps, seed=seed)
            trial = on_micrographs(read_own(), options, run)
        else:
            trial = on_simulation(TrainingOptions(steps=steps, seed=seed), run)
        rows: list[Row] = []
        for row in compare_networks(networks, names, trial, out):
            if not rows:
                write(_HEAD)
            rows.append(row)
            write(_line(row))
            write_table(out / "comparison.csv", rows)
    click.echo(f"All numbers: {out / 'comparison.csv'}")


def _networks(given: str | None) -> list[str]:
    """Return the architectures, each of which can be built; of the default ones, those that can."""
    names = given.split(",") if given else list(ARCHITECTURE_NAMES)
    problems = {name: error for name in names if (error := _problem_of(name))}
    if given and problems:
        raise next(iter(problems.values()))
    if problems:
        click.echo(f"{', '.join(problems)}: left out: {next(iter(problems.values()))}", err=True)
    return [name for name in names if name not in problems]


def _problem_of(architecture: str) -> CryosegError | None:
    """Return why a network cannot be built."""
    from cryoseg_ext.network.architectures import build_network, parse_architecture

    try:
        build_network(parse_architecture(architecture), allowed=architecture)
    except CryosegError as error:
        return error
    return None


_HEAD = (
    f"{'architecture':20s} {'loss':14s} {'CRF':4s} accuracy  particle: precision recall    F1   IoU  "
    "pick F1    AP      s   parameters"
)


def _line(row: Row) -> str:
    particle = " ".join(f"{row[f'particle_{name}']:{width}.3f}" for name, width in _PARTICLE_COLUMNS)
    return (
        f"{row['architecture']:20s} {row['loss']:14s} {row['crf']:4s} {row['accuracy']:8.3f}  {particle}  "
        f"{row['pick_f1']:7.3f} {row['pick_average_precision']:5.3f} {row['training_seconds']:6.0f} "
        f"{row['parameters']:12,.0f}"
    )


_PARTICLE_COLUMNS = (("precision", 19), ("recall", 6), ("f1", 5), ("iou", 5))
