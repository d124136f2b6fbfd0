"""The log of a training, and the functions that are called as it goes on."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryoseg_ext.files import replace_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Epoch:
    """The log of one epoch.

    Parameters
    ----------
    step : int
        Optimiser steps so far; 0 is the network before the training.
    loss : float or None
        Mean training loss.
    learning_rate : float
        Learning rate at its end.
    seconds : float
        Time that it took.
    pixel_iou, average_precision, best_f1 : float or None
        Validation scores of the averaged network, where there is a validation.
    """

    step: int
    loss: float | None
    learning_rate: float
    seconds: float
    pixel_iou: float | None = None
    average_precision: float | None = None
    best_f1: float | None = None

    def __str__(self) -> str:
        loss = "" if self.loss is None else f"loss {self.loss:.3f}, "
        if self.average_precision is None:
            return f"step {self.step}: {loss}no validation"
        return (
            f"step {self.step}: {loss}on the validation micrographs average precision "
            f"{self.average_precision:.3f}, best F1 {self.best_f1:.3f}, pixel IoU {self.pixel_iou:.3f}"
        )


@dataclass(frozen=True)
class Callbacks:
    """Functions that are called as a training goes on.

    Parameters
    ----------
    epoch : callable
        Called with each finished epoch.
    message : callable
        Called with a sentence for the user.
    page : callable
        Called with each page of the report.
    """

    epoch: Callable[[Epoch], None] = lambda _epoch: None
    message: Callable[[str], None] = lambda _sentence: None
    page: Callable[[Figure], None] = lambda _page: None


def write_log(path: Path, history: list[Epoch]) -> None:
    """Write one row per epoch as CSV."""
    text = io.StringIO()
    rows = csv.DictWriter(text, list(asdict(history[0])), lineterminator="\n")
    rows.writeheader()
    rows.writerows(asdict(epoch) for epoch in history)
    replace_text(path, text.getvalue())
