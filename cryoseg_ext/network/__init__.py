"""The segmentation networks, their checkpoints and how they are run over a micrograph."""

from cryoseg_ext.network.checkpoint import Model, load_model, save_model
from cryoseg_ext.network.inference import ONE_VIEW, VIEWS, NetworkOutput, View, segment

__all__ = ["ONE_VIEW", "VIEWS", "Model", "NetworkOutput", "View", "load_model", "save_model", "segment"]
