"""All that is said about a set of picks, or of masks, in one object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.evaluation.bootstrap import Interval, draw_weights, interval, pick_intervals
from cryoseg_ext.evaluation.calibration import Reliability, reliability
from cryoseg_ext.evaluation.matching import Matching
from cryoseg_ext.evaluation.picks import (
    Curve,
    FixedScores,
    TruthAndPicks,
    draw_curve,
    rank_picks,
    score_at,
)
from cryoseg_ext.evaluation.pixels import (
    ClassScores,
    accuracy,
    boundary_f1,
    class_accuracy,
    count_boundary,
    count_pixels,
    score_class,
)

CLASSES = ("background", "particle", "contaminant")


@dataclass(frozen=True)
class PickSummary:
    """Picks against the truth at one match distance.

    Parameters
    ----------
    radius_px : float
        Largest distance of a match.
    fixed : FixedScores
        At the threshold, over all micrographs.
    micrographs : Mapping[str, FixedScores]
        The same of each micrograph.
    intervals : Mapping[str, Interval]
        95 % intervals by the name of the metric.
    curve : Curve or None
        Over all thresholds, greedy; None without scores, picks or truth.
    at_best : FixedScores or None
        At the threshold of the best F1.
    calibration : Reliability or None
        Of all picks, whatever the threshold; None where the scores are no probabilities.
    """

    radius_px: float
    fixed: FixedScores
    micrographs: Mapping[str, FixedScores]
    intervals: Mapping[str, Interval]
    curve: Curve | None = None
    at_best: FixedScores | None = None
    calibration: Reliability | None = None


def summarise_picks(
    micrographs: Mapping[str, TruthAndPicks],
    radius_px: float,
    threshold: float | None,
    matching: Matching,
    *,
    scored: bool,
) -> PickSummary:
    """Return what there is to say about picks.

    Parameters
    ----------
    micrographs : Mapping[str, TruthAndPicks]
        ``(m, 2)`` reference centres (x, y) in pixels, and the picks, by the name of the micrograph.
    radius_px : float
        Largest distance of a match.
    threshold : float or None
        From which a score counts as a pick; all do when None.
    matching : Matching
        Of the metrics at a threshold; curves are always greedy.
    scored : bool
        Whether the picks have scores.
    """
    every = list(micrographs.values())
    fixed = score_at(every, radius_px, threshold, matching)
    each = {name: score_at([one], radius_px, threshold, matching) for name, one in micrographs.items()}
    ranked = rank_picks(every, radius_px) if scored else None
    intervals = pick_intervals(list(each.values()), ranked)
    curve = draw_curve(ranked) if ranked else None
    if ranked is None or curve is None:
        return PickSummary(radius_px, fixed, each, intervals)
    at_best = score_at(every, radius_px, float(curve.threshold[curve.best]), matching)
    return PickSummary(radius_px, fixed, each, intervals, curve, at_best, reliability(ranked))


@dataclass(frozen=True)
class ClassSummary:
    """Pixel metrics of one class over all micrographs.

    Parameters
    ----------
    accuracy : float
        Share of the pixels rightly said to be of the class, or not to be.
    scores : ClassScores
        Precision, recall, F1, intersection over union.
    boundary_f1 : float
        See `count_boundary`.
    intervals : Mapping[str, Interval]
        95 % intervals of F1, intersection over union and boundary F1.
    """

    accuracy: float
    scores: ClassScores
    boundary_f1: float
    intervals: Mapping[str, Interval]


@dataclass(frozen=True)
class PixelSummary:
    """Masks against the truth.

    Parameters
    ----------
    accuracy : float
        Over all classes.
    n_micrographs : int
        How many.
    classes : Mapping[str, ClassSummary]
        By the name of the class.
    """

    accuracy: float
    n_micrographs: int
    classes: Mapping[str, ClassSummary]


def summarise_pixels(
    pairs: Iterable[tuple[NDArray[np.integer], NDArray[np.integer]]], n_classes: int, tolerance_px: float
) -> PixelSummary:
    """Return what there is to say about masks.

    Parameters
    ----------
    pairs : iterable of (truth, said)
        ``(y, x)`` class indices as in `CLASSES`, of each micrograph; negative truth is not known.
    n_classes : int
        How many classes the masks can say; true pixels of another one count as background.
    tolerance_px : float
        Of the boundaries.
    """
    confusions, boundaries = [], []
    for truth, said in pairs:
        known = np.where(truth < n_classes, truth, 0)
        confusions.append(count_pixels(known, said, n_classes))
        boundaries.append([count_boundary(known, said, index, tolerance_px) for index in range(n_classes)])
    confusion, boundary = np.array(confusions), np.array(boundaries)
    total = confusion.sum(axis=0)
    classes = {
        CLASSES[index]: ClassSummary(
            class_accuracy(total, index),
            score_class(total, index),
            boundary_f1(boundary[:, index].sum(axis=0)),
            _pixel_intervals(confusion, boundary[:, index], index),
        )
        for index in range(n_classes)
    }
    return PixelSummary(accuracy(total), len(confusion), classes)


def _pixel_intervals(
    confusion: NDArray[np.int64], boundary: NDArray[np.int64], index: int
) -> dict[str, Interval]:
    if len(confusion) < 2:
        return {}
    weights = draw_weights(len(confusion))
    drawn: Sequence[ClassScores] = [
        score_class(one, index) for one in np.tensordot(weights, confusion, axes=1)
    ]
    return {
        "f1": interval(np.array([one.f1 for one in drawn])),
        "iou": interval(np.array([one.iou for one in drawn])),
        "boundary_f1": interval(np.array([boundary_f1(one) for one in weights @ boundary])),
    }
