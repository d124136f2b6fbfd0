"""The search for settings: what is measured on each micrograph, and what follows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from cryoseg_ext.evaluation.matching import FloatArray
from cryoseg_ext.job.batch import PreparedMicrograph
from cryoseg_ext.model.checkpoint import Model
from cryoseg_ext.options.extraction import DEFAULT_MIN_DISTANCE
from cryoseg_ext.picks import Picks
from cryoseg_ext.tuning.choose import THRESHOLDS, Counts, choose, count_micrograph
from cryoseg_ext.tuning.consistency import (
    agreement,
    expected_f1,
    expected_particles,
    noise_halves,
    surest_agreement,
)
from cryoseg_ext.tuning.effects import (
    Effect,
    effects_on_agreement,
    effects_with_truth,
    nearest_threshold,
)
from cryoseg_ext.tuning.grid import DEFAULT, Setting, full_grid, pick_grid

GRID = full_grid()
# Two picks on one particle repeat in both halves as well as one: the distance cannot be seen there.
GRID_WITHOUT_TRUTH = [one for one in GRID if one.min_distance == DEFAULT_MIN_DISTANCE]


@dataclass(frozen=True)
class Found:
    """What a search has found.

    Parameters
    ----------
    setting : Setting
        How to pick.
    threshold : float
        Lowest score of a pick.
    gain, standard_error : float
        Over the default on the micrographs of the search: in F1, or in agreement without truth.
    effects : Sequence[Effect]
        What each setting does.
    """

    setting: Setting
    threshold: float
    gain: float
    standard_error: float
    effects: Sequence[Effect]


def count_settings(
    micrograph: PreparedMicrograph,
    truth: Picks,
    particle_diameter_A: float,
    model: Model,
    match: float,
    inside: tuple[float, float, float, float] | None,
) -> Counts:
    """Count right picks of every setting on a micrograph.

    Parameters
    ----------
    micrograph : PreparedMicrograph
        What to pick.
    truth : Picks
        All its particles, in its pixels.
    particle_diameter_A : float
        Of the particle, in Å.
    model : Model
        The network.
    match : float
        Largest distance of a match in diameters.
    inside : tuple of float, optional
        x0, y0, x1, y1 of the rectangle outside which nothing counts.
    """
    tried = pick_grid(micrograph.repaired, micrograph.pixel_size_A, particle_diameter_A, model, GRID)
    if inside:
        truth, tried = truth.inside(*inside), [picks.inside(*inside) for picks in tried]
    ny, nx = micrograph.repaired.image.shape
    radius_px = match * particle_diameter_A / micrograph.pixel_size_A
    return count_micrograph(np.stack([truth.x_px, truth.y_px], axis=1), tried, radius_px, (ny, nx))


def search_with_truth(counts: Sequence[Counts], model_threshold: float) -> Found:
    """Return the choice from the counts of the micrographs; see `choose`."""
    joined = Counts.joined(counts)
    default = GRID.index(DEFAULT), nearest_threshold(model_threshold)
    choice = choose(joined, default, [one.n_changes for one in GRID])
    setting, threshold = GRID[choice.setting], float(THRESHOLDS[choice.threshold])
    effects = effects_with_truth(joined, GRID, setting, threshold, model_threshold)
    return Found(setting, threshold, choice.gain, choice.standard_error, effects)


def search_without_truth(
    read: Callable[[], Iterable[PreparedMicrograph]], particle_diameter_A: float, model: Model, match: float
) -> Found:
    """Return the setting that noise moves least, and the threshold that the scores themselves ask for.

    Parameters
    ----------
    read : callable
        Gives the micrographs, twice: they are not kept in memory.
    particle_diameter_A, model, match
        As in `count_settings`.
    """
    agreements = np.array([_agreements(one, particle_diameter_A, model, match) for one in read()])
    default = GRID_WITHOUT_TRUTH.index(DEFAULT)
    number = surest_agreement(agreements, default, [one.n_changes for one in GRID_WITHOUT_TRUTH])
    setting = GRID_WITHOUT_TRUTH[number]
    scores = np.concatenate([_scores(one, particle_diameter_A, model, setting) for one in read()])
    threshold = float(THRESHOLDS[expected_f1(scores).argmax()])
    gain = agreements[:, number] - agreements[:, default]
    error = float(gain.std(ddof=1) / np.sqrt(len(gain))) if len(gain) > 1 else float("nan")
    effects = effects_on_agreement(agreements.mean(axis=0), GRID_WITHOUT_TRUTH, setting, threshold)
    return Found(setting, threshold, float(gain.mean()), error, effects)


def _scores(
    micrograph: PreparedMicrograph, particle_diameter_A: float, model: Model, setting: Setting
) -> FloatArray:
    grid = [setting]
    (picks,) = pick_grid(micrograph.repaired, micrograph.pixel_size_A, particle_diameter_A, model, grid)
    return picks.score


def _agreements(
    micrograph: PreparedMicrograph, particle_diameter_A: float, model: Model, match: float
) -> FloatArray:
    n_picks = round(expected_particles(_scores(micrograph, particle_diameter_A, model, DEFAULT)))
    pixel_size_A = 2 * micrograph.pixel_size_A
    one, other = (
        pick_grid(half, pixel_size_A, particle_diameter_A, model, GRID_WITHOUT_TRUTH)
        for half in noise_halves(micrograph.repaired)
    )
    return agreement(one, other, match * particle_diameter_A / pixel_size_A, max(n_picks, 1))
