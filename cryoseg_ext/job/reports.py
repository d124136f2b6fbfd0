"""The reports of a job: a PDF, a page for a browser, and the quality of each micrograph as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.arrays import Mask
from cryoseg_ext.averages import ClassAverage, class_averages
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import replace_text
from cryoseg_ext.job.finished import FinishedMicrograph, read_finished
from cryoseg_ext.job.host import Host
from cryoseg_ext.job.result import JobResult
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.picks import Picks
from cryoseg_ext.report.content import Overlay, Report
from cryoseg_ext.report.pages import write_report
from cryoseg_ext.report.particle_boxes import BOX_PX
from cryoseg_ext.report.preview import Preview, load_preview, stretch, with_even_boxes
from cryoseg_ext.report.review import write_review

QUALITY_COLUMNS = (
    *("micrograph", "picks", "mean_score", "usable", "contaminated", "film", "dead", "mottled"),
    "verdict",
)
MOST_AVERAGED = 2000
"""Particles in the class averages."""


def overlay_of(
    name: str,
    preview: Preview,
    finished: FinishedMicrograph,
    options: PickingOptions,
    picks: Picks,
) -> Overlay:
    """Return what to draw of a finished micrograph.

    Parameters
    ----------
    name : str
        Its caption.
    preview : Preview
        Its picture.
    finished : FinishedMicrograph
        Its result.
    options : PickingOptions
        How it was picked.
    picks : Picks
        Its picks.
    """
    candidates, pixel_size_A = finished.candidates, finished.pixel_size_A
    mixture_pixel_A = None if options.smallest_diameter_A is None else pixel_size_A
    diameter_px = options.particle_diameter_A / pixel_size_A
    return Overlay(name, preview, picks, diameter_px, mixture_pixel_A, candidates)


def without_masked(preview: Preview, every: Picks, kept: Picks) -> Preview:
    """Return a preview with the boxes of those candidates only that a mask did not leave out.

    Parameters
    ----------
    preview : Preview
        Its boxes are numbered by `every`.
    every : Picks
        All candidates of the micrograph.
    kept : Picks
        Some of them, in the same order; they number the boxes that are returned.
    """
    is_kept = _are_among(every, kept)
    # A number beyond them all can only come from a file of somebody else's.
    remains = np.append(is_kept, False)[np.minimum(preview.box_candidates, len(every))]
    numbers = (np.cumsum(is_kept) - 1)[preview.box_candidates[remains]]
    return replace(preview, boxes=preview.boxes[remains], box_candidates=numbers)


def _are_among(some: Picks, others: Picks) -> Mask:
    return np.isin(some.x_px + 1j * some.y_px, others.x_px + 1j * others.y_px)


def report_of(result: JobResult, title: str, warn: Callable[[str], None] = lambda _: None) -> Report:
    """Return what the PDF, the page and an event log show of a job: a sample of micrographs, and counts.

    Parameters
    ----------
    result : JobResult
        The job's result.
    title : str
        What ran the job; may be empty.
    warn : callable
        Called with a sentence on each picture that is damaged, which is left out.
    """
    overlays: dict[int, Overlay] = {}
    boxes = [np.zeros((0, BOX_PX, BOX_PX), np.uint8)]
    for number, name in enumerate(result.finished):
        # Only a sample of micrographs has a preview, of several runs perhaps two in a part of the list.
        part = stretch(number, len(result.finished))
        if part in overlays:
            continue
        path = result.files[name].preview
        if preview := load_preview(path):
            kept = result.finished[name]
            every = (read_finished(result.files[name].candidates) or kept).candidates
            shown = without_masked(preview, every, kept.candidates)
            picks = result.picks[name]
            overlays[part] = overlay_of(name, shown, kept, result.options, picks)
            even = without_masked(with_even_boxes(preview, len(every)), every, kept.candidates)
            is_picked = _are_among(kept.candidates.at(even.box_candidates), picks)
            # A filament has no middle to be aligned by.
            boxes.append(even.boxes[is_picked & (kept.candidates.tube_id is None)])
        elif path.exists():
            warn(f"{path} is damaged: the reports go without this picture")
    heading = f"{title}: particles" if title else "Particles"
    qualities = list(result.qualities.values())
    return Report(
        title=f"{heading} of {result.options.stated_size}",
        threshold=result.threshold,
        n_picks=[quality.n_picks for quality in qualities],
        verdicts=[quality.verdict.words for quality in qualities],
        score_counts=result.score_counts,
        overlays=list(overlays.values()),
        skipped=list(result.skipped.values()),
        averages=_averages_of(np.concatenate(boxes)),
    )


def _averages_of(boxes: NDArray[np.uint8]) -> tuple[ClassAverage, ...]:
    chosen = np.random.default_rng(0).permutation(len(boxes))[:MOST_AVERAGED]
    return _averages_of_bytes(boxes[chosen].tobytes())


# Whoever watches, and a host with a log, asks for the report of the same boxes again.
@lru_cache(maxsize=1)
def _averages_of_bytes(content: bytes) -> tuple[ClassAverage, ...]:
    return class_averages(np.frombuffer(content, np.uint8).reshape(-1, BOX_PX, BOX_PX))


def write_reports(host: Host, result: JobResult) -> None:
    """Write the PDF, ``review.html`` and ``quality.tsv`` into the folder of a job."""
    report = report_of(result, host.title, host.warn)
    write_report(host.directory / host.report_name, report)
    every = result.with_rejected
    write_review(
        host.directory / "review.html",
        replace(report, score_counts=every.score_counts),
        list(every.finished),
        list(every.qualities.values()),
        result.edits,
        result.commands,
    )
    write_quality(host.directory / "quality.tsv", result)


def check_written(host: Host, result: JobResult, *, masks: bool) -> None:
    """Check that the folder of a job has all that its result promises, the files of each micrograph first.

    Parameters
    ----------
    host : Host
        The program that the job runs in.
    result : JobResult
        What the job has made.
    masks : bool
        Whether masks are among it.

    Raises
    ------
    CryosegError
        If something is missing, because somebody removed it while the job ran.
    """
    kept = [path for one in result.files.values() for path in (one.candidates, one.mask)[: 1 + masks]]
    for path in (*kept, *host.promised(result)):
        if not path.exists():
            raise CryosegError(
                f"{path} is not there any more, so it was removed while the job ran: run the job again, "
                "which makes what is missing"
            )


def write_quality(path: Path, result: JobResult) -> None:
    """Write the quality measures of each micrograph with `QUALITY_COLUMNS`, between tabs.

    It is no CSV file, because those in a folder of picks are picks to other programs.
    """
    text = io.StringIO()
    table = csv.writer(text, "excel-tab", lineterminator="\n")
    table.writerow(QUALITY_COLUMNS)
    for name, quality in result.qualities.items():
        areas = quality.areas
        shares = (areas.usable, areas.contaminated, areas.film, areas.dead, areas.mottled)
        score = f"{quality.mean_score:.4f}"
        table.writerow((name, quality.n_picks, score, *shares, quality.verdict.words))
    replace_text(path, text.getvalue())
