"""What the job shows in its event log and on its tile."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from cryoseg_ext.cryosparc.client import CLIENT_VERSION
from cryoseg_ext.files import replacing
from cryoseg_ext.report import make_preview
from cryoseg_ext.report.pdf import Overlay, Report, draw_overlay, summary_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cryoseg_ext.cryosparc.groups import Exposure
    from cryoseg_ext.cryosparc.job import ExternalJob
    from cryoseg_ext.network import Model
    from cryoseg_ext.options import PickingOptions
    from cryoseg_ext.picks import Picks
    from cryoseg_ext.pipeline import PickedMicrograph

OVERLAY_FILE = "overlay.png"
_OVERLAY_INCHES, _DPI = (7.0, 7.0), 120


def log_settings(job: ExternalJob, options: PickingOptions, model: Model, threshold: float) -> None:
    """Write the settings of the run to the event log."""
    diameter_A = options.particle_diameter_A
    lines = (
        f"cryoseg {version('cryoseg')} on {platform.node()}, cryosparc-tools {CLIENT_VERSION}",
        f"particle diameter: {diameter_A:g} Å",
        f"extraction: {options.extraction.method}, least distance of two picks {options.min_distance_A:g} Å",
        f"threshold: {threshold:g}" + (" (the model's own)" if threshold == model.threshold else ""),
        f"model: {model.fingerprint} on {model.device}",
        f"conditional random field: {options.crf or 'left out'}",
    )
    job.log("\n".join(lines))


def log_overlay(job: ExternalJob, exposure: Exposure, picked: PickedMicrograph, picks: Picks) -> None:
    """Draw picks and mask on a micrograph, for the event log; the first one is kept as the job's picture."""
    from matplotlib.figure import Figure

    working = picked.working
    preview = make_preview(working.image, picked.mask, working.source_shape)
    figure = Figure(figsize=_OVERLAY_INCHES, layout="tight")
    diameter_px = working.diameter_px * working.step_px[1]
    draw_overlay(figure.subplots(), Overlay(exposure.path, preview, picks, diameter_px))
    picture = _png(figure)
    job.log_picture(picture, f"{Path(exposure.path).name}: {len(picks)} picks")
    image = job.folder / OVERLAY_FILE
    if not image.exists():
        with replacing(image) as temporary:
            temporary.write_bytes(picture)


def log_result(
    job: ExternalJob, candidates: Sequence[Picks], threshold: float, skipped: Sequence[str]
) -> None:
    """Write histograms, what was skipped and a plain sentence to the event log."""
    if skipped:
        job.log("\n".join([f"{len(skipped)} micrographs skipped:", *skipped]), level="warning")
    if not candidates:
        return
    picture = _png(summary_page(Report(job.uid, threshold, candidates, overlays=())))
    job.log_picture(picture, "Picks per micrograph, and scores of all candidates")
    if not any(len(picks.above(threshold)) for picks in candidates):
        best = max((float(picks.score[0]) for picks in candidates if len(picks)), default=0.0)
        job.log(
            f"No particle has a score of {threshold:g} or more (the best has {best:.2f}): look at the "
            "overlays, check the particle diameter, or give a lower threshold",
            level="warning",
        )


def _png(figure: Figure) -> bytes:
    picture = BytesIO()
    figure.savefig(picture, format="png", dpi=_DPI)
    return picture.getvalue()
