"""The default threshold of a fine-tuned model."""

import numpy as np

from cryoseg_ext.evaluation.picks import Curve
from cryoseg_ext.training.recalibrate import middle_threshold


def test_the_threshold_keeps_its_distance_from_the_last_right_pick() -> None:
    # Two right picks, then a wrong one: any threshold above 0.1 and up to 0.998 is as good.
    curve = Curve(
        threshold=np.array([0.999, 0.998, 0.1]),
        precision=np.array([1.0, 1.0, 2 / 3]),
        recall=np.array([0.5, 1.0, 1.0]),
        f1=np.array([2 / 3, 1.0, 0.8]),
    )
    assert 0.5 < middle_threshold(curve) < 0.6


def test_the_threshold_of_the_surest_model_still_lets_its_picks_pass() -> None:
    one = np.ones(1)
    assert middle_threshold(Curve(one, one, one, one)) == 0.5
    both = np.array([0.9999, 0.9998])
    assert middle_threshold(Curve(both, np.array([1.0, 0.5]), np.ones(2), np.array([1.0, 0.7]))) <= 0.99
