"""How good picks are, against known particle centres."""

from cryoseg_ext.evaluation.picks import PickScores, match_picks, score_picks

__all__ = ["PickScores", "match_picks", "score_picks"]
