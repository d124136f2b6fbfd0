"""Particles from the segmentation and the centre map.

The options are plain numbers and words; what computes is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from cryoseg_ext.extract.options import METHODS, ExtractionOptions, Method

if TYPE_CHECKING:
    from cryoseg_ext.extract.peaks import CANDIDATE_THRESHOLD, Candidates, extract_picks, find_candidates
    from cryoseg_ext.extract.score import Calibration

__all__ = [
    "CANDIDATE_THRESHOLD",
    "METHODS",
    "Calibration",
    "Candidates",
    "ExtractionOptions",
    "Method",
    "extract_picks",
    "find_candidates",
]

_HOME = dict.fromkeys(
    ("CANDIDATE_THRESHOLD", "Candidates", "extract_picks", "find_candidates"), "cryoseg_ext.extract.peaks"
)
_HOME["Calibration"] = "cryoseg_ext.extract.score"


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
