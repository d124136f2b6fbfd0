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
from cryoseg_ext.report.pdf import Overlay, Report, overlay_of_picks, write_report
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
    return overlay_of_picks(
        name, preview, finished.candidates.above(threshold), options, finished.pixel_size_A
    )


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
    for number, (name, one) in enumerate(result.finished.items()):
        # Only a sample of micrographs has a preview, of several runs perhaps two in a part of the list.
        part = stretch(number, len(result.finished))
        if part in overlays:
            continue
        path = result.files[name].preview
        if preview := load_preview(path):
            overlays[part] = overlay_of(name, preview, one, result.options, result.threshold)
        elif path.exists():
            warn(f"{path} is damaged: the reports go without this picture")
    heading = f"{title}: particles" if title else "Particles"
    return Report(
        title=f"{heading} of {result.options.stated_size}",
        threshold=result.threshold,
        candidates=[one.candidates for one in result.finished.values()],
        overlays=list(overlays.values()),
        skipped=list(result.skipped.values()),
    )


def write_reports(host: Host, result: JobResult) -> None:
    """Write the PDF, ``review.html`` and ``quality.csv`` into the folder of a job."""
    report = report_of(result, host.title, host.warn)
    write_report(host.directory / host.report_name, report)
    write_review(
        host.directory / "review.html", report, list(result.finished), list(result.qualities.values())
    )
    write_quality(host.directory / "quality.csv", result)


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
    """Write the quality measures of each micrograph as CSV, with `QUALITY_COLUMNS`."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(QUALITY_COLUMNS)
    for name, quality in result.qualities.items():
        areas = quality.areas
        shares = (areas.usable, areas.contaminated, areas.film, areas.dead)
        table.writerow((name, quality.n_picks, f"{quality.mean_score:.4f}", *shares))
    replace_text(path, text.getvalue())
