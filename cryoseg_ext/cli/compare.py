"""``cryoseg compare``: architectures, losses and the CRF on the same data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cryoseg_ext.cli.common_options import (
    POSITIVE,
    device_option,
    invert_option,
    out_option,
    pixel_size_option,
    workers_option,
)

if TYPE_CHECKING:
    from cryoseg_ext.training.compare import Row, Trainer
    from cryoseg_ext.training.micrographs import LabelledMicrograph
    from cryoseg_ext.training.targets import Lesson


@click.command()
@out_option
@click.option(
    "--architectures",
    default="residual_unet,unetpp,attention_unet,flexible_unet,segresnet,deeplabv3,fcn",
    show_default=True,
    metavar="NAME,NAME...",
    help="As --architecture of `cryoseg train`, with commas.",
)
@click.option(
    "--losses",
    default="dice_ce",
    show_default=True,
    metavar="NAME,NAME...",
    help="As --loss of `cryoseg train`, with commas.",
)
@click.option(
    "--in_mics",
    multiple=True,
    metavar="STAR|FOLDER|PATTERN",
    help="Your own micrographs; without them all are trained and scored on simulated fields.",
)
@click.option("--in_coords", type=click.Path(path_type=Path), help="Picks on them, best complete ones.")
@click.option("--in_labels", type=click.Path(dir_okay=False, path_type=Path), help="Or masks: labels.star.")
@click.option("--particle_diameter", type=POSITIVE, metavar="Å")
@pixel_size_option
@invert_option
@click.option(
    "--steps", type=click.IntRange(min=1), default=3000, show_default=True, help="Of each training."
)
@click.option("--seed", default=1, show_default=True, help="Of all that is drawn.")
@device_option
@workers_option
def compare(
    out: Path,
    architectures: str,
    losses: str,
    in_mics: tuple[str, ...],
    in_coords: Path | None,
    in_labels: Path | None,
    particle_diameter: float | None,
    pixel_size: float | None,
    invert: bool,
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
    from cryoseg_ext.cli.train import check_device
    from cryoseg_ext.network.architectures import parse_architecture
    from cryoseg_ext.training.compare import compare as run
    from cryoseg_ext.training.compare import write_table
    from cryoseg_ext.training.losses import parse_loss

    check_device(device)
    networks, names = architectures.split(","), losses.split(",")
    for architecture in networks:
        parse_architecture(architecture)
    for loss in names:
        parse_loss(loss)
    if in_mics:
        from cryoseg_ext.cli.train import read_inputs

        micrographs = read_inputs(in_mics, in_coords, in_labels, particle_diameter, pixel_size, invert=invert)
        trial = on_micrographs(micrographs, steps, seed, device, workers)
    else:
        trial = on_simulation(steps, seed, device, workers)
    rows: list[dict[str, str | float]] = []
    for row in run(networks, names, trial.lessons, trial.train, out, trial.settings):
        if not rows:
            click.echo(_HEAD)
        rows.append(row)
        click.echo(_line(row))
        write_table(out / "comparison.csv", rows)
    click.echo(f"All numbers: {out / 'comparison.csv'}")


@dataclass(frozen=True)
class Trial:
    """What is trained on and scored: see `cryoseg_ext.training.compare.compare`."""

    lessons: Sequence[Lesson]
    train: Trainer
    settings: dict[str, object]


def on_micrographs(
    micrographs: Sequence[LabelledMicrograph], steps: int, seed: int, device: str, workers: int
) -> Trial:
    """Return the trial on a user's own micrographs."""
    from cryoseg_ext.cli.train import progress_bar
    from cryoseg_ext.model.checkpoint import load_model
    from cryoseg_ext.training import fine_tune, fine_tuning_options
    from cryoseg_ext.training.fine_tune import split
    from cryoseg_ext.training.micrographs import fingerprint
    from cryoseg_ext.training.targets import prepare

    options = fine_tuning_options(from_scratch=True, steps=steps, seed=seed)
    _, validation = split(prepare(micrographs, load_model()), options)

    def train(architecture: str, loss: str, folder: Path) -> Path:
        chosen = replace(options, architecture=architecture, loss=loss)
        with progress_bar(steps) as watch:
            return fine_tune(micrographs, chosen, folder, device=device, workers=workers, watch=watch)

    return Trial(validation, train, asdict(options) | {"data": fingerprint(micrographs)})


def on_simulation(steps: int, seed: int, device: str, workers: int) -> Trial:
    """Return the trial on simulated fields."""
    from cryoseg_ext.cli.train import progress_bar
    from cryoseg_ext.training import TrainingOptions
    from cryoseg_ext.training import train as train_on_simulation
    from cryoseg_ext.training.compare import simulated_lessons

    options = TrainingOptions(steps=steps, seed=seed)

    def train(architecture: str, loss: str, folder: Path) -> Path:
        chosen = replace(options, architecture=architecture, loss=loss)
        with progress_bar(steps) as watch:
            return train_on_simulation(chosen, folder, device=device, workers=workers, watch=watch)

    return Trial(simulated_lessons(options.field_px, seed), train, asdict(options) | {"data": "simulated"})


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
