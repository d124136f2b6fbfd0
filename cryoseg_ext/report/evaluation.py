"""The PDF report of an evaluation: curve, calibration, counts, and a table of the micrographs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cryoseg_ext.evaluation.boxes import BoxSummary
from cryoseg_ext.evaluation.calibration import Reliability
from cryoseg_ext.evaluation.picks import FixedScores
from cryoseg_ext.evaluation.summary import PickSummary, PixelSummary
from cryoseg_ext.report.boxes import box_rows
from cryoseg_ext.report.pdf import new_page, write_pages

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROWS_PER_PAGE = 40
_MAX_ROWS = 200
"""Largest number of micrographs in the table."""
_HEAD = ("micrograph", "truth", "picks", "precision", "recall", "F1", "median distance (px)")
_WIDTHS = (0.46, 0.08, 0.08, 0.09, 0.09, 0.08, 0.12)
"""Widths of the columns of `_HEAD`, as fractions of the table's width."""


def write_evaluation_report(
    path: Path,
    picks: Mapping[str, PickSummary],
    pixels: PixelSummary | None,
    boxes: BoxSummary | None = None,
) -> None:
    """Write the PDF report of an evaluation.

    Parameters
    ----------
    path : Path
        Path of the PDF to write.
    picks : Mapping[str, PickSummary]
        Metrics of the picks by the match distance in words; may be empty.
    pixels : PixelSummary or None
        Metrics of the masks, if there are any.
    boxes : BoxSummary, optional
        Metrics of the picks as boxes.
    """
    write_pages(path, "Evaluation", _pages(picks, pixels, boxes))


def _pages(
    picks: Mapping[str, PickSummary], pixels: PixelSummary | None, boxes: BoxSummary | None
) -> Iterator[Figure]:
    if picks:
        yield pick_page(picks)
    if boxes is not None:
        lines = box_rows(boxes)
        title = f"Boxes of one diameter, {boxes.side_px:.1f} px; precision and recall at an IoU of 0.5"
        yield table_page(title, lines[0], lines[1:], (0.15, *[0.053] * (len(lines[0]) - 1)))
    if pixels is not None:
        lines = pixel_lines(pixels)
        yield table_page("Pixels", lines[0], lines[1:], (0.2, *[0.11] * (len(lines[0]) - 1)))
    for distance, summary in list(picks.items())[:1]:
        rows = _rows(summary.micrographs)
        title = f"Micrographs, the worst first, at a match distance of {distance}"
        if len(rows) < len(summary.micrographs):
            title += f": {len(rows)} of {len(summary.micrographs)}"
        for start in range(0, len(rows), _ROWS_PER_PAGE):
            yield table_page(title, _HEAD, rows[start : start + _ROWS_PER_PAGE], _WIDTHS)


def pick_page(picks: Mapping[str, PickSummary]) -> Figure:
    """Draw precision against recall, the calibration, and the counts of the micrographs."""
    figure = new_page()
    figure.suptitle("\n".join(_headline(*item) for item in picks.items()), fontsize=10)
    curves, calibration, counts = figure.subplots(
        1, 3, gridspec_kw={"top": 0.84, "bottom": 0.12, "left": 0.07, "right": 0.97, "wspace": 0.3}
    )
    for distance, summary in picks.items():
        if summary.curve:
            label = f"{distance}: AP {summary.curve.average_precision:.3f}"
            curves.plot(summary.curve.recall, summary.curve.precision, label=label)
        curves.plot(summary.fixed.recall, summary.fixed.precision, "k.")
    curves.set(xlabel="recall", ylabel="precision (dots: at the threshold)", xlim=(0, 1), ylim=(0, 1.02))
    if any(summary.curve for summary in picks.values()):
        curves.legend(frameon=False, fontsize=8)
    first = next(iter(picks.values()))
    _draw_calibration(calibration, first.calibration)
    _draw_counts(counts, first.micrographs)
    return figure


def table_page(
    title: str, head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[float]
) -> Figure:
    """Draw a page with a table.

    Parameters
    ----------
    title : str
        Title above the table.
    head : Sequence[str]
        Names of the columns.
    rows : Sequence[Sequence[str]]
        Text of the cells, row by row.
    widths : Sequence[float]
        Widths of the columns, as fractions of the table's width.
    """
    figure = new_page()
    ax = figure.add_axes((0.04, 0.03, 0.92, 0.9))
    ax.set_axis_off()
    ax.set_title(title, loc="left", fontsize=9)
    # One text per cell, because matplotlib's Table is slow.
    starts = np.cumsum([0, *widths[:-1]])
    for line, row in enumerate([head, *rows]):
        for x, cell in zip(starts, row, strict=True):
            y = 1 - (line + 1) / (_ROWS_PER_PAGE + 2)
            ax.text(x, y, cell, fontsize=7, parse_math=False, weight="bold" if line == 0 else "normal")
    return figure


def pixel_lines(pixels: PixelSummary) -> list[tuple[str, ...]]:
    """Return a table of the classes as text, with its head as the first row."""
    rows: list[tuple[str, ...]] = [("class", "accuracy", "precision", "recall", "IoU", "F1", "boundary F1")]
    for name, metrics in pixels.classes.items():
        scores = metrics.scores
        shares = (scores.precision, scores.recall, scores.iou, scores.f1)
        values = (metrics.accuracy, *shares, metrics.boundary_f1)
        rows.append((name, *(f"{value:.3f}" for value in values)))
    return rows


def _headline(distance: str, summary: PickSummary) -> str:
    fixed = summary.fixed
    low, high = summary.intervals.get("f1", (float("nan"), float("nan")))
    interval = f" (95 %: {low:.3f} to {high:.3f})" if np.isfinite(low) else ""
    return (
        f"Match distance {distance}: {fixed.picks} picks, {fixed.truth} particles, precision "
        f"{fixed.precision:.3f}, recall {fixed.recall:.3f}, F1 {fixed.f1:.3f}{interval}"
    )


def _draw_calibration(ax: Axes, calibration: Reliability | None) -> None:
    ax.set(xlabel="score (figure of merit)", ylabel="share of correct picks", xlim=(0, 1), ylim=(0, 1.02))
    if calibration is None:
        ax.text(0.5, 0.5, "no scores between 0 and 1", ha="center")
        return
    ax.plot([0, 1], [0, 1], color="0.7", linestyle="--")
    ax.plot(calibration.mean_score, calibration.share_right, color="tab:blue", marker="o")
    ax.set_title(f"calibration error {calibration.expected_calibration_error:.3f}", fontsize=9)


def _draw_counts(ax: Axes, micrographs: Mapping[str, FixedScores]) -> None:
    counts = np.array([(scores.truth, scores.picks) for scores in micrographs.values()])
    most = 1.05 * counts.max() + 1
    ax.plot([0, most], [0, most], color="0.7", linestyle="--")
    ax.plot(*counts.T, ".", color="0.2")
    ax.set(xlabel="particles of a micrograph", ylabel="picks on it", xlim=(0, most), ylim=(0, most))


def _rows(micrographs: Mapping[str, FixedScores]) -> list[tuple[str, ...]]:
    worst = sorted(micrographs.items(), key=lambda item: item[1].f1)[:_MAX_ROWS]
    return [
        (
            name if len(name) <= 70 else f"… {name[-68:]}",
            *(f"{scores.truth}", f"{scores.picks}"),
            *(f"{value:.3f}" for value in (scores.precision, scores.recall, scores.f1)),
            f"{scores.median_distance:.1f}",
        )
        for name, scores in worst
    ]
