"""What a user decides about training: plain words and numbers, quick to import."""

from __future__ import annotations

from dataclasses import dataclass

ARCHITECTURE_NAMES = (
    *("residual_unet", "unetpp", "attention_unet", "flexible_unet"),
    *("segresnet", "deeplabv3", "fcn"),
)
"""The architectures that `cryoseg_ext.network.architectures` builds, the default first."""
LOSS_NAMES = ("dice_ce", "cross_entropy", "dice", "focal", "jaccard", "lovasz", "tversky")
"""The losses that `cryoseg_ext.training.losses` computes, the default first."""

MODEL_FILE = "model.safetensors"
"""Name of the model in the output folder of a training."""


@dataclass(frozen=True)
class TrainingOptions:
    """The recipe of a training; the defaults are those of a training on simulated micrographs.

    Parameters
    ----------
    architecture : str or None
        See `cryoseg_ext.network.architectures.parse_architecture`; None is that of `initial`, or the default.
    loss : str
        See `cryoseg_ext.training.losses.parse_loss`.
    steps : int
        Largest number of optimiser steps.
    steps_per_epoch : int
        Steps between two checkpoints: a restart loses at most one epoch.
    batch : int
        Fields per step and process.
    field_px : int
        Width and height of a field in working pixels.
    field_shown : int
        Mean number of steps in which a field is shown, each time in another orientation; more than 1 where
        the optimiser is faster than the processes that simulate.
    learning_rate : float
        Peak learning rate of AdamW, with a warm-up and a cosine schedule.
    average_decay : float
        Decay of the exponential moving average of the weights, which is what is validated and kept.
    seed : int
        Random seed.
    structures : str or None
        Folder of atomic models and maps that simulated fields draw from beside the procedural specimens.
    leave_out : tuple of str
        Structures whose names begin with one of these are left out, for tests.
    initial : str or None
        Model file whose weights the training starts from.
    blend_share : float
        Share of the trained weights in the mean with those of `initial`; a training on a user's micrographs
        determines it itself.
    patience : int
        Epochs without a better validation score after which the training stops; 0 never stops it.
    keep_statistics : bool
        Whether the means and variances of batch normalisation stay as they are in `initial`.
    """

    architecture: str | None = None
    loss: str = LOSS_NAMES[0]
    steps: int = 7000
    steps_per_epoch: int = 250
    batch: int = 6
    field_px: int = 256
    field_shown: int = 1
    learning_rate: float = 2e-3
    average_decay: float = 0.998
    seed: int = 1
    structures: str | None = None
    leave_out: tuple[str, ...] = ()
    initial: str | None = None
    blend_share: float = 1.0
    patience: int = 0
    keep_statistics: bool = False


@dataclass(frozen=True)
class FineTuningOptions(TrainingOptions):
    """The recipe for a user's own micrographs; `initial` is the default model when not given.

    Parameters
    ----------
    steps, steps_per_epoch, learning_rate, average_decay, patience, keep_statistics
        As in `TrainingOptions`, with other defaults.
    from_scratch : bool
        Start from random weights; `initial` then only helps to make the labels.
    simulated_share : float
        Share of each batch that is simulated fields, rounded down.
    validation_share : float
        Share of the micrographs that is kept for validation; at least one micrograph is.
    complete : bool
        Whether the picks are complete, so that everything else is background.
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


FROM_SCRATCH = FineTuningOptions(
    # Half as wide as the default model: from nothing there is more to learn, in a time that a laptop has.
    architecture="residual_unet:16",
    steps=1500,
    average_decay=0.998,
    patience=20,
    keep_statistics=False,
    from_scratch=True,
    simulated_share=0.34,
)
"""The recipe for a user's own micrographs from random weights."""
