"""Particles from the segmentation and the centre map."""

from cryoseg_ext.extract.peaks import CANDIDATE_THRESHOLD, Candidates, extract_picks, find_candidates
from cryoseg_ext.extract.score import Calibration

__all__ = ["CANDIDATE_THRESHOLD", "Calibration", "Candidates", "extract_picks", "find_candidates"]
