"""``cryoseg train``: a model from simulated micrographs."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder for the model and checkpoints."
)
@click.option("--steps", default=7000, show_default=True, help="Optimiser steps.")
@click.option("--batch", default=6, show_default=True, help="Simulated fields per step.")
@click.option("--base", default=24, show_default=True, help="Width of the network.")
@click.option("--seed", default=1, show_default=True, help="Seed of the simulation and the first weights.")
@click.option(
    "--initial", type=click.Path(dir_okay=False, path_type=str), help="Model to start from; default: none."
)
@click.option("--learning_rate", default=2e-3, show_default=True, help="Peak learning rate.")
@click.option("--device", default="cpu", show_default=True, help="Torch device: cpu, cuda, cuda:1 ...")
@click.option("--workers", default=1, show_default=True, help="Processes that simulate beside the training.")
def train(
    out: Path,
    steps: int,
    batch: int,
    base: int,
    seed: int,
    initial: str | None,
    learning_rate: float,
    device: str,
    workers: int,
) -> None:
    """Train a model on micrographs simulated on the fly.

    Run the same command again after an interruption: it goes on from the last checkpoint.
    """
    import torch
    import tqdm

    from cryoseg_ext.errors import CryosegError
    from cryoseg_ext.training import TrainingOptions
    from cryoseg_ext.training import train as run

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise CryosegError(
            f"--device {device}: PyTorch finds no such device here: give cpu or another"
        ) from error
    options = TrainingOptions(
        steps=steps, batch=batch, base=base, seed=seed, initial=initial, learning_rate=learning_rate
    )
    with tqdm.tqdm(total=steps, desc="training", unit="step", smoothing=0.05) as bar:

        def report(step: int, loss: float) -> None:
            bar.update(step - bar.n)
            bar.set_postfix(loss=f"{loss:.3f}")

        model = run(options, out, device=device, workers=workers, report=report)
    click.echo(f"Use it with --model {model}")
