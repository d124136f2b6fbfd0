"""CryoSPARC: an External job through its server, and results groups without one."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryoseg_ext.cryosparc.client import Login, find_login
    from cryoseg_ext.cryosparc.pick import PickingJob, pick_exposures
    from cryoseg_ext.cryosparc.train import TrainingJob, train_on_exposures

__all__ = ["Login", "PickingJob", "TrainingJob", "find_login", "pick_exposures", "train_on_exposures"]

_MODULE_OF = {
    "Login": "client",
    "PickingJob": "pick",
    "TrainingJob": "train",
    "find_login": "client",
    "pick_exposures": "pick",
    "train_on_exposures": "train",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for: the files of a group need no torch."""
    if name in _MODULE_OF:
        return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
