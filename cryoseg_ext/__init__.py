"""cryoseg: pick particles in cryo-EM micrographs by segmenting them.

Use from a notebook::

    import cryoseg_ext

    result = cryoseg_ext.pick("micrograph.mrc", particle_diameter_A=180)
    result.picks.x_px, result.picks.y_px, result.picks.score
    result.mask

Names are imported when first used, so that the commands answer ``--help`` at once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryoseg_ext.api import PickResult, pick
    from cryoseg_ext.errors import CryosegError
    from cryoseg_ext.model.checkpoint import Model, load_model
    from cryoseg_ext.options.crf import CrfOptions
    from cryoseg_ext.picks import Picks

__all__ = [
    "CrfOptions",
    "CryosegError",
    "Model",
    "PickResult",
    "Picks",
    "load_model",
    "pick",
]

_HOME = {
    "CrfOptions": "cryoseg_ext.options.crf",
    "CryosegError": "cryoseg_ext.errors",
    "Model": "cryoseg_ext.model.checkpoint",
    "PickResult": "cryoseg_ext.api",
    "Picks": "cryoseg_ext.picks",
    "load_model": "cryoseg_ext.model.checkpoint",
    "pick": "cryoseg_ext.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
