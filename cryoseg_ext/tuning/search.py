"""The search for settings, with or without true particles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cryoseg_ext.arrays import FloatArray
from cryoseg_ext.job.masks import picks_in_mask
from cryoseg_ext.job.micrograph import PreparedMicrograph
from cryoseg_ext.model.checkpoint import Model
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.picks import Picks
from cryoseg_ext.tuning.choose import THRESHOLDS, Counts, choose, count_micrograph
from cryoseg_ext.tuning.consistency import agreement, expected_f1, noise_halves, surest_agreement
from cryoseg_ext.tuning.effects import Effect, effects_on_agreement, effects_with_truth, nearest_threshold
from cryoseg_ext.tuning.grid import Grid, Setting, grid_of, pick_grid

Rectangle = tuple[float, float, float, float]
"""(x0, y0, x1, y1) in pixels of the micrograph."""
TRYING = "Trying settings on micrographs"
"""What the progress of a search is shown as."""


@dataclass(frozen=True)
class Trial:
    """What stays the same while settings are tried.

    Parameters
    ----------
    model : Model
        The network.
    base : PickingOptions
        What the user decided; the settings change what that leaves at its default.
    match : float
        Largest distance of a match in diameters of the particle.
    threshold : float, optional
        Lowest score of a pick, where the user gives it.
    inside : tuple of float, optional
        Rectangle outside which nothing counts.
    """

    model: Model
    base: PickingOptions
    match: float
    threshold: float | None = None
    inside: Rectangle | None = None


@dataclass(frozen=True)
class Sample:
    """A micrograph that settings are tried on.

    Parameters
    ----------
    micrograph : PreparedMicrograph
        The image.
    mask : Path, optional
        Its mask: nothing counts where that is 0.
    """

    micrograph: PreparedMicrograph
    mask: Path | None = None

    def inside_mask(self, picks: Picks, shape: tuple[int, ...]) -> Picks:
        """Return the picks that count, in pixels of an image of the micrograph with a ``(ny, nx)`` shape."""
        return picks if self.mask is None else picks_in_mask(picks, self.mask, (shape[0], shape[1]))


@dataclass(frozen=True)
class SearchResult:
    """The result of a search.

    Parameters
    ----------
    setting : Setting
        The chosen setting.
    threshold : float
        The chosen threshold.
    gain, standard_error : float
        Gain over the default on the micrographs of the search, in F1 or, without truth, in agreement, and
        its standard error.
    effects : Sequence[Effect]
        The effect of each value of each setting.
    """

    setting: Setting
    threshold: float
    gain: float
    standard_error: float
    effects: Sequence[Effect]


def count_settings(sample: Sample, truth: Picks, trial: Trial, grid: Grid) -> Counts:
    """Count correct picks of every setting on a micrograph.

    Parameters
    ----------
    sample : Sample
        The micrograph.
    truth : Picks
        All its particles, in pixels of the micrograph.
    trial : Trial
        What stays the same.
    grid : Grid
        The settings.
    """
    prepared, base = sample.micrograph, trial.base
    ny, nx = prepared.repaired.image.shape
    scale_y, scale_x = prepared.scale
    tried = pick_grid(prepared.repaired, prepared.pixel_size_A, trial.model, base, grid.settings)

    def counting(picks: Picks) -> Picks:
        if trial.inside:
            x0, y0, x1, y1 = trial.inside
            picks = picks.inside(x0 / scale_x, y0 / scale_y, x1 / scale_x, y1 / scale_y)
        return sample.inside_mask(picks, (ny, nx))

    true = counting(replace(truth, x_px=truth.x_px / scale_x, y_px=truth.y_px / scale_y))
    radius_px = trial.match * base.particle_diameter_A / prepared.pixel_size_A
    xy_px = np.stack([true.x_px, true.y_px], axis=1)
    return count_micrograph(xy_px, list(map(counting, tried)), radius_px, (ny, nx))


def search_with_truth(counts: Sequence[Counts], trial: Trial, grid: Grid) -> SearchResult:
    """Return the choice from the counts of the micrographs; see `cryoseg_ext.tuning.choose.choose`.

    Parameters
    ----------
    counts : Sequence of Counts
        From `count_settings`.
    trial : Trial
        What stayed the same.
    grid : Grid
        The settings.
    """
    joined = Counts.joined(counts)
    default_threshold = trial.model.threshold if trial.threshold is None else trial.threshold
    default = grid.settings.index(grid.default), nearest_threshold(default_threshold)
    choice = choose(joined, default, grid.n_changes, threshold_is_given=trial.threshold is not None)
    setting = grid.settings[choice.setting]
    threshold = float(THRESHOLDS[choice.threshold]) if trial.threshold is None else trial.threshold
    effects = effects_with_truth(joined, grid, setting, threshold, default_threshold)
    return SearchResult(setting, threshold, choice.gain, choice.standard_error, effects)


def search_without_truth(read: Callable[[str], Iterable[Sample]], trial: Trial) -> SearchResult:
    """Return the setting that is least sensitive to noise, and the threshold of the highest expected F1.

    Parameters
    ----------
    read : callable
        From what is done with them to the micrographs; called twice, because they are not kept in memory.
    trial : Trial
        What stays the same. Distances are not tried: two picks on a particle agree between the halves of a
        micrograph as well as one.
    """
    grid = grid_of(trial.base, with_distances=False)
    agreements = np.array([_agreements(sample, trial, grid) for sample in read(TRYING)])
    default = grid.settings.index(grid.default)
    number = surest_agreement(agreements, default, grid.n_changes)
    setting, threshold = grid.settings[number], trial.threshold
    if threshold is None:
        samples = read("Choosing the threshold")
        scores = np.concatenate([_scores(sample, trial, setting) for sample in samples])
        threshold = float(THRESHOLDS[expected_f1(scores).argmax()])
    gain = agreements[:, number] - agreements[:, default]
    error = float(gain.std(ddof=1) / np.sqrt(len(gain))) if len(gain) > 1 else float("nan")
    effects = effects_on_agreement(agreements.mean(axis=0), grid, setting, threshold)
    return SearchResult(setting, threshold, float(gain.mean()), error, effects)


def _scores(sample: Sample, trial: Trial, setting: Setting) -> FloatArray:
    prepared = sample.micrograph
    (picks,) = pick_grid(prepared.repaired, prepared.pixel_size_A, trial.model, trial.base, [setting])
    return sample.inside_mask(picks, prepared.repaired.image.shape).score


def _agreements(sample: Sample, trial: Trial, grid: Grid) -> FloatArray:
    # A score is a probability, so the sum of the scores is the expected number of particles.
    n_picks = round(float(_scores(sample, trial, grid.default).sum()))
    pixel_size_A = 2 * sample.micrograph.pixel_size_A
    first, second = (
        [
            sample.inside_mask(picks, half.image.shape)
            for picks in pick_grid(half, pixel_size_A, trial.model, trial.base, grid.settings)
        ]
        for half in noise_halves(sample.micrograph.repaired)
    )
    radius_px = trial.match * trial.base.particle_diameter_A / pixel_size_A
    return agreement(first, second, radius_px, max(n_picks, 1))
