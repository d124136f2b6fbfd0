"""Accuracy of a segmentation, and the metrics of each of its classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, distance_transform_edt


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


def class_accuracy(confusion: NDArray[np.int64], index: int) -> float:
    """Return the share of the pixels that is rightly said to be of a class, or rightly said not to be."""
    wrong = confusion[index].sum() + confusion[:, index].sum() - 2 * confusion[index, index]
    return float(1 - wrong / max(confusion.sum(), 1))


def score_class(confusion: NDArray[np.int64], index: int) -> ClassScores:
    """Return the metrics of one class."""
    right = int(confusion[index, index])
    said, true = int(confusion[:, index].sum()), int(confusion[index].sum())
    return ClassScores(
        _share(right, said),
        _share(right, true),
        _share(2 * right, said + true),
        _share(right, said + true - right),
    )


def count_boundary(
    truth: NDArray[np.integer], said: NDArray[np.integer], index: int, tolerance_px: float
) -> NDArray[np.int64]:
    """Count the boundary pixels of a class that lie near the other boundary (Csurka et al. 2013).

    Parameters
    ----------
    truth, said : NDArray[np.integer]
        ``(y, x)`` class indices; where the truth is negative nothing counts.
    index : int
        The class.
    tolerance_px : float
        How near.

    Returns
    -------
    NDArray[np.int64]
        ``(4,)``: said near the truth, all said, true near what is said, all true.
    """
    known = truth >= 0
    true, claimed = _boundary(truth == index) & known, _boundary(said == index) & known
    return np.array(
        [
            _near(claimed, true, tolerance_px),
            claimed.sum(),
            _near(true, claimed, tolerance_px),
            true.sum(),
        ],
        np.int64,
    )


def boundary_f1(counts: NDArray[np.int64]) -> float:
    """Return the F1 of the boundary pixels from their counts; NaN where there is no boundary at all."""
    near_truth, said, near_said, true = (int(count) for count in counts)
    if said + true == 0:
        return float("nan")
    precision, recall = near_truth / max(said, 1), near_said / max(true, 1)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _boundary(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels of a mask with a neighbour outside it; the rim of the field is no boundary."""
    inner: NDArray[np.bool_] = binary_erosion(mask, border_value=1)
    return mask & ~inner


def _near(some: NDArray[np.bool_], others: NDArray[np.bool_], tolerance_px: float) -> int:
    if not others.any():
        return 0
    return int((distance_transform_edt(~others)[some] <= tolerance_px).sum())


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
