"""Pixel metrics against counting by hand."""

import math

import numpy as np
import pytest

from cryoseg_ext.evaluation.pixels import accuracy, count_pixels, score_class


def test_pixel_metrics_leave_out_what_is_not_known() -> None:
    truth = np.array([[1, 1, 1, 0, 0, -1, -2]])
    predicted = np.array([[1, 1, 0, 1, 0, 1, 2]])
    confusion = count_pixels(truth, predicted, 3)
    assert accuracy(confusion) == pytest.approx(3 / 5)
    particle = score_class(confusion, 1)
    assert (particle.precision, particle.recall, particle.f1) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert particle.iou == pytest.approx(2 / 4)
    assert math.isnan(score_class(confusion, 2).iou)
