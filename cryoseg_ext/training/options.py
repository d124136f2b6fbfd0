"""What decides a trained model."""

from __future__ import annotations

from dataclasses import dataclass

from cryoseg_ext.network.architectures import parse_architecture
from cryoseg_ext.training.losses import DEFAULT_LOSS, parse_loss


@dataclass(frozen=True)
class TrainingOptions:
    """The recipe; the defaults are those of a training on simulation.

    Parameters
    ----------
    architecture : str or None
        See `cryoseg_ext.network.architectures.parse_architecture`; None is that of `initial`, or the default.
    loss : str
        See `cryoseg_ext.training.losses.parse_loss`.
    steps, steps_per_epoch : int
        Most optimiser steps, and those between checkpoints: a restart loses at most one epoch.
    batch, field_px : int
        Fields per step and process, and their width in working pixels.
    field_shown : int
        Steps in which a field is shown in the mean, turned and mirrored anew; more than 1 where the
        optimiser is faster than the processes that simulate.
    learning_rate : float
        Peak of a warm-up and cosine schedule, for AdamW.
    average_decay : float
        Of the exponential moving average of the weights, which is what is validated and kept.
    seed : int
        Of all that is drawn.
    structures : str or None
        Folder of atomic models and maps that simulated fields draw from beside the procedural specimens.
    leave_out : tuple of str
        Beginnings of the names of structures to leave out, for tests.
    initial : str or None
        Model file whose weights the training starts from.
    blend_share : float
        How far to go from `initial` to the trained weights; a training on a user's micrographs finds it out.
    patience : int
        Epochs without a better validation score after which the training stops; 0 for never.
    keep_statistics : bool
        Leave the means and variances of batch normalisation as they are in `initial`.

    Raises
    ------
    CryosegError
        If there is no such architecture or loss.
    """

    architecture: str | None = None
    loss: str = DEFAULT_LOSS
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

    def __post_init__(self) -> None:
        # Here, so that a typing error is not found after minutes of reading micrographs.
        parse_loss(self.loss)
        if self.architecture is not None:
            parse_architecture(self.architecture)
