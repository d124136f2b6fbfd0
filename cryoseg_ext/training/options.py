"""Recipes of fine-tuning, and their check before anything is computed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cryoseg_ext.network.architectures import parse_architecture
from cryoseg_ext.options.training import FROM_SCRATCH, FineTuningOptions, TrainingOptions
from cryoseg_ext.training.losses import parse_loss


def fine_tuning_options(*, from_scratch: bool = False, **given: Any) -> FineTuningOptions:
    """Return the recipe with what is `given`, and defaults that suit a start from scratch or from a model.

    Raises
    ------
    CryosegError
        If there is no such architecture or loss.
    """
    options = replace(FROM_SCRATCH if from_scratch else FineTuningOptions(), **given)
    # Here, so that a typing error is not found after minutes of reading micrographs.
    check_options(options)
    return options


def check_options(options: TrainingOptions) -> None:
    """Check that the architecture and the loss of a recipe are known.

    Raises
    ------
    CryosegError
        If one of them is not.
    """
    parse_loss(options.loss)
    if options.architecture is not None:
        parse_architecture(options.architecture)
