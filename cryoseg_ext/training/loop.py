"""The training loop: resumable, on CPU or GPU."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Subset

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import replacing
from cryoseg_ext.network.checkpoint import Model, build_network, load_model, save_model
from cryoseg_ext.training.calibrate import calibrate
from cryoseg_ext.training.dataset import SimulatedFields
from cryoseg_ext.training.losses import segmentation_loss

EMA_DECAY = 0.998
WARM_UP_STEPS = 200


@dataclass(frozen=True)
class TrainingOptions:
    """Everything that decides the trained model.

    Parameters
    ----------
    steps, batch, field_px : int
        Optimiser steps, fields per step, and their width in working pixels.
    base : int
        Width of the network.
    learning_rate : float
        Peak of a warm-up and cosine schedule, for AdamW.
    seed : int
        Of the simulated fields and the first weights.
    initial : str or None
        Model file whose architecture and weights the training starts from, `base` then being its own.
    checkpoint_every : int
        Steps between checkpoints; a restart loses at most this many.
    """

    steps: int = 7000
    batch: int = 6
    field_px: int = 256
    base: int = 24
    learning_rate: float = 2e-3
    seed: int = 1
    initial: str | None = None
    checkpoint_every: int = 250


def train(
    options: TrainingOptions,
    out: Path,
    *,
    device: str = "cpu",
    workers: int = 1,
    report: Callable[[int, float], None] | None = None,
) -> Path:
    """Train on simulated fields and return the path of the calibrated model.

    A checkpoint in `out` is continued; the loss goes to ``training.csv``.

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
    report : callable, optional
        Called with the step and its loss.

    Raises
    ------
    CryosegError
        If the checkpoint in `out` is of another recipe or cannot be read, or `options.initial` is no model.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    architecture, network = _first_network(options)
    network = network.to(device)
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(EMA_DECAY), use_buffers=True)
    optimiser = torch.optim.AdamW(network.parameters(), lr=options.learning_rate, weight_decay=1e-4)
    schedule = _schedule(optimiser, options.steps)
    state = {"network": network, "average": average, "optimiser": optimiser, "schedule": schedule}
    checkpoint = out / "checkpoint.pt"
    start = _restore(checkpoint, options, state, device)

    fields = SimulatedFields(options.steps * options.batch, options.field_px, options.seed)
    remaining = Subset(fields, range(start * options.batch, len(fields)))
    loader = DataLoader(remaining, batch_size=options.batch, num_workers=workers)
    network.train()
    for step, batch in enumerate(loader, start=start + 1):
        loss = _step(network, optimiser, batch, device)
        schedule.step()
        average.update_parameters(network)
        if report is not None:
            report(step, loss)
        with (out / "training.csv").open("a", newline="") as log:
            csv.writer(log).writerow([step, f"{loss:.5f}"])
        if step % options.checkpoint_every == 0 or step == options.steps:
            _save(checkpoint, step, options, state)

    averaged = average.module.eval()
    calibration, threshold = calibrate(averaged, architecture, device, options.field_px, options.seed + 1)
    description = {**asdict(options), "data": "simulated micrographs, procedural specimens only"}
    model = Model(averaged, architecture, calibration, threshold, description, device)
    path = out / "model.safetensors"
    save_model(model, path)
    return path


def _first_network(options: TrainingOptions) -> tuple[dict[str, Any], nn.Module]:
    if options.initial is not None:
        initial = load_model(Path(options.initial))
        return initial.architecture, initial.network
    architecture = {"name": "residual_unet", "base": options.base}
    return architecture, build_network(architecture)


def _schedule(optimiser: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
    warm_up_steps = min(WARM_UP_STEPS, max(steps // 10, 1))
    warm_up = torch.optim.lr_scheduler.LinearLR(optimiser, 0.05, total_iters=warm_up_steps)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps - warm_up_steps, 1))
    return torch.optim.lr_scheduler.SequentialLR(optimiser, [warm_up, cosine], milestones=[warm_up_steps])


def _step(
    network: nn.Module, optimiser: torch.optim.Optimizer, batch: tuple[Tensor, ...], device: str
) -> float:
    image, labels, centres = (tensor.to(device) for tensor in batch)
    # bfloat16 convolutions are twice as fast here, on CPUs with AVX-512 too; the loss stays in float32.
    with torch.autocast(torch.device(device).type, torch.bfloat16):
        classes, centre = network(image.to(memory_format=torch.channels_last))
    loss = segmentation_loss(classes.float(), centre.float(), labels, centres)
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
    return float(loss.detach())


def _save(path: Path, step: int, options: TrainingOptions, state: dict[str, Any]) -> None:
    parts = {name: part.state_dict() for name, part in state.items()}
    with replacing(path) as temporary:
        torch.save({"step": step, "options": asdict(options)} | parts, temporary)


def _restore(path: Path, options: TrainingOptions, state: dict[str, Any], device: str) -> int:
    """Load a checkpoint into `state` and return its step; 0 when there is none."""
    if not path.is_file():
        return 0
    try:
        saved = torch.load(path, map_location=device, weights_only=True)
    except (OSError, EOFError, RuntimeError, UnpicklingError) as error:
        raise CryosegError(
            f"{path}: the checkpoint cannot be read: remove it, or give another --out"
        ) from error
    if saved["options"] != asdict(options):
        raise CryosegError(f"{path}: a checkpoint of other settings: give those again, or another --out")
    for name, part in state.items():
        part.load_state_dict(saved[name])
    return int(saved["step"])
