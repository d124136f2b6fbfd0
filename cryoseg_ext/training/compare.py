"""A grid of architectures, losses and CRF on or off, trained and scored on the same data."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path

import numpy as np

from cryoseg_ext.evaluation.pixels import accuracy, count_pixels, score_class
from cryoseg_ext.files import replace_text
from cryoseg_ext.model.checkpoint import Model, load_model
from cryoseg_ext.network.classes import BACKGROUND, CLASS_NAMES, CONTAMINANT, N_CLASSES, PARTICLE
from cryoseg_ext.options.crf import CrfChoice
from cryoseg_ext.progress import tracked
from cryoseg_ext.training.loop import LOG
from cryoseg_ext.training.targets import TrainingExample, predict
from cryoseg_ext.training.trials import Trial
from cryoseg_ext.training.validate import score_candidates

Row = dict[str, str | float]


def compare_networks(
    architectures: Sequence[str], losses: Sequence[str], trial: Trial, out: Path
) -> Iterator[Row]:
    """Train and score every combination; those finished earlier with the same settings are not done again.

    Parameters
    ----------
    architectures, losses : Sequence[str]
        See `cryoseg_ext.network.architectures.parse_architecture` and `parse_loss`.
    trial : Trial
        The data that is trained on and scored.
    out : Path
        Folder to write to.

    Yields
    ------
    dict
        A row of the table, without and with the CRF.
    """
    for architecture, loss in product(architectures, losses):
        folder = out / re.sub(r"[^\w.+-]", "_", f"{architecture}-{loss}")
        stored = folder / "scores.json"
        rows = _finished(stored, trial.settings)
        if rows is None:
            model = load_model(trial.train(architecture, loss, folder), architecture=architecture)
            rows = [
                {"architecture": architecture, "loss": loss, "crf": name}
                | score(model, trial.examples, crf)
                | {"training_seconds": _seconds(folder / LOG)}
                for name, crf in (("no", None), ("yes", CrfChoice()))
            ]
            replace_text(stored, json.dumps({"settings": trial.settings, "rows": rows}, indent=1) + "\n")
        yield from rows


def score(model: Model, examples: Sequence[TrainingExample], crf: CrfChoice | None) -> Row:
    """Return pixel metrics per class and pick metrics.

    Parameters
    ----------
    model : Model
        The model to score.
    examples : Sequence[TrainingExample]
        Micrographs that it was not trained on.
    crf : CrfChoice or None
        Changes of the model's CRF; None leaves the CRF out.
    """
    what = "Scoring without the random field" if crf is None else "Scoring with the random field"
    predictions = [predict(one.micrograph.working, model, crf) for one in tracked(examples, what)]
    confusion = np.zeros((N_CLASSES, N_CLASSES), np.int64)
    for example, prediction in zip(examples, predictions, strict=True):
        no_particle = np.where(prediction.contaminant >= 0.5, CONTAMINANT, BACKGROUND)
        predicted = np.where(prediction.particle >= 0.5, PARTICLE, no_particle)
        confusion += count_pixels(example.labels, predicted, N_CLASSES)
    row: Row = {"accuracy": accuracy(confusion)}
    for index, name in enumerate(CLASS_NAMES):
        row |= {f"{name}_{metric}": value for metric, value in asdict(score_class(confusion, index)).items()}
    picks = score_candidates(examples, predictions, model.threshold)
    parameters = sum(weights.numel() for weights in model.network.parameters())
    return row | {
        "pick_f1": picks.f1,
        "pick_best_f1": picks.best_f1,
        "pick_average_precision": picks.average_precision,
        "parameters": float(parameters),
    }


def write_table(path: Path, rows: Sequence[Row]) -> None:
    """Write the table as CSV."""
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    replace_text(path, text.getvalue())


def _finished(stored: Path, settings: dict[str, object]) -> list[Row] | None:
    try:
        found = json.loads(stored.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    # As JSON has them: a tuple comes back as a list.
    same = found.get("settings") == json.loads(json.dumps(settings))
    return found["rows"] if same else None


def _seconds(log: Path) -> float:
    with log.open(encoding="utf-8") as file:
        return sum(float(row["seconds"]) for row in csv.DictReader(file))
