"""The reports of a job: a PDF, a page for a browser, and the quality of each micrograph as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import replace_text
from cryoseg_ext.job.finished import FinishedMicrograph
from cryoseg_ext.job.host import Host
from cryoseg_ext.job.result import JobResult
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.report.content import Overlay, Report
from cryoseg_ext.report.pages import write_report
from cryoseg_ext.report.preview import Preview, load_preview, stretch
from cryoseg_ext.report.review import write_review

QUALITY_COLUMNS = ("micrograph", "picks", "mean_score", "usable", "contaminated", "film", "dead")


def overlay_of(
    name: str,
    preview: Preview,
    finished: FinishedMicrograph,
    options: PickingOptions,
    threshold: float,
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
    threshold : float
        Lowest score of a pick.
    """
    candidates, pixel_size_A = finished.candidates, finished.pixel_size_A
    mixture_pixel_A = None if options.smallest_diameter_A is None else pixel_size_A
    diameter_px = options.particle_diameter_A / pixel_size_A
    return Overlay(name, preview, candidates.above(threshold), diameter_px, mixture_pixel_A, candidates)


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
    for number, name in enumerate(result.finished):
        # Only a sample of micrographs has a preview, of several runs perhaps two in a part of the list.
        part = stretch(number, len(result.finished))
        if part in overlays:
            continue
        path = result.files[name].preview
        if preview := load_preview(path):
            overlays[part] = overlay_of(
                name, preview, result.finished[name], result.options, result.threshold
            )
        elif path.exists():
            warn(f"{path} is damaged: the reports go without this picture")
    heading = f"{title}: particles" if title else "Particles"
    return Report(
        title=f"{heading} of {result.options.stated_size}",
        threshold=result.threshold,
        n_picks=[quality.n_picks for quality in result.qualities.values()],
        score_counts=result.score_counts,
        overlays=list(overlays.values()),
        skipped=list(result.skipped.values()),
    )


def write_reports(host: Host, result: JobResult) -> None:
    """Write the PDF, ``review.html`` and ``quality.tsv`` into the folder of a job."""
    report = report_of(result, host.title, host.warn)
    write_report(host.directory / host.report_name, report)
    write_review(
        host.directory / "review.html", report, list(result.finished), list(result.qualities.values())
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
        shares = (areas.usable, areas.contaminated, areas.film, areas.dead)
        table.writerow((name, quality.n_picks, f"{quality.mean_score:.4f}", *shares))
    replace_text(path, text.getvalue())
