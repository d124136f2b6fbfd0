"""The pages of a job's report, drawn on any `Canvas`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.arrays import Image
from cryoseg_ext.averages import ClassAverage
from cryoseg_ext.report.canvas import PAGE_PT, Box, Canvas, write_pdf
from cryoseg_ext.report.content import SCORE_BINS, Overlay, Report
from cryoseg_ext.report.preview import GREY_LEVELS, outline

_MOST_OVERLAYS = 12
_SKIPPED_SHOWN = 18
_PICK_COLOUR = "#ffd92f"
MASK_COLOUR, CONTAMINATED_COLOUR = "#33a0ff", "#ff5c5c"
_BAR_COLOUR, _LIMIT_COLOUR = "#666666", "#d62728"
_MOST_BARS = 40
_AVERAGES_ACROSS = 5
_GLANCE = (
    "A glance at a sample of the picks, in small boxes, without correction of the CTF: a class that shows no",
    "particle holds junk. It does not replace Class2D of RELION or 2D Classification of CryoSPARC.",
)
_TITLE, _LABEL, _SMALL = 12, 9, 7.5
"""Sizes of letters."""


def write_report(path: Path, report: Report) -> None:
    """Write the report as a PDF."""
    write_pdf(path, report.title, pages_of(report))


def pages_of(report: Report) -> Iterator[Callable[[Canvas], None]]:
    """Yield what draws each page: numbers and histograms, class averages, then overlays, two side by side."""
    yield partial(draw_summary, report=report)
    if report.averages:
        yield partial(draw_averages, averages=report.averages)
    # An even sample: each one adds a fifth of a megabyte.
    overlays = report.overlays[:: max(1, -(-len(report.overlays) // _MOST_OVERLAYS))]
    for start in range(0, len(overlays), 2):
        yield partial(draw_overlays, overlays=overlays[start : start + 2])


def draw_summary(canvas: Canvas, report: Report) -> None:
    """Draw the histograms of picks per micrograph and of scores, and list what was skipped."""
    width, height = PAGE_PT
    counts = report.n_picks
    lines = (
        report.title,
        f"{sum(counts)} picks on {len(counts)} micrographs at a threshold of {report.threshold:g}",
        ", ".join(f"{n} {verdict}" for verdict, n in Counter(report.verdicts).most_common()),
    )
    for number, text in enumerate(lines):
        canvas.text(width / 2, height - 30 - 16 * number, text, _TITLE, 0.5)
    bottom = 300 if report.skipped else 60
    boxes: list[Box] = [(x, bottom, 340, height - 106 - bottom) for x in (65, 470)]
    most = max(counts, default=0) + 1
    bars = np.histogram(counts, min(_MOST_BARS, most), (0, most))[0]
    _draw_histogram(canvas, boxes[0], bars, most, ("picks per micrograph", "micrographs"))
    words = ("score (figure of merit)", "candidates")
    # Two of the page's bins in one.
    bars = report.score_counts.reshape(-1, SCORE_BINS // 2, 2).sum(axis=(0, 2), dtype=np.int64)
    _draw_histogram(canvas, boxes[1], bars, 1, words)
    x, y, across, up = boxes[1]
    canvas.bars([(x + across * report.threshold - 0.5, y, 1, up)], _LIMIT_COLOUR)
    canvas.text(x + across * report.threshold, y + up + 5, f"threshold {report.threshold:g}", 8, 0.5)
    if report.skipped:
        _list_skipped(canvas, report.skipped)


def draw_averages(canvas: Canvas, averages: Sequence[ClassAverage]) -> None:
    """Draw class averages with the number of particles behind each, and say what they are for."""
    width, height = PAGE_PT
    n = sum(one.n_particles for one in averages)
    lines = (
        f"Averages of {n} picks in {len(averages)} {'class' if len(averages) == 1 else 'classes'}",
        *_GLANCE,
    )
    for line, text in enumerate(lines):
        canvas.text(width / 2, height - 30 - 16 * line, text, _LABEL if line else _TITLE, 0.5)
    greys = _palette()[:GREY_LEVELS]
    for number, one in enumerate(averages):
        row, column = divmod(number, _AVERAGES_ACROSS)
        x, y = 36 + 156 * column, 340 - 205 * row
        canvas.picture((x, y, 146, 146), average_levels(one.image), greys)
        canvas.frame((x, y, 146, 146))
        words = f"{one.n_particles} particles ({100 * one.n_particles / n:.0f} %)"
        canvas.text(x + 73, y - 13, words, _LABEL, 0.5)


def average_levels(image: Image) -> NDArray[np.uint8]:
    """Return the grey values of a class average, 0 black to 31 white, with three pixels for one."""
    from scipy.ndimage import zoom

    fine = zoom(image, 3, order=3)
    levels = (fine - fine.min()) / max(float(np.ptp(fine)), 1e-12) * (GREY_LEVELS - 1)
    return np.asarray(np.rint(levels), np.uint8)


def draw_overlays(canvas: Canvas, overlays: Sequence[Overlay]) -> None:
    """Draw one or two micrographs on a page."""
    for overlay, x in zip(overlays, (35, 445), strict=False):
        draw_overlay(canvas, (x, 80, 380, 440), overlay)


def draw_overlay(canvas: Canvas, room: Box, overlay: Overlay, *, legend: bool = True) -> None:
    """Draw one micrograph, the first stored row on top, with its picks and the outlines of its areas.

    Parameters
    ----------
    canvas : Canvas
        The page.
    room : Box
        The place for it and for what is written above.
    overlay : Overlay
        What to draw.
    legend : bool
        Whether picks and areas are explained below the caption.
    """
    preview, picks = overlay.preview, overlay.picks
    ny, nx = preview.source_shape
    left, bottom, width, height = room
    step = min(width / nx, (height - 30) / ny)
    bottom += (height - 30 - step * ny) / 2
    box = (left, bottom, step * nx, step * ny)
    levels = np.where(outline(preview.mask), GREY_LEVELS, preview.image)
    levels = np.where(outline(preview.contaminated), GREY_LEVELS + 1, levels).astype(np.uint8)
    canvas.picture(box, levels, _palette())
    xy = np.stack([left + step * (picks.x_px + 0.5), bottom + step * (ny - 0.5 - picks.y_px)], axis=1)
    canvas.circles(xy, step * overlay.diameters_px(picks), _PICK_COLOUR, box)
    canvas.frame(box)
    for pixel in _ticks(nx):
        canvas.text(left + step * pixel, bottom - 9, f"{pixel:g}", 6, 0.5)
    for pixel in _ticks(ny):
        canvas.text(left - 3, bottom + step * (ny - pixel) - 2, f"{pixel:g}", 6, 1)
    lines = [shortened(overlay.name, 90)]
    if legend:
        dirt = ", contaminated (red)" if preview.contaminated.any() else ""
        lines.append(f"{len(picks)} picks (yellow), mask (blue){dirt}")
    for number, line in enumerate(reversed(lines)):
        canvas.text(left + box[2] / 2, bottom + box[3] + 5 + 10 * number, line, _SMALL, 0.5)


def _draw_histogram(
    canvas: Canvas, box: Box, counts: NDArray[np.int64], to: float, labels: tuple[str, str]
) -> None:
    """Draw counts of equal bins from 0 to `to`, with labels of x and y."""
    x, y, width, height = box
    most = max(1, int(counts.max(initial=0))) * 1.05
    step = width / len(counts)
    canvas.bars(
        [(x + step * bin_, y, step, height * count / most) for bin_, count in enumerate(counts) if count],
        _BAR_COLOUR,
    )
    canvas.frame(box)
    for value in _ticks(to):
        canvas.text(x + width * value / to, y - 12, f"{value:g}", _SMALL, 0.5)
    for value in _ticks(most):
        if value == round(value):
            canvas.text(x - 4, y + height * value / most - 2.5, f"{value:.0f}", _SMALL, 1)
    canvas.text(x + width / 2, y - 28, labels[0], _LABEL, 0.5)
    canvas.text(x - 34, y + height / 2, labels[1], _LABEL, 0.5, up=True)


def _ticks(to: float) -> list[float]:
    """Return some round numbers from 0 to `to`."""
    ten = 10.0 ** math.floor(math.log10(to / 4))
    step = next(times * ten for times in (1, 2, 5, 10) if to / (times * ten) <= 9)
    return [step * number for number in range(math.floor(to / step + 1e-9) + 1)]


def _palette() -> NDArray[np.uint8]:
    greys = np.repeat(np.linspace(0, 255, GREY_LEVELS)[:, None], 3, axis=1)
    colours = [list(bytes.fromhex(colour[1:])) for colour in (MASK_COLOUR, CONTAMINATED_COLOUR)]
    return np.round(np.concatenate([greys, colours])).astype(np.uint8)


def _list_skipped(canvas: Canvas, skipped: Sequence[str]) -> None:
    lines = [shortened(sentence, 190) for sentence in skipped[:_SKIPPED_SHOWN]]
    if len(skipped) > len(lines):
        lines.append(f"and {len(skipped) - len(lines)} more")
    canvas.text(50, 245, f"{len(skipped)} micrographs skipped", _LABEL)
    for number, line in enumerate(lines, start=1):
        canvas.text(50, 243 - 11 * number, line, _SMALL)


def shortened(text: str, length: int) -> str:
    """Return text without its middle where it is longer than `length` letters."""
    return text if len(text) <= length else f"{text[: length // 2 - 2]} … {text[1 - length // 2 :]}"
