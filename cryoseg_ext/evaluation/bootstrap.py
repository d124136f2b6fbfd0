"""Confidence intervals by the bootstrap over micrographs (Efron 1979)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.arrays import FloatArray
from cryoseg_ext.evaluation.picks import FixedScores, RankedPicks, draw_curve

N_DRAWS = 1000
"""Bootstrap samples."""
_N_CURVES = 200
"""Bootstrap samples of the curve, fewer because each is a pass over all picks."""
_SEED = 0

Interval = tuple[float, float]
"""The 2.5th and the 97.5th percentile."""


def draw_weights(n_micrographs: int, n_draws: int = N_DRAWS) -> NDArray[np.int64]:
    """Return ``(n_draws, n_micrographs)`` numbers of times each micrograph is drawn, equal in every call."""
    rng = np.random.default_rng(_SEED)
    return rng.multinomial(n_micrographs, np.full(n_micrographs, 1 / n_micrographs), n_draws)


def interval(values: FloatArray) -> Interval:
    """Return the 95 % interval of the finite values of a metric; NaN without any."""
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def pick_intervals(fixed: Sequence[FixedScores], ranked: RankedPicks | None) -> dict[str, Interval]:
    """Return the intervals of pick metrics by name; none for a single micrograph.

    Parameters
    ----------
    fixed : Sequence[FixedScores]
        Metrics of each micrograph, all at the same threshold.
    ranked : RankedPicks or None
        All picks; None if they have no scores.
    """
    if len(fixed) < 2:
        return {}
    weights = draw_weights(len(fixed))
    tp, picks, truth = (
        weights @ np.array([getattr(scores, name) for scores in fixed]) for name in ("tp", "picks", "truth")
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        values = {
            "precision": tp / picks,
            "recall": tp / truth,
            "f1": 2 * tp / (picks + truth),
            "count_error": (picks - truth) / truth,
        }
    if ranked is not None:
        curves = [curve for weight in weights[:_N_CURVES] if (curve := draw_curve(ranked, weight))]
        values["average_precision"] = np.array([curve.average_precision for curve in curves])
        values["best_f1"] = np.array([curve.f1.max() for curve in curves])
    return {name: interval(value) for name, value in values.items()}
