"""Scores of a conditional random field on simulated fields, and how sure a difference of two is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, distance_transform_edt

THRESHOLDS = np.arange(0.06, 0.9, 0.02)
BOUNDARY_PX = 2
PRECISIONS = (0.9, 0.8, 0.7)


@dataclass(frozen=True)
class Outcome:
    """One variant on some fields: IoU and boundary F1 of each, its picks (right, score), and seconds."""

    iou: NDArray[np.float64]
    boundary: NDArray[np.float64]
    picks: list[tuple[NDArray[np.bool_], NDArray[np.float64]]]
    seconds: float


def overlaps(probability: NDArray[np.float32], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the IoU at each of `THRESHOLDS`; not a number without a particle."""
    if not truth.any():
        return np.full(len(THRESHOLDS), np.nan)
    step = np.searchsorted(THRESHOLDS, probability, side="right")
    said, right = (
        np.bincount(one, minlength=len(THRESHOLDS) + 1)[::-1].cumsum()[::-1][1:]
        for one in (step.ravel(), step[truth])
    )
    return right / (said + truth.sum() - right)


def boundary_f1(mask: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Return the F1 of boundary pixels within 2 px of one another (Csurka et al. 2013)."""
    if not truth.any():
        return np.nan
    edges = [one & ~binary_erosion(one, border_value=1) for one in (mask, truth)]
    if not edges[0].any() or not edges[1].any():
        return 0.0
    precision, recall = (
        float((distance_transform_edt(~other)[one] <= BOUNDARY_PX).mean())
        for one, other in (edges, edges[::-1])
    )
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def pick_rows(outcome: Outcome, base: Outcome, n_truth: NDArray[np.int64]) -> dict[str, Any]:
    """Return average precision and recall at equal precisions, and the paired differences."""
    everything = np.arange(len(n_truth))
    row: dict[str, Any] = {}
    for number, name in enumerate(["ap", *(f"recall@{p}" for p in PRECISIONS), "mean_recall"]):
        row[name] = float(pick_scores(outcome, n_truth, everything)[number])
        row[f"d_{name}"] = interval(
            len(n_truth),
            lambda drawn: (
                pick_scores(outcome, n_truth, drawn)[number] - pick_scores(base, n_truth, drawn)[number]
            ),
            200,
        )
    return row


def recall_gain(
    outcome: Outcome, base: Outcome, n_truth: NDArray[np.int64], chosen: NDArray[np.intp]
) -> tuple[float, float, float]:
    """Return the difference of the mean recall at equal precisions on chosen fields, with its interval."""
    return interval(
        chosen,
        lambda drawn: pick_scores(outcome, n_truth, drawn)[-1] - pick_scores(base, n_truth, drawn)[-1],
        200,
    )


def pick_scores(outcome: Outcome, n_truth: NDArray[np.int64], drawn: NDArray[np.int64]) -> list[float]:
    """Return average precision, the recall at each of `PRECISIONS`, and their mean, pooled over fields."""
    right, score = (np.concatenate([outcome.picks[k][part] for k in drawn]) for part in (0, 1))
    found = np.cumsum(right[np.argsort(-score, kind="stable")])
    precision, recall = found / np.arange(1, len(found) + 1), found / n_truth[drawn].sum()
    at_precision = [float(recall[precision >= p].max(initial=0)) for p in PRECISIONS]
    ap = float(np.sum(np.diff(recall, prepend=0) * precision))
    return [ap, *at_precision, float(np.mean(at_precision))]


def interval(
    values: NDArray[np.float64] | NDArray[np.intp] | int,
    statistic: Callable[[Any], Any],
    n_resamples: int = 300,
) -> tuple[float, float, float]:
    """Return a statistic of `values`, or of the indices below a number, and its 95 % bootstrap interval."""
    rng = np.random.default_rng(0)
    sample = np.arange(values) if isinstance(values, int) else values
    draws = [statistic(rng.choice(sample, len(sample))) for _ in range(n_resamples)]
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(statistic(sample)), float(low), float(high)


def shown(value: Any) -> str:
    """Return a number, or a difference with its interval."""
    return f"{value:.4f}" if isinstance(value, float) else "{:+.4f} [{:+.4f}, {:+.4f}]".format(*value)
