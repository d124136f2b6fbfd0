"""Accuracy of a segmentation, and precision, recall, F1 and intersection over union of a class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ClassScores:
    """Pixel metrics of one class.

    Parameters
    ----------
    precision, recall, f1, iou : float
        NaN where the class is neither there nor said to be.
    """

    precision: float
    recall: float
    f1: float
    iou: float


def count_pixels(truth: NDArray[np.integer], said: NDArray[np.integer], n_classes: int) -> NDArray[np.int64]:
    """Return the confusion matrix ``(truth, said)`` of the pixels whose truth is not negative.

    Parameters
    ----------
    truth, said : NDArray[np.integer]
        ``(y, x)`` class indices.
    n_classes : int
        Number of classes.
    """
    known = truth >= 0
    pairs = n_classes * truth[known].astype(np.int64) + said[known]
    return np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)


def accuracy(confusion: NDArray[np.int64]) -> float:
    """Return the share of the pixels that is right."""
    return float(np.trace(confusion) / max(confusion.sum(), 1))


def score_class(confusion: NDArray[np.int64], index: int) -> ClassScores:
    """Return the metrics of one class."""
    right = int(confusion[index, index])
    said, true = int(confusion[:, index].sum()), int(confusion[index].sum())

    def share(part: int, whole: int) -> float:
        return part / whole if whole else float("nan")

    return ClassScores(
        share(right, said),
        share(right, true),
        share(2 * right, said + true),
        share(right, said + true - right),
    )
