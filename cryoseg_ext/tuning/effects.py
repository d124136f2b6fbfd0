"""The effect of each value of a setting, with all other values as chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from cryoseg_ext.arrays import FloatArray
from cryoseg_ext.tuning.choose import THRESHOLDS, Counts
from cryoseg_ext.tuning.grid import Grid, Setting

SHOWN_THRESHOLDS = np.round(np.arange(0.1, 0.95, 0.1), 2)
"""Thresholds whose effect is listed, beside the chosen and the default one."""


@dataclass(frozen=True)
class Effect:
    """The effect of one value of one setting.

    Parameters
    ----------
    name : str
        Name of the setting.
    value : float, bool or str
        The value.
    threshold : float
        Threshold of the highest F1 with this value; for the threshold itself, the value.
    scores : dict[str, float]
        Precision, recall and F1 at this threshold, or the agreement.
    chosen, default : bool
        Whether it is the chosen value, and whether it is the default.
    """

    name: str
    value: float | bool | str
    threshold: float
    scores: dict[str, float]
    chosen: bool
    default: bool


def effects_with_truth(
    counts: Counts, grid: Grid, chosen: Setting, threshold: float, default_threshold: float
) -> list[Effect]:
    """Return the effect of every value of every setting on precision and recall.

    Parameters
    ----------
    counts : Counts
        Counts of all micrographs.
    grid : Grid
        The settings that were tried.
    chosen : Setting
        The chosen setting.
    threshold, default_threshold : float
        The chosen threshold and the model's own.
    """
    f1, precision, recall = counts.f1(), counts.precision(), counts.recall()

    def scores(number: int, at: int) -> dict[str, float]:
        values = {"precision": precision, "recall": recall, "f1": f1}
        return {name: float(value[number, at]) for name, value in values.items()}

    effects = []
    for name, setting in neighbours(grid.settings, chosen):
        number, value = grid.settings.index(setting), asdict(setting)[name]
        at = int(f1[number].argmax())
        flags = setting == chosen, value == asdict(grid.default)[name]
        effects.append(Effect(name, value, float(THRESHOLDS[at]), scores(number, at), *flags))
    for value in sorted({*SHOWN_THRESHOLDS.tolist(), threshold, default_threshold}):
        at = nearest_threshold(value)
        flags = value == threshold, value == default_threshold
        effects.append(Effect("threshold", value, value, scores(grid.settings.index(chosen), at), *flags))
    return effects


def effects_on_agreement(
    agreement: FloatArray, grid: Grid, chosen: Setting, threshold: float
) -> list[Effect]:
    """Return the effect of every value of every setting on the agreement.

    Parameters
    ----------
    agreement : NDArray[np.float64]
        ``(setting,)`` mean agreement.
    grid : Grid
        The settings that were tried.
    chosen : Setting
        The chosen setting.
    threshold : float
        The chosen threshold.
    """
    effects = []
    for name, setting in neighbours(grid.settings, chosen):
        value, scores = asdict(setting)[name], {"agreement": float(agreement[grid.settings.index(setting)])}
        flags = setting == chosen, value == asdict(grid.default)[name]
        effects.append(Effect(name, value, threshold, scores, *flags))
    return effects


def neighbours(grid: Sequence[Setting], chosen: Setting) -> list[tuple[str, Setting]]:
    """Return the settings that differ from the chosen one in at most one value, each with its name."""
    values = asdict(chosen)
    return [
        (name, setting)
        for name, value in values.items()
        for setting in grid
        if asdict(setting) | {name: value} == values
    ]


def nearest_threshold(threshold: float) -> int:
    """Return the index of the nearest threshold that is tried."""
    return int(np.abs(THRESHOLDS - threshold).argmin())
