"""CryoSPARC: picking and training as External jobs, through its server."""

from cryoseg_ext.cryosparc.client import Login, find_login
from cryoseg_ext.cryosparc.pick import PickingJob, pick_exposures
from cryoseg_ext.cryosparc.train import TrainingInputs, TrainingJob, train_on_exposures

__all__ = [
    "Login",
    "PickingJob",
    "TrainingInputs",
    "TrainingJob",
    "find_login",
    "pick_exposures",
    "train_on_exposures",
]
