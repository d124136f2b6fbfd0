"""Dense conditional random fields: filters, solvers, reference maps and the layer.

`refine_maps` is the stage of the pipeline. It and the layer are for two classes, particle or not;
`frank_wolfe_classes` solves for any number of them.

The options are plain numbers and words; what computes is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from cryoseg_ext.crf.options import CrfChoice, CrfOptions, Kernel, Terms, chosen_crf

if TYPE_CHECKING:
    from cryoseg_ext.crf.classes import frank_wolfe_classes
    from cryoseg_ext.crf.layer import CrfLayer
    from cryoseg_ext.crf.refinement import Refined, refine_maps

__all__ = [
    "CrfChoice",
    "CrfLayer",
    "CrfOptions",
    "Kernel",
    "Refined",
    "Terms",
    "chosen_crf",
    "frank_wolfe_classes",
    "refine_maps",
]

_HOME = {
    "CrfLayer": "cryoseg_ext.crf.layer",
    "Refined": "cryoseg_ext.crf.refinement",
    "frank_wolfe_classes": "cryoseg_ext.crf.classes",
    "refine_maps": "cryoseg_ext.crf.refinement",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
