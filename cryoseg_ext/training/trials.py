"""The data that networks are compared on: a user's own micrographs, or simulated fields."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from cryoseg_ext.model.checkpoint import load_model
from cryoseg_ext.options.training import FineTuningOptions, TrainingOptions
from cryoseg_ext.progress import tracked
from cryoseg_ext.training.dataset import simulate_field, working_field
from cryoseg_ext.training.fine_tune import fine_tune, split
from cryoseg_ext.training.history import Callbacks
from cryoseg_ext.training.micrographs import LabelledMicrograph, fingerprint
from cryoseg_ext.training.simulated import train
from cryoseg_ext.training.targets import TrainingExample, make_examples

N_SIMULATED = 40
"""Number of simulated fields that are scored."""


@dataclass(frozen=True)
class Trial:
    """The data that networks are trained on and scored.

    Parameters
    ----------
    examples : Sequence[TrainingExample]
        Micrographs that are scored; none of them is trained on.
    train : callable
        From architecture, loss and folder to the path of the trained model; goes on where it was stopped.
    settings : dict
        Settings that decide the results beside architecture and loss.
    """

    examples: Sequence[TrainingExample]
    train: Callable[[str, str, Path], Path]
    settings: dict[str, object]


@dataclass(frozen=True)
class TrialRun:
    """How the trainings of a trial run.

    Parameters
    ----------
    device : str
        Torch device.
    workers : int
        Processes that prepare fields beside the optimiser.
    callbacks : Callbacks
        Called as each training goes on.
    """

    device: str
    workers: int
    callbacks: Callbacks


def on_micrographs(
    micrographs: Sequence[LabelledMicrograph], options: FineTuningOptions, run: TrialRun
) -> Trial:
    """Return the trial on a user's own micrographs.

    Parameters
    ----------
    micrographs : Sequence[LabelledMicrograph]
        The micrographs; those kept for validation are scored.
    options : FineTuningOptions
        The recipe of each training.
    run : TrialRun
        Device and workers of the trainings.
    """
    _, validation = split(make_examples(micrographs, load_model()), options)

    def train_network(architecture: str, loss: str, folder: Path) -> Path:
        chosen = replace(options, architecture=architecture, loss=loss)
        return fine_tune(
            micrographs, chosen, folder, device=run.device, workers=run.workers, callbacks=run.callbacks
        )

    return Trial(validation, train_network, asdict(options) | {"data": fingerprint(micrographs)})


def on_simulation(options: TrainingOptions, run: TrialRun) -> Trial:
    """Return the trial on simulated fields with the recipe `options`."""

    def train_network(architecture: str, loss: str, folder: Path) -> Path:
        chosen = replace(options, architecture=architecture, loss=loss)
        return train(chosen, folder, device=run.device, workers=run.workers, callbacks=run.callbacks)

    examples = simulated_examples(options.field_px, options.seed)
    return Trial(examples, train_network, asdict(options) | {"data": "simulated"})


def simulated_examples(field_px: int, seed: int) -> list[TrainingExample]:
    """Return simulated fields with exact truth, of other seeds than those of a training with `seed`."""
    examples = []
    for index in tracked(range(N_SIMULATED), "Simulating fields to score"):
        field = simulate_field(np.random.default_rng([seed + 2, index]), field_px)
        micrograph = LabelledMicrograph(f"simulated {index}", *working_field(field))
        examples.append(TrainingExample(micrograph, field.labels))
    return examples
