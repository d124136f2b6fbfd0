"""Summaries of all metrics of a set of picks, or of masks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from cryoseg_ext.evaluation import pixels
from cryoseg_ext.evaluation.bootstrap import Interval, draw_weights, interval, pick_intervals
from cryoseg_ext.evaluation.calibration import Reliability, reliability
from cryoseg_ext.evaluation.matching import Matching
from cryoseg_ext.evaluation.picks import Curve, FixedScores, TruthAndPicks, draw_curve, rank_picks, score_at

CLASSES = ("background", "particle", "contaminant")
"""Names of the classes, in the order of their numbers."""


@dataclass(frozen=True)
class PickSummary:
    """Metrics of picks against the truth at one match distance.

    Parameters
    ----------
    radius_px : float
        Largest distance of a match in pixels.
    fixed : FixedScores
        Metrics at the threshold, over all micrographs.
    micrographs : Mapping[str, FixedScores]
        Metrics at the threshold of each micrograph.
    intervals : Mapping[str, Interval]
        95 % intervals by the name of the metric.
    curve : Curve or None
        Metrics at all thresholds, by the greedy matching; None without scores, picks or truth.
    at_best : FixedScores or None
        Metrics at the threshold of the best F1.
    calibration : Reliability or None
        Reliability of the scores of all picks; None if they are not probabilities.
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
    """Return the summary of picks.

    Parameters
    ----------
    micrographs : Mapping[str, TruthAndPicks]
        ``(m, 2)`` reference centres (x, y) in pixels, and the picks, by the name of the micrograph.
    radius_px : float
        Largest distance of a match in pixels.
    threshold : float or None
        Smallest score of a pick; None for all picks.
    matching : Matching
        Method of matching for the metrics at a threshold; curves are always greedy.
    scored : bool
        Whether the picks have scores.
    """
    pairs = list(micrographs.values())
    fixed = score_at(pairs, radius_px, threshold, matching)
    each = {name: score_at([pair], radius_px, threshold, matching) for name, pair in micrographs.items()}
    ranked = rank_picks(pairs, radius_px) if scored else None
    intervals = pick_intervals(list(each.values()), ranked)
    curve = draw_curve(ranked) if ranked else None
    if ranked is None or curve is None:
        return PickSummary(radius_px, fixed, each, intervals)
    at_best = score_at(pairs, radius_px, float(curve.threshold[curve.best]), matching)
    return PickSummary(radius_px, fixed, each, intervals, curve, at_best, reliability(ranked))


@dataclass(frozen=True)
class ClassSummary:
    """Pixel metrics of one class over all micrographs.

    Parameters
    ----------
    accuracy : float
        Fraction of the pixels correctly predicted to belong to the class, or not to.
    scores : pixels.ClassScores
        Precision, recall, F1, intersection over union.
    boundary_f1 : float
        F1 of the boundary pixels, see `count_boundary`.
    intervals : Mapping[str, Interval]
        95 % intervals of F1, intersection over union and boundary F1.
    """

    accuracy: float
    scores: pixels.ClassScores
    boundary_f1: float
    intervals: Mapping[str, Interval]


@dataclass(frozen=True)
class PixelSummary:
    """Metrics of masks against the truth.

    Parameters
    ----------
    accuracy : float
        Fraction of the pixels whose class is predicted correctly.
    n_micrographs : int
        Number of micrographs.
    classes : Mapping[str, ClassSummary]
        Metrics by the name of the class.
    """

    accuracy: float
    n_micrographs: int
    classes: Mapping[str, ClassSummary]


def summarise_pixels(
    pairs: Iterable[tuple[pixels.Classes, pixels.Classes]], n_classes: int, tolerance_px: float
) -> PixelSummary:
    """Return the summary of masks.

    Parameters
    ----------
    pairs : iterable of (truth, predicted)
        ``(y, x)`` class numbers of each micrograph; negative truth is unknown.
    n_classes : int
        Number of classes of the masks; true pixels of other classes count as background.
    tolerance_px : float
        Largest distance in pixels between two boundaries that agree.
    """
    confusions, boundaries = [], []
    for truth, predicted in pairs:
        known = np.where(truth < n_classes, truth, 0)
        confusions.append(pixels.count_pixels(known, predicted, n_classes))
        rims = [pixels.count_boundary(known, predicted, index, tolerance_px) for index in range(n_classes)]
        boundaries.append(rims)
    confusion, boundary = np.array(confusions), np.array(boundaries)
    total = confusion.sum(axis=0)
    classes = {
        CLASSES[index]: ClassSummary(
            pixels.class_accuracy(total, index),
            pixels.score_class(total, index),
            pixels.boundary_f1(boundary[:, index].sum(axis=0)),
            _pixel_intervals(confusion, boundary[:, index], index),
        )
        for index in range(n_classes)
    }
    return PixelSummary(pixels.accuracy(total), len(confusion), classes)


def _pixel_intervals(confusion: pixels.Counts, boundary: pixels.Counts, index: int) -> dict[str, Interval]:
    if len(confusion) < 2:
        return {}
    weights = draw_weights(len(confusion))
    drawn = [pixels.score_class(counts, index) for counts in np.tensordot(weights, confusion, axes=1)]
    return {
        "f1": interval(np.array([scores.f1 for scores in drawn])),
        "iou": interval(np.array([scores.iou for scores in drawn])),
        "boundary_f1": interval(np.array([pixels.boundary_f1(counts) for counts in weights @ boundary])),
    }
