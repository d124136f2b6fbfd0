"""Evaluation of picks and masks against known ones."""

from cryoseg_ext.evaluation.matching import match_picks
from cryoseg_ext.evaluation.picks import PickScores, score_picks

__all__ = ["PickScores", "match_picks", "score_picks"]
