"""Precision, recall, F1 and average precision of picks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.arrays import FloatArray, Mask
from cryoseg_ext.evaluation.matching import Matching, match_picks, matched_distances
from cryoseg_ext.picks import Picks

TruthAndPicks = tuple[FloatArray, Picks]
"""``(m, 2)`` reference centres (x, y) in pixels, and the picks, of one micrograph."""


@dataclass(frozen=True)
class FixedScores:
    """Pick metrics at one threshold, counts summed over micrographs.

    Parameters
    ----------
    tp, picks, truth : int
        Numbers of matched pairs, picks and reference particles.
    precision, recall, f1 : float
        0 if the denominator is 0.
    median_distance : float
        Median distance of the matched pairs in pixels; NaN without any.
    """

    tp: int
    picks: int
    truth: int
    precision: float
    recall: float
    f1: float
    median_distance: float

    @property
    def count_error(self) -> float:
        """Surplus of picks, as a fraction of the reference particles; NaN without any."""
        return (self.picks - self.truth) / self.truth if self.truth else float("nan")


@dataclass(frozen=True)
class RankedPicks:
    """All picks in descending order of score, labelled by the greedy matching.

    Parameters
    ----------
    score : NDArray[np.float64]
        ``(n,)`` scores in descending order.
    hit : NDArray[np.bool_]
        ``(n,)`` whether each pick is correct.
    micrograph : NDArray[np.intp]
        ``(n,)`` index of the micrograph of each pick.
    n_truth : NDArray[np.int64]
        ``(m,)`` number of reference particles of each micrograph.
    """

    score: FloatArray
    hit: Mask
    micrograph: NDArray[np.intp]
    n_truth: NDArray[np.int64]


@dataclass(frozen=True)
class Curve:
    """Precision and recall at every distinct score, from the highest down.

    Parameters
    ----------
    threshold, precision, recall, f1 : NDArray[np.float64]
        ``(k,)`` values, at least one.
    """

    threshold: FloatArray
    precision: FloatArray
    recall: FloatArray
    f1: FloatArray

    @property
    def best(self) -> int:
        """Index of the highest F1."""
        return int(self.f1.argmax())

    @property
    def average_precision(self) -> float:
        """``sum_k (R_k - R_{k-1}) P_k``; particles that are never found lower it."""
        return float(np.sum(np.diff(self.recall, prepend=0.0) * self.precision))


@dataclass(frozen=True)
class PickScores:
    """Pick metrics pooled over micrographs, all by the greedy matching.

    Parameters
    ----------
    precision, recall, f1 : float
        Metrics of the picks at or above the given threshold.
    best_f1, best_threshold : float
        Highest F1 over all thresholds, and its threshold.
    average_precision : float
        See `Curve`.
    n_truth, n_picks : int
        Numbers of reference particles, and of picks at or above the threshold.
    """

    precision: float
    recall: float
    f1: float
    best_f1: float
    best_threshold: float
    average_precision: float
    n_truth: int
    n_picks: int


def score_picks(micrographs: Iterable[TruthAndPicks], radius_px: float, threshold: float = 0.0) -> PickScores:
    """Return the metrics over all micrographs.

    Parameters
    ----------
    micrographs : iterable of (truth, picks)
        ``(m, 2)`` reference centres (x, y) in pixels and the picks of each micrograph.
    radius_px : float
        Largest distance of a match in pixels.
    threshold : float
        Smallest score of a pick, for precision, recall and F1.
    """
    ranked = rank_picks(micrographs, radius_px)
    curve = draw_curve(ranked)
    above = ranked.score >= threshold
    right, n_picks, n_truth = int(ranked.hit[above].sum()), int(above.sum()), int(ranked.n_truth.sum())
    return PickScores(
        *precision_recall_f1(right, n_picks, n_truth),
        best_f1=float(curve.f1[curve.best]) if curve else 0.0,
        best_threshold=float(curve.threshold[curve.best]) if curve else 1.0,
        average_precision=curve.average_precision if curve else 0.0,
        n_truth=n_truth,
        n_picks=n_picks,
    )


def score_at(
    micrographs: Iterable[TruthAndPicks], radius_px: float, threshold: float | None, matching: Matching
) -> FixedScores:
    """Return the metrics at a threshold over all micrographs.

    Parameters
    ----------
    micrographs : iterable of (truth, picks)
        ``(m, 2)`` reference centres (x, y) in pixels and the picks of each micrograph.
    radius_px : float
        Largest distance of a match in pixels.
    threshold : float or None
        Smallest score of a pick; None for all picks.
    matching : Matching
        Method of matching, see `matched_distances`.
    """
    n_picks = n_truth = 0
    distances = [np.zeros(0)]
    for truth_xy_px, candidates in micrographs:
        picks = candidates if threshold is None else candidates.above(threshold)
        distances.append(matched_distances(truth_xy_px, picks, radius_px, matching))
        n_picks, n_truth = n_picks + len(picks), n_truth + len(truth_xy_px)
    distance = np.concatenate(distances)
    median = float(np.median(distance)) if len(distance) else float("nan")
    shares = precision_recall_f1(len(distance), n_picks, n_truth)
    return FixedScores(len(distance), n_picks, n_truth, *shares, median)


def rank_picks(micrographs: Iterable[TruthAndPicks], radius_px: float) -> RankedPicks:
    """Label all picks by the greedy matching, and sort them by score."""
    pairs: Sequence[TruthAndPicks] = list(micrographs)
    hits = [np.zeros(0, np.bool_)] + [match_picks(truth, picks, radius_px) for truth, picks in pairs]
    score = np.concatenate([np.zeros(0)] + [picks.score for _, picks in pairs])
    order = np.argsort(-score, kind="stable")
    number = np.repeat(np.arange(len(pairs)), [len(picks) for _, picks in pairs])
    n_truth = np.array([len(truth) for truth, _ in pairs], np.int64)
    return RankedPicks(score[order], np.concatenate(hits)[order], number[order], n_truth)


def draw_curve(ranked: RankedPicks, weight: NDArray[np.int64] | None = None) -> Curve | None:
    """Return the precision-recall curve; None without picks or without reference particles.

    Parameters
    ----------
    ranked : RankedPicks
        Picks with their labels.
    weight : NDArray[np.int64], optional
        ``(m,)`` number of times each micrograph counts; once by default.
    """
    weight = np.ones(len(ranked.n_truth), np.int64) if weight is None else weight
    n_truth, times = int(weight @ ranked.n_truth), weight[ranked.micrograph]
    count, found = np.cumsum(times), np.cumsum(times * ranked.hit)
    last = np.append(ranked.score[1:] != ranked.score[:-1], True)[: len(count)] & (count > 0)
    if n_truth == 0 or not last.any():
        return None
    count, found = count[last], found[last]
    return Curve(ranked.score[last], found / count, found / n_truth, 2 * found / (count + n_truth))


def precision_recall_f1(right: int, n_picks: int, n_truth: int) -> tuple[float, float, float]:
    """Return precision, recall and F1 of counts; 0 where the denominator is 0.

    Parameters
    ----------
    right, n_picks, n_truth : int
        Numbers of correct picks, picks and reference particles.
    """
    return (
        right / n_picks if n_picks else 0.0,
        right / n_truth if n_truth else 0.0,
        2 * right / (n_picks + n_truth) if n_picks + n_truth else 0.0,
    )
