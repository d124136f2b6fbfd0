"""Training the network on simulated micrographs."""

from cryoseg_ext.training.loop import TrainingOptions, train

__all__ = ["TrainingOptions", "train"]
