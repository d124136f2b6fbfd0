"""What the job shows in its event log and on its tile."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from cryoseg_ext.cryosparc.versions import CLIENT_VERSION
from cryoseg_ext.files import replacing
from cryoseg_ext.report import make_preview
from cryoseg_ext.report.pdf import Report, draw_overlay, overlay_of_picks, summary_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cryoseg_ext.cryosparc.job import ExternalJob
    from cryoseg_ext.formats.groups import Exposure
    from cryoseg_ext.model.checkpoint import Model
    from cryoseg_ext.options.picking import PickingOptions
    from cryoseg_ext.picks import Picks
    from cryoseg_ext.pipeline import PickedMicrograph
    from cryoseg_ext.training import Epoch, FineTuningOptions, Watch
    from cryoseg_ext.training.micrographs import LabelledMicrograph

OVERLAY_FILE, CURVES_FILE = "overlay.png", "learning_curves.png"
_SHOWN = 50
_OVERLAY_INCHES, _DPI = (7.0, 7.0), 120


def log_settings(job: ExternalJob, options: PickingOptions, model: Model, threshold: float) -> None:
    """Write the settings of the run to the event log."""
    lines = (
        _programs(),
        f"particle diameter: {options.stated_size}",
        f"extraction: {options.extraction.method}, least distance of two picks {options.min_distance_A:g} Å",
        f"threshold: {threshold:g}" + (" (the model's own)" if threshold == model.threshold else ""),
        f"model: {model.fingerprint} on {model.device}",
        f"conditional random field: {options.crf or 'left out'}",
    )
    job.log("\n".join(lines))


def log_overlay(
    job: ExternalJob, exposure: Exposure, picked: PickedMicrograph, picks: Picks, options: PickingOptions
) -> None:
    """Draw picks and mask on a micrograph, for the event log; the first one is kept as the job's picture."""
    from matplotlib.figure import Figure

    working = picked.working
    preview = make_preview(working.image, picked.mask, working.source_shape, picked.contaminated)
    figure = Figure(figsize=_OVERLAY_INCHES, layout="tight")
    overlay = overlay_of_picks(exposure.path, preview, picks, options, exposure.image_pixel_size_A)
    draw_overlay(figure.subplots(), overlay)
    picture = _png(figure)
    job.log_picture(picture, f"{Path(exposure.path).name}: {len(picks)} picks")
    image = job.folder / OVERLAY_FILE
    if not image.exists():
        _write_picture(image, picture)


def log_result(
    job: ExternalJob, candidates: Sequence[Picks], threshold: float, skipped: Sequence[str]
) -> None:
    """Write histograms, what was skipped and a plain sentence to the event log."""
    log_skipped(job, skipped)
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


def log_skipped(job: ExternalJob, skipped: Sequence[str]) -> None:
    """Write to the event log what is wrong with micrographs that cannot be used."""
    if skipped:
        more = [f"and {len(skipped) - _SHOWN} more"] if len(skipped) > _SHOWN else []
        told = [f"{len(skipped)} micrographs skipped:", *skipped[:_SHOWN], *more]
        job.log("\n".join(told), level="warning")


def log_training_settings(
    job: ExternalJob,
    options: FineTuningOptions,
    micrographs: Sequence[LabelledMicrograph],
    particle_diameter_A: float,
) -> None:
    """Write the settings of a training to the event log."""
    n_labels = sum(len(one.xy_px) for one in micrographs)
    recipe = asdict(options) | {"initial": options.initial or "the model in the package"}
    lines = (
        _programs(),
        f"particle diameter: {particle_diameter_A:g} Å",
        f"{len(micrographs)} micrographs with {n_labels} particles",
        *(f"{name}: {value}" for name, value in recipe.items()),
    )
    job.log("\n".join(lines))


def watch_training(job: ExternalJob, steps: int) -> Watch:
    """Return what shows a training in the event log: its progress in one line, its report as pictures."""
    from cryoseg_ext.training import Watch

    pages = 0

    def step(number: int, loss: float) -> None:
        job.raise_if_killed()
        job.show_progress(f"step {number} of {steps}, loss {loss:.3f}", last=False)

    def epoch(done: Epoch) -> None:
        job.show_progress(f"{done} (of {steps} steps at most)", last=True)

    def page(figure: Figure) -> None:
        nonlocal pages
        picture = _png(figure)
        if pages == 0:
            image = _write_picture(job.folder / CURVES_FILE, picture)
            job.set_images(image, None)
        job.log_picture(picture, "Overlays of validation micrographs" if pages else "Learning curves")
        pages += 1

    return Watch(step, epoch, job.log, page)


def _programs() -> str:
    return f"cryoseg {version('cryoseg')} on {platform.node()}, cryosparc-tools {CLIENT_VERSION}"


def _write_picture(path: Path, picture: bytes) -> Path:
    with replacing(path) as temporary:
        temporary.write_bytes(picture)
    return path


def _png(figure: Figure) -> bytes:
    picture = BytesIO()
    figure.savefig(picture, format="png", dpi=_DPI)
    return picture.getvalue()
