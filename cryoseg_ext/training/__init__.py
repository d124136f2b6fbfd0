"""Training a network on simulated micrographs, and fine-tuning it on a user's own."""

from cryoseg_ext.training.fine_tune import FineTuningOptions, fine_tune, fine_tuning_options
from cryoseg_ext.training.history import Epoch, Watch
from cryoseg_ext.training.options import TrainingOptions
from cryoseg_ext.training.simulated import train

__all__ = [
    "Epoch",
    "FineTuningOptions",
    "TrainingOptions",
    "Watch",
    "fine_tune",
    "fine_tuning_options",
    "train",
]
