"""The optimiser's loop over any fields: resumable, on the CPU or one or several GPUs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import Dataset, Subset

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import replacing
from cryoseg_ext.model.backend import computes
from cryoseg_ext.options.training import TrainingOptions
from cryoseg_ext.progress import showing, silent, tell
from cryoseg_ext.training.distributed import ProcessGroup
from cryoseg_ext.training.history import Callbacks, Epoch, write_log
from cryoseg_ext.training.loading import load_batches
from cryoseg_ext.training.losses import ClassLoss, parse_loss, training_loss
from cryoseg_ext.training.replay import shown_again

Fields = Dataset[tuple[Tensor, Tensor, Tensor]]
CHECKPOINT, LOG = "checkpoint.pt", "training.csv"
"""Files in the output folder of a training."""
TRAINING = "Training"
"""What the progress of the steps is shown as."""
WARM_UP_STEPS = 200


@dataclass(frozen=True)
class Validation:
    """How it is decided which of two networks is better.

    Parameters
    ----------
    score : callable
        From a network in evaluation mode to the last three fields of an `Epoch`.
    metrics : sequence of str
        Names of the scores whose sum is higher for the better network.
    """

    score: Callable[[nn.Module], dict[str, float]]
    metrics: Sequence[str] = ("average_precision",)


@dataclass(frozen=True)
class TrainingRun:
    """Where a training runs, and what it reads and writes.

    Parameters
    ----------
    out : Path
        Folder for checkpoint and log.
    data : str
        Fingerprint of the data: a checkpoint of other data is refused.
    processes : ProcessGroup
        The processes that train together.
    workers : int
        Processes that prepare fields beside the optimiser.
    callbacks : Callbacks
        Called as the training goes on.
    """

    out: Path
    data: str
    processes: ProcessGroup
    workers: int = 1
    callbacks: Callbacks = field(default_factory=Callbacks)


@dataclass
class _Progress:
    metrics: Sequence[str]
    history: list[Epoch] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)

    @property
    def totals(self) -> list[float]:
        """The sum of the metrics after each epoch."""
        return [sum(getattr(epoch, name) or 0.0 for name in self.metrics) for epoch in self.history]

    def is_over(self, options: TrainingOptions) -> bool:
        if self.history and self.history[-1].step >= options.steps:
            return True
        return (
            bool(options.patience)
            and len(self.totals) - self.totals.index(max(self.totals)) > options.patience
        )


def optimise(
    network: nn.Module,
    fields: Fields,
    options: TrainingOptions,
    run: TrainingRun,
    validation: Validation | None = None,
) -> list[Epoch]:
    """Train `network` in place, to its weights' moving average: the last or, with a validation, the best.

    A checkpoint in the folder of the run is continued; the log goes to ``training.csv``. Of several processes
    only the main one has the trained network at the end, and writes.

    Parameters
    ----------
    network : nn.Module
        The network, on the device of the run's processes.
    fields : Dataset
        Images, labels and centre maps; at least ``options.steps * options.batch`` for each process.
    options : TrainingOptions
        The recipe.
    run : TrainingRun
        Folder, data and processes.
    validation : Validation, optional
        Scores the averaged network after each epoch.

    Returns
    -------
    list[Epoch]
        The log, of a continued training from its beginning.

    Raises
    ------
    CryosegError
        If the checkpoint is of another recipe or other data; a damaged one counts as absent.
    """
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a third faster on CPUs
    average = AveragedModel(network, multi_avg_fn=moving_average(options.average_decay), use_buffers=True)
    optimiser = torch.optim.AdamW(network.parameters(), lr=options.learning_rate, weight_decay=1e-4)
    schedule = _schedule(optimiser, options.steps)
    state: dict[str, Any] = {
        "network": network,
        "average": average,
        "optimiser": optimiser,
        "schedule": schedule,
    }
    processes = run.processes
    recipe = asdict(options) | {"data": run.data, "processes": processes.size}
    progress = _Progress(validation.metrics if validation else ())
    callbacks = run.callbacks if processes.is_main else Callbacks()
    if saved := _saved(run.out / CHECKPOINT, recipe, processes.device, callbacks.message):
        for name, part in state.items():
            part.load_state_dict(saved[name])
        progress.history = [Epoch(**epoch) for epoch in saved["history"]]
        progress.best = saved["best"]
        if processes.is_main:
            # It may have been killed after the checkpoint and before its log.
            write_log(run.out / LOG, progress.history)

    def end_epoch(epoch: Epoch) -> None:
        if validation is None or not processes.is_main:
            progress.history.append(epoch)
        else:
            _validate(progress, epoch, average.module.eval(), validation)
        if processes.is_main:
            _save(run.out / CHECKPOINT, recipe, state, progress)
            write_log(run.out / LOG, progress.history)
        callbacks.epoch(progress.history[-1])

    if validation is not None and not progress.history:
        # The network as it is counts too: a training that makes it worse is thrown away.
        end_epoch(Epoch(0, None, 0.0, 0.0))
    runner, loss = processes.wrap(network), parse_loss(options.loss)
    step = progress.history[-1].step if progress.history else 0
    batches = _batches(fields, step, options, run)
    tell(TRAINING, step, options.steps, "preparing the first fields")
    while not processes.broadcast(progress.is_over(options)):
        start_s, losses = time.perf_counter(), []
        _train_mode(network, keep_statistics=options.keep_statistics)
        for batch in islice(batches, options.steps_per_epoch):
            losses.append(_step(runner, optimiser, batch, loss, processes.device))
            schedule.step()
            average.update_parameters(network)
            step += 1
            tell(TRAINING, step, options.steps, f"loss {losses[-1]:.3f}")
        seconds = time.perf_counter() - start_s
        # Where the training goes on, its own progress stays in sight.
        with showing(silent) if step < options.steps else nullcontext():
            end_epoch(Epoch(step, sum(losses) / len(losses), float(schedule.get_last_lr()[0]), seconds))
    network.load_state_dict(progress.best or average.module.state_dict())
    network.eval()
    return progress.history


def moving_average(decay: float) -> Callable[[Any, Any, Any], None]:
    """Return the update of an exponential moving average for `AveragedModel`.

    Over the first steps the decay is only ``(1 + n) / (10 + n)``, or the untrained network would still weigh
    most after a short training.
    """

    def update(averaged: Any, current: Any, n: Any) -> None:
        get_ema_multi_avg_fn(min(decay, (1 + int(n)) / (10 + int(n))))(averaged, current, n)

    return update


def _validate(progress: _Progress, epoch: Epoch, averaged: nn.Module, validation: Validation) -> None:
    progress.history.append(Epoch(**asdict(epoch) | validation.score(averaged)))
    if progress.totals[-1] > max(progress.totals[:-1], default=-1.0):
        progress.best = {name: value.clone() for name, value in averaged.state_dict().items()}


def _batches(
    fields: Fields, step: int, options: TrainingOptions, run: TrainingRun
) -> Iterator[tuple[Tensor, ...]]:
    """Return this process's batches from `step` on; the processes take turns."""
    times, processes = options.field_shown, run.processes
    indices = [
        (later * processes.size + processes.rank) * options.batch + position
        for later in range(step // times, -(-options.steps // times))
        for position in range(options.batch)
    ]
    new = load_batches(Subset(fields, indices), options.batch, run.workers)
    return new if times == 1 else shown_again(new, times, processes.device, options.seed + step)


def _train_mode(network: nn.Module, *, keep_statistics: bool) -> None:
    network.train()
    if keep_statistics:
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()


def _schedule(optimiser: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
    warm_up_steps = min(WARM_UP_STEPS, max(steps // 10, 1))
    warm_up = torch.optim.lr_scheduler.LinearLR(optimiser, 0.05, total_iters=warm_up_steps)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps - warm_up_steps, 1))
    return torch.optim.lr_scheduler.SequentialLR(optimiser, [warm_up, cosine], milestones=[warm_up_steps])


def _step(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    batch: tuple[Tensor, ...],
    class_loss: ClassLoss,
    device: str,
) -> float:
    image, labels, target = (tensor.to(device) for tensor in batch)
    # The loss stays in float32.
    with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=computes("bfloat16", device)):
        classes, centre = network(image.to(memory_format=torch.channels_last))
    loss = training_loss(classes.float(), centre.float(), labels, target, class_loss)
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
    return float(loss.detach())


def _save(path: Path, recipe: dict[str, Any], state: dict[str, Any], progress: _Progress) -> None:
    parts = {name: part.state_dict() for name, part in state.items()}
    history = [asdict(epoch) for epoch in progress.history]
    with replacing(path) as temporary:
        torch.save({"recipe": recipe, "history": history, "best": progress.best} | parts, temporary)


def _saved(
    path: Path, recipe: dict[str, Any], device: str, say: Callable[[str], None]
) -> dict[str, Any] | None:
    """Return a checkpoint of the same recipe, or None where there is none or a damaged one."""
    if not path.is_file():
        return None
    try:
        saved = torch.load(path, map_location=device, weights_only=True)
        same = saved["recipe"] == recipe
    except OSError as error:
        raise CryosegError(f"{path}: {error.strerror or error}: make it readable, or remove it") from error
    # A damaged file can raise any exception.
    except Exception:
        say(f"{path}: the checkpoint is damaged, so the training starts anew")
        return None
    if not same:
        raise CryosegError(
            f"{path}: a checkpoint of other settings or other data: give those, or train in another folder"
        )
    return dict(saved)
