"""A grid of architectures, losses and CRF on or off, trained and scored on the same data."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path

import numpy as np

from cryoseg_ext.evaluation.pixels import accuracy, count_pixels, score_class
from cryoseg_ext.files import replace_text
from cryoseg_ext.image.scale import WorkingMicrograph, normalise
from cryoseg_ext.model.checkpoint import Model, load_model
from cryoseg_ext.network.encoder import N_CLASSES
from cryoseg_ext.options.crf import CrfChoice
from cryoseg_ext.training.dataset import simulate_field
from cryoseg_ext.training.loop import LOG
from cryoseg_ext.training.micrographs import LabelledMicrograph
from cryoseg_ext.training.targets import Lesson, ask
from cryoseg_ext.training.validate import score_candidates

CLASSES = ("background", "particle", "contaminant")
N_SIMULATED = 40

Row = dict[str, str | float]
Trainer = Callable[[str, str, Path], Path]
"""From architecture, loss and folder to the path of the trained model."""


def compare(
    architectures: Sequence[str],
    losses: Sequence[str],
    lessons: Sequence[Lesson],
    train: Trainer,
    out: Path,
    settings: dict[str, object],
) -> Iterator[Row]:
    """Train and score every combination; those finished earlier with the same settings are not done again.

    Parameters
    ----------
    architectures, losses : Sequence[str]
        See `parse_architecture` and `parse_loss`.
    lessons : Sequence[Lesson]
        What is scored, none of it trained on.
    train : callable
        Goes on where it was stopped.
    out : Path
        Folder to write to.
    settings : dict
        What decides the results beside architecture and loss.

    Yields
    ------
    dict
        A row of the table, without and with the CRF.
    """
    for architecture, loss in product(architectures, losses):
        folder = out / re.sub(r"[^\w.+-]", "_", f"{architecture}-{loss}")
        stored = folder / "scores.json"
        rows = _finished(stored, settings)
        if rows is None:
            model = load_model(train(architecture, loss, folder), architecture=architecture)
            rows = [
                {"architecture": architecture, "loss": loss, "crf": name}
                | score(model, lessons, crf)
                | {"training_seconds": _seconds(folder / LOG)}
                for name, crf in (("no", None), ("yes", CrfChoice()))
            ]
            replace_text(stored, json.dumps({"settings": settings, "rows": rows}, indent=1) + "\n")
        yield from rows


def score(model: Model, lessons: Sequence[Lesson], crf: CrfChoice | None) -> Row:
    """Return pixel metrics per class and pick metrics."""
    opinions = [ask(lesson.micrograph.working, model, crf) for lesson in lessons]
    confusion = np.zeros((N_CLASSES, N_CLASSES), np.int64)
    for lesson, opinion in zip(lessons, opinions, strict=True):
        said = np.where(opinion.particle >= 0.5, 1, np.where(opinion.contaminant >= 0.5, 2, 0))
        confusion += count_pixels(lesson.labels, said, N_CLASSES)
    row: Row = {"accuracy": accuracy(confusion)}
    for index, name in enumerate(CLASSES):
        row |= {f"{name}_{metric}": value for metric, value in asdict(score_class(confusion, index)).items()}
    picks = score_candidates(lessons, opinions, model.threshold)
    parameters = sum(one.numel() for one in model.network.parameters())
    return row | {
        "pick_f1": picks.f1,
        "pick_best_f1": picks.best_f1,
        "pick_average_precision": picks.average_precision,
        "parameters": float(parameters),
    }


def simulated_lessons(field_px: int, seed: int) -> list[Lesson]:
    """Return simulated fields with exact truth, of other seeds than those of a training with `seed`."""
    lessons = []
    for index in range(N_SIMULATED):
        field = simulate_field(np.random.default_rng([seed + 2, index]), field_px)
        valid = np.ones(field.image.shape, np.bool_)
        working = WorkingMicrograph(normalise(field.image, valid), valid, (field_px, field_px))
        xy_px = np.stack([field.x_px, field.y_px], axis=1)
        lessons.append(Lesson(LabelledMicrograph(f"simulated {index}", working, xy_px), field.labels))
    return lessons


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
    rows: list[Row] | None = found["rows"] if same else None
    return rows


def _seconds(log: Path) -> float:
    with log.open(encoding="utf-8") as file:
        return sum(float(row["seconds"]) for row in csv.DictReader(file))
