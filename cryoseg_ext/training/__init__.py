"""Training a network on simulated micrographs, and fine-tuning it on a user's own."""

from cryoseg_ext.options.training import FineTuningOptions, TrainingOptions
from cryoseg_ext.training.fine_tune import fine_tune
from cryoseg_ext.training.history import Callbacks, Epoch
from cryoseg_ext.training.options import fine_tuning_options
from cryoseg_ext.training.simulated import train

__all__ = [
    "Callbacks",
    "Epoch",
    "FineTuningOptions",
    "TrainingOptions",
    "fine_tune",
    "fine_tuning_options",
    "train",
]
