"""Picks scored as boxes, as object detection and the CRISP paper (Chung & Chou, arXiv 2502.08287) do it.

Every centre becomes a square box of one particle diameter. A pick is correct if its box and that of a free
particle overlap enough: the intersection over union (IoU) decides. In order of their scores, each pick takes
the free particle of the largest IoU. The average precision (AP) is COCO's: with the micrographs pooled, the
mean over the recalls 0, 0.01, ..., 1 of the highest precision at that recall or a higher one, 0 where it is
not reached. The mean average precision (mAP) is the mean AP over the IoUs 0.5, 0.55, ..., 0.95.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cryoseg_ext.arrays import FloatArray
from cryoseg_ext.evaluation.bootstrap import Interval, draw_weights, interval
from cryoseg_ext.evaluation.picks import TruthAndPicks, precision_recall_f1
from cryoseg_ext.picks import Picks

IOUS = np.linspace(0.5, 0.95, 10)
"""Least intersection over union of a correct pick; precision and recall are those at the first one."""
_RECALLS = np.linspace(0, 1, 101)
_N_DRAWS = 200
"""Bootstrap samples, few because each is a pass over all picks."""

Hits = NDArray[np.bool_]
"""``(len(IOUS), n)`` whether each pick is correct."""


@dataclass(frozen=True)
class BoxScores:
    """Metrics of boxes.

    Parameters
    ----------
    tp, picks, truth : int
        Numbers of correct picks, picks and reference particles, at the threshold and an IoU of 0.5.
    precision, recall, f1 : float
        0 if the denominator is 0.
    average_precision : tuple of float
        AP of all picks at each of `IOUS`; 0 without reference particles.
    """

    tp: int
    picks: int
    truth: int
    precision: float
    recall: float
    f1: float
    average_precision: tuple[float, ...]

    @property
    def mean_average_precision(self) -> float:
        """Mean of the average precision over `IOUS`."""
        return float(np.mean(self.average_precision))


@dataclass(frozen=True)
class BoxSummary:
    """Metrics of picks as boxes against the truth.

    Parameters
    ----------
    side_px : float
        Side of the boxes in pixels.
    pooled : BoxScores
        Metrics over all micrographs.
    micrographs : Mapping[str, BoxScores]
        Metrics of each micrograph.
    intervals : Mapping[str, Interval]
        95 % intervals by the name of the metric, as far as there are any; none for one micrograph.
    """

    side_px: float
    pooled: BoxScores
    micrographs: Mapping[str, BoxScores]
    intervals: Mapping[str, Interval]

    @property
    def micrograph_means(self) -> dict[str, float]:
        """Precision, recall and mAP averaged over the micrographs with truth, as the CRISP prototype does."""
        each = [one for one in self.micrographs.values() if one.truth]
        names = ("precision", "recall", "mean_average_precision")
        return {name: float(np.mean([getattr(one, name) for one in each])) if each else 0.0 for name in names}


def summarise_boxes(
    micrographs: Mapping[str, TruthAndPicks], side_px: float, threshold: float | None
) -> BoxSummary:
    """Return the metrics of picks as boxes.

    Parameters
    ----------
    micrographs : Mapping[str, TruthAndPicks]
        ``(m, 2)`` reference centres (x, y) in pixels, and the picks, by the name of the micrograph.
    side_px : float
        Side of the boxes in pixels.
    threshold : float or None
        Smallest score of a pick for precision and recall; None for all picks. AP takes all picks.
    """
    labelled = [_labelled(truth, picks, side_px) for truth, picks in micrographs.values()]
    each = dict(zip(micrographs, (_scores(one, threshold) for one in labelled), strict=True))
    pooled = _pool(labelled)
    return BoxSummary(side_px, _scores(pooled, threshold), each, _intervals(pooled, list(each.values())))


def match_boxes(truth_xy_px: FloatArray, picks: Picks, side_px: float) -> Hits:
    """Return which picks are correct at each of `IOUS`.

    Parameters
    ----------
    truth_xy_px : NDArray[np.float64]
        ``(m, 2)`` reference centres (x, y) in the pixels of the picks.
    picks : Picks
        The picks, in any order.
    side_px : float
        Side of the boxes in pixels.
    """
    hits = np.zeros((len(IOUS), len(picks)), np.bool_)
    if len(truth_xy_px) == 0 or len(picks) == 0:
        return hits
    picked_xy = np.stack([picks.x_px, picks.y_px], axis=1)
    near = cKDTree(truth_xy_px).query_ball_point(picked_xy, side_px, p=np.inf)
    # The largest first; of equal ones the last particle, as in COCO.
    overlaps = [
        sorted(zip(_iou(truth_xy_px[some], xy, side_px).tolist(), some, strict=True), reverse=True)
        for some, xy in zip(near, picked_xy, strict=True)
    ]
    order = np.argsort(-picks.score, kind="stable").tolist()
    for hit, least in zip(hits, IOUS.tolist(), strict=True):
        taken: set[int] = set()
        for index in order:
            best = next((one for iou, one in overlaps[index] if iou >= least and one not in taken), None)
            if best is not None:
                taken.add(best)
                hit[index] = True
    return hits


@dataclass(frozen=True)
class _Labelled:
    """Picks of one or more micrographs in descending order of score.

    `micrograph` is the index of the micrograph of each pick, and `n_truth` the number of reference particles
    of each micrograph.
    """

    score: FloatArray
    hits: Hits
    micrograph: NDArray[np.intp]
    n_truth: NDArray[np.int64]


def _labelled(truth_xy_px: FloatArray, picks: Picks, side_px: float) -> _Labelled:
    order = np.argsort(-picks.score, kind="stable")
    hits = match_boxes(truth_xy_px, picks, side_px)[:, order]
    return _Labelled(picks.score[order], hits, np.zeros(len(picks), np.intp), np.array([len(truth_xy_px)]))


def _pool(parts: Sequence[_Labelled]) -> _Labelled:
    score = np.concatenate([np.zeros(0), *(one.score for one in parts)])
    hits = np.concatenate([np.zeros((len(IOUS), 0), np.bool_), *(one.hits for one in parts)], axis=1)
    micrograph = np.repeat(np.arange(len(parts)), [len(one.score) for one in parts])
    order = np.argsort(-score, kind="stable")
    n_truth = np.concatenate([np.zeros(0, np.int64), *(one.n_truth for one in parts)])
    return _Labelled(score[order], hits[:, order], micrograph[order], n_truth)


def _scores(labelled: _Labelled, threshold: float | None) -> BoxScores:
    above = np.ones(len(labelled.score), np.bool_) if threshold is None else labelled.score >= threshold
    right, n_picks, n_truth = (
        int(labelled.hits[0, above].sum()),
        int(above.sum()),
        int(labelled.n_truth.sum()),
    )
    shares = precision_recall_f1(right, n_picks, n_truth)
    ones = np.ones(len(labelled.n_truth), np.int64)
    return BoxScores(right, n_picks, n_truth, *shares, tuple(_average_precision(labelled, ones).tolist()))


def _average_precision(labelled: _Labelled, weight: NDArray[np.int64]) -> FloatArray:
    """Return the AP at each of `IOUS`; `weight` is how many times each micrograph counts."""
    n_truth, times = int(weight @ labelled.n_truth), weight[labelled.micrograph]
    average = np.zeros(len(IOUS))
    if n_truth == 0:
        return average
    drawn = times > 0
    found = np.cumsum(times * labelled.hits, axis=1)[:, drawn]
    precision = found / np.cumsum(times)[drawn]
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    for index, recall in enumerate(found / n_truth):
        average[index] = np.append(best[index], 0.0)[np.searchsorted(recall, _RECALLS)].mean()
    return average


def _intervals(pooled: _Labelled, each: Sequence[BoxScores]) -> dict[str, Interval]:
    if len(each) < 2:
        return {}
    weights = draw_weights(len(each))
    counts = np.array([(one.tp, one.picks, one.truth) for one in each])
    tp, picks, truth = (weights @ counts).T
    with np.errstate(invalid="ignore", divide="ignore"):
        values = {"precision": tp / picks, "recall": tp / truth}
    drawn = [float(_average_precision(pooled, weight).mean()) for weight in weights[:_N_DRAWS]]
    values["mean_average_precision"] = np.array(drawn)
    intervals = {name: interval(value) for name, value in values.items()}
    return {name: one for name, one in intervals.items() if np.isfinite(one).all()}


def _iou(truth_xy_px: FloatArray, xy_px: FloatArray, side_px: float) -> FloatArray:
    common = np.clip(side_px - np.abs(truth_xy_px - xy_px), 0, None).prod(axis=1)
    overlap: FloatArray = common / (2 * side_px**2 - common)
    return overlap
