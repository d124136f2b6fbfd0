"""Scores of picks as boxes for JSON, as lines of text and as a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from cryoseg_ext.evaluation.boxes import IOUS, BoxScores, BoxSummary


def box_report(summary: BoxSummary) -> dict[str, Any]:
    """Return the scores of boxes for JSON."""
    return {
        "side_px": summary.side_px,
        "iou": [round(iou, 2) for iou in IOUS.tolist()],
        **_report(summary.pooled),
        "micrograph_means": summary.micrograph_means,
        "confidence_95": summary.intervals,
        "micrographs": {name: _report(scores) for name, scores in summary.micrographs.items()},
    }


def box_lines(summary: BoxSummary, threshold: float | None, *, scored: bool, each: bool) -> Iterator[str]:
    """Yield the scores of boxes as lines of text.

    Parameters
    ----------
    summary : BoxSummary
        The scores.
    threshold : float or None
        Lowest score of a pick for precision and recall.
    scored : bool
        Whether the picks have scores.
    each : bool
        Whether every micrograph has a line.
    """
    yield (
        f"boxes of one diameter = {summary.side_px:.1f} px, {len(summary.micrographs)} micrographs, "
        f"correct at an IoU of {IOUS[0]:g} or more"
    )
    if each:
        yield from (_line(name, scores) for name, scores in summary.micrographs.items())
    yield _line("all picks" if threshold is None else f"score >= {threshold:g}", summary.pooled)
    order = "all picks, best score first" if scored else "picks in the order of their files, without scores"
    precision = dict(zip(IOUS.round(2).tolist(), summary.pooled.average_precision, strict=True))
    yield (
        f"  mAP {summary.pooled.mean_average_precision:.4f} over IoU {IOUS[0]:.2f} to {IOUS[-1]:.2f}  "
        f"AP at 0.5 {precision[0.5]:.4f}, at 0.75 {precision[0.75]:.4f}  (COCO's; {order})"
    )
    means = summary.micrograph_means
    yield (
        f"  mean over micrographs: precision {means['precision']:.4f} recall {means['recall']:.4f} "
        f"mAP {means['mean_average_precision']:.4f}"
    )
    if summary.intervals:
        words = (
            f"{name.replace('mean_average_precision', 'mAP')} {low:.3f} to {high:.3f}"
            for name, (low, high) in summary.intervals.items()
        )
        yield "  95 % of draws of the micrographs: " + ", ".join(words)


def box_rows(summary: BoxSummary) -> list[tuple[str, ...]]:
    """Return a table of the average precision as text, with its head as the first row."""
    head = ("", "truth", "picks", "precision", "recall", "F1", "mAP", *(f"AP {iou:.2f}" for iou in IOUS))
    return [head, _row("micrographs together", summary.pooled)]


def _report(scores: BoxScores) -> dict[str, Any]:
    return asdict(scores) | {"mean_average_precision": scores.mean_average_precision}


def _line(name: str, scores: BoxScores) -> str:
    return (
        f"  {name:16s} truth {scores.truth} picks {scores.picks} TP {scores.tp}  precision "
        f"{scores.precision:.4f} recall {scores.recall:.4f} F1 {scores.f1:.4f}"
    )


def _row(name: str, scores: BoxScores) -> tuple[str, ...]:
    values = (scores.precision, scores.recall, scores.f1, scores.mean_average_precision)
    shares = (f"{value:.3f}" for value in (*values, *scores.average_precision))
    return (name, f"{scores.truth}", f"{scores.picks}", *shares)
