"""What jobs show in their event log."""

from __future__ import annotations

import platform
from functools import partial
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from cryoseg_ext.cryosparc.versions import CLIENT_VERSION
from cryoseg_ext.files import replacing
from cryoseg_ext.words import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cryoseg_ext.job.result import JobResult
    from cryoseg_ext.report.content import Overlay, Report

_OVERLAY_PT, _DPI = (500.0, 520.0), 120
_ROOM = (30.0, 20.0, 460.0, 490.0)
"""Place of the picture on its page."""
_MOST_ROWS = 50


def programs() -> str:
    """Return the versions of the programs at work, and the machine."""
    return f"cryoseg {version('cryoseg')} on {platform.node()}, cryosparc-tools {CLIENT_VERSION}"


def overlay_png(overlay: Overlay) -> bytes:
    """Draw picks and mask of a micrograph as PNG."""
    from cryoseg_ext.report.pages import draw_overlay
    from cryoseg_ext.report.pixels import as_png, draw_pixels

    return as_png(draw_pixels(partial(draw_overlay, room=_ROOM, overlay=overlay), _OVERLAY_PT, _DPI))


def summary_png(report: Report) -> bytes:
    """Draw the histograms of a job as PNG."""
    from cryoseg_ext.report.pages import draw_summary
    from cryoseg_ext.report.pixels import as_png, draw_pixels

    return as_png(draw_pixels(partial(draw_summary, report=report), dpi=_DPI))


def averages_png(report: Report) -> bytes:
    """Draw the class averages of a job as PNG."""
    from cryoseg_ext.report.pages import draw_averages
    from cryoseg_ext.report.pixels import as_png, draw_pixels

    return as_png(draw_pixels(partial(draw_averages, averages=report.averages), dpi=_DPI))


def figure_png(figure: Figure) -> bytes:
    """Return a figure as PNG."""
    picture = BytesIO()
    figure.savefig(picture, format="png", dpi=_DPI)
    return picture.getvalue()


def write_picture(path: Path, picture: bytes) -> Path:
    """Write a picture to a file, and return its path."""
    with replacing(path) as temporary:
        temporary.write_bytes(picture)
    return path


def quality_table(result: JobResult, folder: Path) -> str:
    """Return the quality of the worst 50 micrographs as text, and which files in `folder` have more."""
    ranked = sorted(result.qualities.items(), key=lambda one: (one[1].areas.usable, one[1].n_picks))
    rows = [
        f"{quality.areas.usable:6.0%} {quality.areas.contaminated:12.0%} {quality.n_picks:6d} "
        f"{quality.mean_score:6.2f}  {quality.verdict.words:15s}  {name}"
        for name, quality in ranked[:_MOST_ROWS]
    ]
    lines = [
        f"{len(rows)} of {len(ranked)} micrographs, by usable area and picks, the worst first:",
        "usable contaminated  picks  score  verdict          micrograph",
        *rows,
        "All of them: quality.tsv; pictures and histograms: review.html, for a browser, and report.pdf; in "
        f"{folder}",
    ]
    if result.skipped:
        lines.append(f"{counted(len(result.skipped), 'micrograph')} skipped: review.html says why")
    return "\n".join(lines)
