"""Scores of picks and masks for JSON, and as lines of text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from cryoseg_ext.evaluation.matching import Matching
from cryoseg_ext.evaluation.picks import FixedScores
from cryoseg_ext.evaluation.summary import PickSummary, PixelSummary


def pick_report(summary: PickSummary) -> dict[str, Any]:
    """Return the scores of picks for JSON: the keys of the usual scorer, and more."""
    report: dict[str, Any] = {"fixed": asdict(summary.fixed)}
    if summary.curve and summary.at_best:
        curve, best = summary.curve, summary.curve.best
        report |= {
            "best_threshold": float(curve.threshold[best]),
            "best_f1": float(curve.f1[best]),
            "best_precision": float(curve.precision[best]),
            "best_recall": float(curve.recall[best]),
            "average_precision": curve.average_precision,
            "max_recall": float(curve.recall[-1]),
            "f1_at_best": asdict(summary.at_best),
        }
    more: dict[str, Any] = {"count_error": summary.fixed.count_error, "confidence_95": summary.intervals}
    if summary.calibration:
        bins = {name: values.tolist() for name, values in asdict(summary.calibration).items()}
        more["calibration"] = bins | {"expected_error": summary.calibration.expected_calibration_error}
    more["micrographs"] = {name: asdict(scores) for name, scores in summary.micrographs.items()}
    # The usual keys stay as the scorer writes them.
    return {**report, **_without_nan(more)}


def pixel_report(summary: PixelSummary) -> dict[str, Any]:
    """Return the scores of masks for JSON."""
    return _without_nan(asdict(summary))


def pick_lines(
    fraction: float, summary: PickSummary, threshold: float | None, matching: Matching, *, each: bool
) -> Iterator[str]:
    """Yield the scores of picks as lines of text.

    Parameters
    ----------
    fraction : float
        Largest distance of a match, in diameters.
    summary : PickSummary
        The scores.
    threshold : float or None
        Lowest score of a pick.
    matching : Matching
        How picks were matched.
    each : bool
        Whether every micrograph has a line.
    """
    yield (
        f"match distance {fraction:g} x diameter = {summary.radius_px:.1f} px, {len(summary.micrographs)} "
        f"micrographs, {matching} matching"
    )
    if each:
        yield from (_line(name, scores) for name, scores in summary.micrographs.items())
    yield _line("all picks" if threshold is None else f"score >= {threshold:g}", summary.fixed)
    if summary.curve and summary.at_best:
        curve, best = summary.curve, summary.curve.best
        yield (
            f"  best F1 {curve.f1[best]:.4f} at score >= {curve.threshold[best]:.4g}  precision "
            f"{curve.precision[best]:.4f} recall {curve.recall[best]:.4f}  "
            f"(greedy; {matching} there: F1 {summary.at_best.f1:.4f})"
        )
        yield (
            f"  average precision {curve.average_precision:.4f}  "
            f"highest recall reached {curve.recall[-1]:.4f}"
        )
    if summary.calibration:
        yield f"  calibration error {summary.calibration.expected_calibration_error:.4f}"
    if summary.intervals:
        words = (f"{name} {low:.3f} to {high:.3f}" for name, (low, high) in summary.intervals.items())
        yield "  95 % of draws of the micrographs: " + ", ".join(words)


def _line(name: str, scores: FixedScores) -> str:
    return (
        f"  {name:16s} truth {scores.truth} picks {scores.picks} TP {scores.tp}  precision "
        f"{scores.precision:.4f} recall {scores.recall:.4f} F1 {scores.f1:.4f}  median distance "
        f"{scores.median_distance:.1f} px  count error {scores.count_error:+.3f}"
    )


def _without_nan(value: Any) -> Any:
    """Return null for what is not a number, which JSON does not have."""
    if isinstance(value, Mapping):
        return {name: _without_nan(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value
