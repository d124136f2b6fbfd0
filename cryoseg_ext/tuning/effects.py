"""What each setting does: one value after another, all else as chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from cryoseg_ext.evaluation.matching import FloatArray
from cryoseg_ext.tuning.choose import THRESHOLDS, Counts
from cryoseg_ext.tuning.grid import DEFAULT, Setting

SHOWN_THRESHOLDS = np.round(np.arange(0.1, 0.95, 0.1), 2)


@dataclass(frozen=True)
class Effect:
    """One value of one setting.

    Parameters
    ----------
    name : str
        Of the setting.
    value : float, bool or str
        What is tried.
    threshold : float
        At which F1 is highest with this value; for the threshold itself, the value.
    scores : dict[str, float]
        Precision, recall and F1 there, or the agreement.
    chosen, default : bool
        Whether it is the value that was chosen, and the one without a search.
    """

    name: str
    value: float | bool | str
    threshold: float
    scores: dict[str, float]
    chosen: bool
    default: bool


def effects_with_truth(
    counts: Counts, grid: Sequence[Setting], chosen: Setting, threshold: float, default_threshold: float
) -> list[Effect]:
    """Return the effect of every value of every setting on precision and recall.

    Parameters
    ----------
    counts : Counts
        Of all micrographs.
    grid : Sequence[Setting]
        What was tried.
    chosen, threshold, default_threshold
        The choice, and the model's own threshold.
    """
    f1, precision, recall = counts.f1(), counts.precision(), counts.recall()

    def scores(number: int, at: int) -> dict[str, float]:
        values = {"precision": precision, "recall": recall, "f1": f1}
        return {name: float(value[number, at]) for name, value in values.items()}

    effects = []
    for name, one in neighbours(grid, chosen):
        number, value = grid.index(one), asdict(one)[name]
        at = int(f1[number].argmax())
        flags = one == chosen, value == asdict(DEFAULT)[name]
        effects.append(Effect(name, value, float(THRESHOLDS[at]), scores(number, at), *flags))
    for value in sorted({*SHOWN_THRESHOLDS.tolist(), threshold, default_threshold}):
        at = nearest_threshold(value)
        flags = value == threshold, value == default_threshold
        effects.append(Effect("threshold", value, value, scores(grid.index(chosen), at), *flags))
    return effects


def effects_on_agreement(
    agreement: FloatArray, grid: Sequence[Setting], chosen: Setting, threshold: float
) -> list[Effect]:
    """Return the effect of every value of every setting on the ``(setting,)`` mean agreement."""
    effects = []
    for name, one in neighbours(grid, chosen):
        value, scores = asdict(one)[name], {"agreement": float(agreement[grid.index(one)])}
        flags = one == chosen, value == asdict(DEFAULT)[name]
        effects.append(Effect(name, value, threshold, scores, *flags))
    return effects


def neighbours(grid: Sequence[Setting], chosen: Setting) -> list[tuple[str, Setting]]:
    """Return the settings that differ from the chosen one in at most one value, by that value's name."""
    return [
        (name, one)
        for name in asdict(chosen)
        for one in grid
        if all(getattr(one, other) == value for other, value in asdict(chosen).items() if other != name)
    ]


def nearest_threshold(threshold: float) -> int:
    """Return the number of the tried threshold that is nearest."""
    return int(np.abs(THRESHOLDS - threshold).argmin())
