"""The PDF about a training: learning curves, precision and recall, overlays of the validation micrographs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from cryoseg_ext.evaluation.picks import draw_curve, rank_picks
from cryoseg_ext.extract.selection import extract_picks
from cryoseg_ext.model.checkpoint import Model
from cryoseg_ext.progress import tracked
from cryoseg_ext.report import make_preview
from cryoseg_ext.report.content import Overlay
from cryoseg_ext.report.pdf import new_page, overlay_pages, write_pages
from cryoseg_ext.training.history import Epoch
from cryoseg_ext.training.targets import Prediction, TrainingExample, predict
from cryoseg_ext.training.validate import SCORED_RADIUS_PX, known_candidates, score_candidates

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAX_OVERLAYS = 12


def write_training_report(
    path: Path,
    model: Model,
    validation: Sequence[TrainingExample],
    history: Sequence[Epoch],
    show: Callable[[Figure], None],
) -> None:
    """Write the report as a PDF: a page of curves, then the validation micrographs.

    Parameters
    ----------
    path : Path
        Path of the PDF to write.
    model : Model
        The trained and calibrated model.
    validation : Sequence[TrainingExample]
        The micrographs that it was not trained on.
    history : Sequence[Epoch]
        The log of the training.
    show : callable
        Called with each page as well.
    """
    predictions = [
        predict(example.micrograph.working, model) for example in tracked(validation, "Writing the report")
    ]
    shown = list(zip(validation, predictions, strict=True))[:_MAX_OVERLAYS]
    overlays = [_overlay(example, prediction, model) for example, prediction in shown]
    curves = curves_page(model, validation, predictions, history)
    write_pages(path, "Training", chain([curves], overlay_pages(overlays)), show)


def curves_page(
    model: Model,
    validation: Sequence[TrainingExample],
    predictions: Sequence[Prediction],
    history: Sequence[Epoch],
) -> Figure:
    """Draw the loss, the validation scores after each epoch, and precision against recall at the end.

    Parameters
    ----------
    model : Model
        The trained model, for its threshold.
    validation : Sequence[TrainingExample]
        The micrographs that it was not trained on.
    predictions : Sequence[Prediction]
        Its prediction for each of them.
    history : Sequence[Epoch]
        The log of the training.
    """
    figure = new_page()
    scores = score_candidates(validation, predictions, model.threshold)
    figure.suptitle(
        f"{len(validation)} validation micrographs with {scores.n_truth} labelled particles: average "
        f"precision {scores.average_precision:.3f};\nat the default threshold {model.threshold:g} precision "
        f"{scores.precision:.3f}, recall {scores.recall:.3f}, F1 {scores.f1:.3f}"
    )
    losses, progress, precision = figure.subplots(
        1, 3, gridspec_kw={"top": 0.84, "bottom": 0.12, "wspace": 0.3}
    )
    trained = [epoch for epoch in history if epoch.loss is not None]
    losses.plot([epoch.step for epoch in trained], [epoch.loss or 0.0 for epoch in trained], color="0.3")
    losses.set(xlabel="step", ylabel="training loss")
    for name in ("average_precision", "best_f1", "pixel_iou"):
        values = [getattr(epoch, name) for epoch in history]
        progress.plot([epoch.step for epoch in history], values, marker=".", label=name.replace("_", " "))
    progress.set(xlabel="step", ylabel="validation score")
    progress.legend(frameon=False)
    curve = draw_curve(rank_picks(known_candidates(validation, predictions), SCORED_RADIUS_PX))
    if curve:
        precision.plot(curve.recall, curve.precision, color="0.3")
    precision.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    return figure


def _overlay(example: TrainingExample, prediction: Prediction, model: Model) -> Overlay:
    working = example.micrograph.working
    preview = make_preview(working.image, prediction.particle >= 0.5, working.source_shape)
    picks = extract_picks(prediction.candidates, working, model.calibration).above(model.threshold)
    return Overlay(example.micrograph.name, preview, picks, working.diameter_px * working.step_px[1])
