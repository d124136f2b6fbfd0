"""Precision, recall, F1 and average precision of picks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cryoseg_ext.picks import Picks

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class PickScores:
    """Pick metrics pooled over micrographs.

    Parameters
    ----------
    precision, recall, f1 : float
        Of the picks at or above the threshold asked for.
    best_f1, best_threshold : float
        Highest F1 over all thresholds, and where it is.
    average_precision : float
        ``sum_k (R_k - R_{k-1}) P_k`` over distinct scores.
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


def match_picks(truth_xy_px: FloatArray, picks: Picks, radius_px: float) -> NDArray[np.bool_]:
    """Return which picks are right: best first, each takes the nearest free particle within `radius_px`.

    Parameters
    ----------
    truth_xy_px : NDArray[np.float64]
        ``(m, 2)`` reference centres (x, y) in the pixels of the picks.
    picks : Picks
        In falling order of score.
    radius_px : float
        Largest distance of a match.
    """
    hit = np.zeros(len(picks), np.bool_)
    if len(truth_xy_px) == 0 or len(picks) == 0:
        return hit
    picked_xy = np.stack([picks.x_px, picks.y_px], axis=1)
    free = np.ones(len(truth_xy_px), np.bool_)
    for index, near in enumerate(cKDTree(truth_xy_px).query_ball_point(picked_xy, radius_px)):
        candidates = [k for k in near if free[k]]
        if candidates:
            nearest = min(candidates, key=lambda k: float(np.hypot(*(truth_xy_px[k] - picked_xy[index]))))
            free[nearest], hit[index] = False, True
    return hit


def score_picks(
    micrographs: Iterable[tuple[FloatArray, Picks]], radius_px: float, threshold: float = 0.0
) -> PickScores:
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
    hits, scores, n_truth = [np.zeros(0, np.bool_)], [np.zeros(0)], 0
    for truth_xy_px, picks in micrographs:
        hits.append(match_picks(truth_xy_px, picks, radius_px))
        scores.append(picks.score)
        n_truth += len(truth_xy_px)
    score = np.concatenate(scores)
    order = np.argsort(-score, kind="stable")
    score, hit = score[order], np.concatenate(hits)[order]
    if n_truth == 0 or len(score) == 0:
        return PickScores(0.0, 0.0, 0.0, 0.0, 1.0, 0.0, n_truth, len(score))
    found = np.cumsum(hit)
    count = np.arange(1, len(score) + 1)
    distinct = np.append(score[1:] != score[:-1], True)
    recall, precision = found[distinct] / n_truth, found[distinct] / count[distinct]
    f1 = 2 * found[distinct] / (count[distinct] + n_truth)
    best = int(f1.argmax())
    n_picks = int((score >= threshold).sum())
    right = int(found[n_picks - 1]) if n_picks else 0
    return PickScores(
        precision=right / n_picks if n_picks else 0.0,
        recall=right / n_truth,
        f1=2 * right / (n_picks + n_truth),
        best_f1=float(f1[best]),
        best_threshold=float(score[distinct][best]),
        average_precision=float(np.sum(np.diff(recall, prepend=0.0) * precision)),
        n_truth=n_truth,
        n_picks=n_picks,
    )
