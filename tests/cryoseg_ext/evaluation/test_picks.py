"""Pick metrics on cases counted by hand."""

import numpy as np
import pytest

from cryoseg_ext.evaluation import match_picks, score_picks
from cryoseg_ext.picks import Picks

TRUTH = np.array([[10.0, 10.0], [50.0, 10.0], [90.0, 10.0], [130.0, 10.0]])
PICKS = Picks(np.array([11.0, 12.0, 52.0, 300.0]), np.full(4, 10.0), np.array([0.9, 0.8, 0.6, 0.5]))


def test_a_particle_is_matched_once() -> None:
    assert match_picks(TRUTH, PICKS, 5.0).tolist() == [True, False, True, False]


def test_metrics_match_the_count_by_hand() -> None:
    scores = score_picks([(TRUTH, PICKS)], 5.0, threshold=0.6)
    assert (scores.n_truth, scores.n_picks) == (4, 3)
    assert scores.precision == pytest.approx(2 / 3)
    assert scores.recall == pytest.approx(2 / 4)
    assert scores.f1 == pytest.approx(4 / 7)
    assert scores.best_f1 == pytest.approx(4 / 7)
    assert scores.best_threshold == 0.6
    assert scores.average_precision == pytest.approx(0.25 * 1 + 0.25 * 2 / 3)


def test_no_picks_and_no_truth_score_zero() -> None:
    none = Picks(*np.zeros((3, 0)))
    assert score_picks([(TRUTH, none)], 5.0).f1 == 0.0
    assert score_picks([(np.zeros((0, 2)), PICKS)], 5.0).recall == 0.0
