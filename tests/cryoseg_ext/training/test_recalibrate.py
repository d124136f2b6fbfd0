"""The default threshold of a fine-tuned model."""

import numpy as np

from cryoseg_ext.training.recalibrate import best_threshold


def test_the_threshold_keeps_its_distance_from_the_last_right_pick() -> None:
    # Two right picks, then a wrong one: any threshold above 0.1 and up to 0.998 is as good.
    micrograph = (np.array([0.999, 0.998, 0.1]), np.array([1.0, 1.0, 0.0]), 2.0)
    assert 0.5 < best_threshold([micrograph]) < 0.6


def test_the_threshold_of_the_surest_model_still_lets_its_picks_pass() -> None:
    assert best_threshold([(np.ones(1), np.ones(1), 1.0)]) == 0.5
    assert best_threshold([(np.array([0.9999, 0.9998]), np.array([1.0, 0.0]), 1.0)]) <= 0.99
