"""The segmentation network, its checkpoints and how it is run over a micrograph."""

from cryoseg_ext.network.checkpoint import Model, load_model, save_model
from cryoseg_ext.network.inference import NetworkOutput, segment
from cryoseg_ext.network.unet import ResidualUNet

__all__ = ["Model", "NetworkOutput", "ResidualUNet", "load_model", "save_model", "segment"]
