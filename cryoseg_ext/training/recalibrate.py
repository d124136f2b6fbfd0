"""From features to a probability, and the default threshold, on a user's own micrographs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from cryoseg_ext.arrays import FloatArray
from cryoseg_ext.evaluation import match_picks
from cryoseg_ext.extract.score import Calibration
from cryoseg_ext.extract.selection import extract_picks
from cryoseg_ext.picks import Picks
from cryoseg_ext.training.calibrate import fit_calibration
from cryoseg_ext.training.correctness import rank_candidates
from cryoseg_ext.training.micrographs import working_xy_px
from cryoseg_ext.training.targets import Prediction, TrainingExample
from cryoseg_ext.training.validate import SCORED_RADIUS_PX, is_labelled

MIN_PARTICLES = 50
"""With fewer labelled validation particles, the training micrographs help to choose the threshold."""

_PRIOR_PICKS = 100
"""Number of picks at which the calibration is halfway between the one before and the one fitted."""
_PRIOR_RIDGE = 0.5
"""Ridge towards the calibration before, as the weight of contamination is chance where there is little."""


def recalibrate(
    training: Sequence[tuple[TrainingExample, Prediction]],
    validation: Sequence[tuple[TrainingExample, Prediction]],
    prior: Calibration,
    prior_threshold: float,
) -> tuple[Calibration, float]:
    """Return the calibration of a fine-tuned network and its threshold of highest F1.

    A network is surer of the micrographs it was trained on than of others, so the validation micrographs
    weigh as much as all training ones together, few picks leave calibration and threshold near those before,
    and the threshold is chosen on the validation micrographs if they have `MIN_PARTICLES`. A candidate
    without a pick is correct with the probability that it is a particle: by the clear ones alone, scores
    would be too sure, and faint candidates lost.

    Parameters
    ----------
    training, validation : sequence of (TrainingExample, Prediction)
        The micrographs with the predictions of the fine-tuned network.
    prior : Calibration
        Calibration of the network before fine-tuning.
    prior_threshold : float
        Its threshold.
    """
    parts, weights = [], []
    for examples in (training, validation):
        pairs = [_features(example, prediction) for example, prediction in examples]
        parts += pairs
        total = sum(len(correct) for _, correct in pairs)
        weights += [np.full(len(correct), 1 / max(total, 1)) for _, correct in pairs]
    features, correct = (np.concatenate(part) for part in zip(*parts, strict=True))
    weight = np.concatenate(weights) * len(correct) / 2
    fitted = fit_calibration(features, correct, weight=weight, prior=prior, ridge=_PRIOR_RIDGE)
    n_picks = sum(len(example.micrograph.xy_px) for example, _ in (*training, *validation))
    share = n_picks / (n_picks + _PRIOR_PICKS)
    calibration = interpolate_calibrations(prior, fitted, share)
    scored = list(validation)
    if sum(len(example.micrograph.xy_px) for example, _ in scored) < MIN_PARTICLES:
        scored += training
    best = best_threshold([_scores(example, prediction, calibration) for example, prediction in scored])
    return calibration, float(np.floor(100 * ((1 - share) * prior_threshold + share * best)) / 100)


def interpolate_calibrations(first: Calibration, second: Calibration, share: float) -> Calibration:
    """Return the calibration between two others, with the consensus of the first.

    Parameters
    ----------
    first, second : Calibration
        The calibrations.
    share : float
        0 for the first, 1 for the second.
    """
    ends = ([end.intercept, *end.weights] for end in (first, second))
    intercept, *weights = ((1 - share) * a + share * b for a, b in zip(*ends, strict=True))
    return replace(first, intercept=intercept, weights=tuple(weights))


def best_threshold(micrographs: Sequence[tuple[FloatArray, FloatArray, float]]) -> float:
    """Return the score from which picks have the highest expected F1; 1 without any.

    It is the middle between the last pick that is kept and the first that is not: where correct and wrong
    picks are far apart, the score of the last correct one may be 1.00, which others do not reach.

    Parameters
    ----------
    micrographs : sequence of (NDArray[np.float64], NDArray[np.float64], float)
        For each micrograph, ``(n,)`` scores of the picks, ``(n,)`` probabilities that they are correct, and
        the expected number of particles.
    """
    scores, probabilities, n_particles = zip(*micrographs, strict=True)
    score = np.concatenate(scores)
    if len(score) == 0:
        return 1.0
    order = np.argsort(-score, kind="stable")
    n_correct = np.cumsum(np.concatenate(probabilities)[order])
    last = int(np.argmax(n_correct / (np.arange(1, len(score) + 1) + sum(n_particles))))
    kept, dropped = np.append(score[order], 0.0)[last : last + 2]
    return float(np.floor(50 * (kept + dropped)) / 100)


def correctness_probability(example: TrainingExample, picks: Picks) -> FloatArray:
    """Return the probability that each of some picks in working pixels, best first, is its own particle."""
    xy_px = np.stack([picks.x_px, picks.y_px], axis=1)
    correct = match_picks(example.micrograph.xy_px, picks, SCORED_RADIUS_PX).astype(np.float64)
    if len(example.unpicked_xy_px):
        is_unpicked = match_picks(example.unpicked_xy_px, picks, SCORED_RADIUS_PX)
        nearest = cKDTree(example.unpicked_xy_px).query(xy_px)[1]
        correct = np.maximum(correct, is_unpicked * example.probability[nearest])
    return correct


def _features(example: TrainingExample, prediction: Prediction) -> tuple[FloatArray, FloatArray]:
    """Return the features of the labelled candidates, and the probability that each is correct."""
    candidates = prediction.candidates
    labelled = is_labelled(example, np.stack([candidates.x_px, candidates.y_px], axis=1))
    ranked, picks = rank_candidates(candidates.at(np.flatnonzero(labelled)))
    return ranked.features, correctness_probability(example, picks)


def _scores(
    example: TrainingExample, prediction: Prediction, calibration: Calibration
) -> tuple[FloatArray, FloatArray, float]:
    """Return what `best_threshold` needs of a micrograph."""
    picks = extract_picks(prediction.candidates, example.micrograph.working, calibration)
    xy_px = working_xy_px(example.micrograph.working, picks)
    labelled = is_labelled(example, xy_px)
    picks = Picks(xy_px[labelled, 0], xy_px[labelled, 1], picks.score[labelled])
    n_particles = len(example.micrograph.xy_px) + float(example.probability.sum())
    return picks.score, correctness_probability(example, picks), n_particles
