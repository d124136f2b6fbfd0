"""Precision, recall, F1 and average precision of picks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.evaluation.matching import FloatArray, Matching, match_picks, matched_distances
from cryoseg_ext.picks import Picks

TruthAndPicks = tuple[FloatArray, Picks]
"""``(m, 2)`` reference centres (x, y) in pixels, and the picks, of one micrograph."""


@dataclass(frozen=True)
class FixedScores:
    """Pick metrics at one threshold, counts summed over micrographs.

    Parameters
    ----------
    tp, picks, truth : int
        Matched pairs, picks, reference particles.
    precision, recall, f1 : float
        0 where there is nothing to divide by.
    median_distance : float
        Of the matched pairs, in pixels; NaN without any.
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
        """Too many (positive) or too few picks, in shares of the reference particles."""
        return (self.picks - self.truth) / self.truth if self.truth else float("nan")


@dataclass(frozen=True)
class RankedPicks:
    """All picks in falling order of score, each labelled once by the greedy matching.

    Parameters
    ----------
    score : NDArray[np.float64]
        ``(n,)``, falling.
    hit : NDArray[np.bool_]
        ``(n,)`` whether the pick is right.
    micrograph : NDArray[np.intp]
        ``(n,)`` the number of its micrograph.
    n_truth : NDArray[np.int64]
        ``(m,)`` reference particles of each micrograph.
    """

    score: FloatArray
    hit: NDArray[np.bool_]
    micrograph: NDArray[np.intp]
    n_truth: NDArray[np.int64]


@dataclass(frozen=True)
class Curve:
    """Precision and recall at every distinct score, from the highest down.

    Parameters
    ----------
    threshold, precision, recall, f1 : NDArray[np.float64]
        ``(k,)``, `k` at least 1.
    """

    threshold: FloatArray
    precision: FloatArray
    recall: FloatArray
    f1: FloatArray

    @property
    def best(self) -> int:
        """Where F1 is highest."""
        return int(self.f1.argmax())

    @property
    def average_precision(self) -> float:
        """``sum_k (R_k - R_{k-1}) P_k``: what is never found lowers it."""
        return float(np.sum(np.diff(self.recall, prepend=0.0) * self.precision))


@dataclass(frozen=True)
class PickScores:
    """Pick metrics pooled over micrographs, all by the greedy matching.

    Parameters
    ----------
    precision, recall, f1 : float
        Of the picks at or above the threshold asked for.
    best_f1, best_threshold : float
        Highest F1 over all thresholds, and where it is.
    average_precision : float
        See `Curve`.
    n_truth, n_picks : int
        Reference particles, and picks at or above the threshold.
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
        ``(m, 2)`` reference centres (x, y) and the picks, of each micrograph.
    radius_px : float
        Largest distance of a match.
    threshold : float
        From which a score counts as a pick, for precision, recall and F1.
    """
    ranked = rank_picks(micrographs, radius_px)
    curve = draw_curve(ranked)
    above = ranked.score >= threshold
    right, n_picks, n_truth = int(ranked.hit[above].sum()), int(above.sum()), int(ranked.n_truth.sum())
    return PickScores(
        *_precision_recall_f1(right, n_picks, n_truth),
        best_f1=float(curve.f1[curve.best]) if curve else 0.0,
        best_threshold=float(curve.threshold[curve.best]) if curve else 1.0,
        average_precision=curve.average_precision if curve else 0.0,
        n_truth=n_truth,
        n_picks=n_picks,
    )


def score_at(
    micrographs: Iterable[TruthAndPicks], radius_px: float, threshold: float | None, matching: Matching
) -> FixedScores:
    """Return the metrics of the picks whose score is at least `threshold`; of all picks when it is None."""
    n_picks = n_truth = 0
    distances = [np.zeros(0)]
    for truth_xy_px, every in micrographs:
        picks = every if threshold is None else every.above(threshold)
        distances.append(matched_distances(truth_xy_px, picks, radius_px, matching))
        n_picks, n_truth = n_picks + len(picks), n_truth + len(truth_xy_px)
    distance = np.concatenate(distances)
    median = float(np.median(distance)) if len(distance) else float("nan")
    shares = _precision_recall_f1(len(distance), n_picks, n_truth)
    return FixedScores(len(distance), n_picks, n_truth, *shares, median)


def rank_picks(micrographs: Iterable[TruthAndPicks], radius_px: float) -> RankedPicks:
    """Label all picks by the greedy matching, and sort them by score."""
    every: Sequence[TruthAndPicks] = list(micrographs)
    hits = [np.zeros(0, np.bool_)] + [match_picks(truth, picks, radius_px) for truth, picks in every]
    score = np.concatenate([np.zeros(0)] + [picks.score for _, picks in every])
    order = np.argsort(-score, kind="stable")
    number = np.repeat(np.arange(len(every)), [len(picks) for _, picks in every])
    n_truth = np.array([len(truth) for truth, _ in every], np.int64)
    return RankedPicks(score[order], np.concatenate(hits)[order], number[order], n_truth)


def draw_curve(ranked: RankedPicks, weight: NDArray[np.int64] | None = None) -> Curve | None:
    """Return the curve of ranked picks; None where there are no picks or no reference particles.

    Parameters
    ----------
    ranked : RankedPicks
        The picks.
    weight : NDArray[np.int64], optional
        ``(m,)`` how often each micrograph counts; once by default.
    """
    weight = np.ones(len(ranked.n_truth), np.int64) if weight is None else weight
    n_truth, times = int(weight @ ranked.n_truth), weight[ranked.micrograph]
    count, found = np.cumsum(times), np.cumsum(times * ranked.hit)
    last = np.append(ranked.score[1:] != ranked.score[:-1], True)[: len(count)] & (count > 0)
    if n_truth == 0 or not last.any():
        return None
    count, found = count[last], found[last]
    return Curve(ranked.score[last], found / count, found / n_truth, 2 * found / (count + n_truth))


def _precision_recall_f1(right: int, n_picks: int, n_truth: int) -> tuple[float, float, float]:
    return (
        right / n_picks if n_picks else 0.0,
        right / n_truth if n_truth else 0.0,
        2 * right / (n_picks + n_truth) if n_picks + n_truth else 0.0,
    )
