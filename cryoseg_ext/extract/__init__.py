"""Particles from the segmentation and the centre map.

The options are plain numbers and words; what computes is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from cryoseg_ext.extract.options import METHODS, ExtractionOptions, Method

if TYPE_CHECKING:
    from cryoseg_ext.extract.candidates import Candidates, Maps
    from cryoseg_ext.extract.extraction import extract
    from cryoseg_ext.extract.mixture import merge_sizes
    from cryoseg_ext.extract.peaks import find_candidates
    from cryoseg_ext.extract.score import Calibration
    from cryoseg_ext.extract.selection import CANDIDATE_THRESHOLD, extract_picks

__all__ = [
    "CANDIDATE_THRESHOLD",
    "METHODS",
    "Calibration",
    "Candidates",
    "ExtractionOptions",
    "Maps",
    "Method",
    "extract",
    "extract_picks",
    "find_candidates",
    "merge_sizes",
]

_HOME = {
    "CANDIDATE_THRESHOLD": "cryoseg_ext.extract.selection",
    "Calibration": "cryoseg_ext.extract.score",
    "Candidates": "cryoseg_ext.extract.candidates",
    "Maps": "cryoseg_ext.extract.candidates",
    "extract": "cryoseg_ext.extract.extraction",
    "extract_picks": "cryoseg_ext.extract.selection",
    "find_candidates": "cryoseg_ext.extract.peaks",
    "merge_sizes": "cryoseg_ext.extract.mixture",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
