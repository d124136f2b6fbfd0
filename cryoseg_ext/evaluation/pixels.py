"""Accuracy of a segmentation, and metrics of each of its classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, distance_transform_edt

from cryoseg_ext.arrays import Mask

Classes = NDArray[np.integer]
"""``(y, x)`` class numbers, see `cryoseg_ext.network.classes`."""
Counts = NDArray[np.int64]
"""Numbers of pixels, such as a confusion matrix."""


@dataclass(frozen=True)
class ClassScores:
    """Pixel metrics of one class.

    Parameters
    ----------
    precision, recall, f1, iou : float
        NaN if the class is absent from truth and prediction.
    """

    precision: float
    recall: float
    f1: float
    iou: float


def count_pixels(truth: Classes, predicted: Classes, n_classes: int) -> Counts:
    """Return the confusion matrix ``(truth, predicted)`` of the pixels whose truth is not negative.

    Parameters
    ----------
    truth, predicted : NDArray[np.integer]
        ``(y, x)`` class numbers.
    n_classes : int
        Number of classes.
    """
    known = truth >= 0
    pairs = n_classes * truth[known].astype(np.int64) + predicted[known]
    return np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)


def accuracy(confusion: Counts) -> float:
    """Return the fraction of the pixels whose class is predicted correctly."""
    return float(np.trace(confusion) / max(confusion.sum(), 1))


def class_accuracy(confusion: Counts, index: int) -> float:
    """Return the fraction of the pixels that are correctly predicted to belong to a class, or not to."""
    wrong = confusion[index].sum() + confusion[:, index].sum() - 2 * confusion[index, index]
    return float(1 - wrong / max(confusion.sum(), 1))


def score_class(confusion: Counts, index: int) -> ClassScores:
    """Return the metrics of one class."""
    correct = int(confusion[index, index])
    predicted, true = int(confusion[:, index].sum()), int(confusion[index].sum())
    return ClassScores(
        _ratio(correct, predicted),
        _ratio(correct, true),
        _ratio(2 * correct, predicted + true),
        _ratio(correct, predicted + true - correct),
    )


def outline(mask: Mask) -> Mask:
    """Return the pixels of a ``(y, x)`` mask that have a neighbour outside it."""
    return mask & ~binary_erosion(mask, border_value=1)


def count_boundary(truth: Classes, predicted: Classes, index: int, tolerance_px: float) -> Counts:
    """Count the boundary pixels of a class that lie near the other boundary (Csurka et al. 2013).

    Parameters
    ----------
    truth, predicted : NDArray[np.integer]
        ``(y, x)`` class numbers; pixels of negative truth are not counted.
    index : int
        Number of the class.
    tolerance_px : float
        Largest distance in pixels between two boundaries that agree.

    Returns
    -------
    NDArray[np.int64]
        ``(4,)`` numbers of boundary pixels: predicted ones near the truth, all predicted ones, true ones near
        the prediction, all true ones.
    """
    known = truth >= 0
    true_rim, predicted_rim = (outline(classes == index) & known for classes in (truth, predicted))
    return np.array(
        [
            _count_near(predicted_rim, true_rim, tolerance_px),
            predicted_rim.sum(),
            _count_near(true_rim, predicted_rim, tolerance_px),
            true_rim.sum(),
        ],
        np.int64,
    )


def boundary_f1(counts: Counts) -> float:
    """Return the F1 of the boundary pixels from the result of `count_boundary`; NaN without boundaries."""
    near_truth, predicted, near_predicted, true = (int(count) for count in counts)
    if predicted + true == 0:
        return float("nan")
    precision, recall = near_truth / max(predicted, 1), near_predicted / max(true, 1)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _count_near(boundary: Mask, reference: Mask, tolerance_px: float) -> int:
    if not reference.any():
        return 0
    return int((distance_transform_edt(~reference)[boundary] <= tolerance_px).sum())


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
