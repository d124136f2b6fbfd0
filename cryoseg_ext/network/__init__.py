"""The segmentation networks, their checkpoints and how they are run over a micrograph."""

from cryoseg_ext.network.checkpoint import Model, load_model, save_model
from cryoseg_ext.network.inference import NetworkOutput, segment

__all__ = ["Model", "NetworkOutput", "load_model", "save_model", "segment"]
