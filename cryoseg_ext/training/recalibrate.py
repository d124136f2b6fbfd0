"""From features to a probability, and the default threshold, on a user's own micrographs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cryoseg_ext.evaluation import match_picks
from cryoseg_ext.extract.score import Calibration
from cryoseg_ext.extract.selection import extract_picks
from cryoseg_ext.picks import Picks
from cryoseg_ext.training.calibrate import fit_calibration
from cryoseg_ext.training.micrographs import working_xy_px
from cryoseg_ext.training.targets import Lesson, Opinion
from cryoseg_ext.training.validate import SCORED_RADIUS_PX, is_labelled

Array = NDArray[np.float64]

MIN_TRUTH = 50
"""With fewer labelled validation particles, the training micrographs help to choose the threshold."""

_PRIOR_PICKS = 100
"""From as many picks the calibration is midway between the one before and the one fitted."""
_PRIOR_RIDGE = 0.5
"""Where hardly a candidate is on contamination, its weight is not to be chance."""


def recalibrate(
    training: Sequence[tuple[Lesson, Opinion]],
    validation: Sequence[tuple[Lesson, Opinion]],
    prior: Calibration,
    prior_threshold: float,
) -> tuple[Calibration, float]:
    """Return the calibration of a fine-tuned network and its threshold of highest F1.

    A network is surer of the micrographs it was trained on than of others, so the validation micrographs
    weigh as much as all training ones together, few picks leave calibration and threshold near those before,
    and the threshold is chosen on the validation micrographs where they have 50 labelled particles. A
    candidate without a pick is right with the probability that it is a particle: by the clear ones alone,
    scores would be too sure, and the faint candidates lost. (With 48 picks of three micrographs of
    EMPIAR-10017 that lowered the average precision of the default network on two others from .858 to .819.)
    """
    parts, weights = [], []
    for examples in (training, validation):
        pairs = [_features(lesson, opinion) for lesson, opinion in examples]
        parts += pairs
        total = sum(len(right) for _, right in pairs)
        weights += [np.full(len(right), 1 / max(total, 1)) for _, right in pairs]
    features, right = (np.concatenate(part) for part in zip(*parts, strict=True))
    weight = np.concatenate(weights) * len(right) / 2
    fitted = fit_calibration(features, right, weight=weight, prior=prior, ridge=_PRIOR_RIDGE)
    n_picks = sum(len(lesson.micrograph.xy_px) for lesson, _ in (*training, *validation))
    share = n_picks / (n_picks + _PRIOR_PICKS)
    calibration = midway(prior, fitted, share)
    judges = list(validation)
    if sum(len(lesson.micrograph.xy_px) for lesson, _ in judges) < MIN_TRUTH:
        judges += training
    best = best_threshold([_scored(*judge, calibration) for judge in judges])
    return calibration, float(np.floor(100 * ((1 - share) * prior_threshold + share * best)) / 100)


def midway(first: Calibration, other: Calibration, share: float) -> Calibration:
    """Return `share` of the way from the first calibration to the other, with the consensus of the first."""
    ends = ([one.intercept, *one.weights] for one in (first, other))
    intercept, *weights = ((1 - share) * a + share * b for a, b in zip(*ends, strict=True))
    return replace(first, intercept=intercept, weights=tuple(weights))


def best_threshold(micrographs: Sequence[tuple[Array, Array, float]]) -> float:
    """Return the score from which picks have the highest expected F1; 1 without any.

    It is the middle between the last pick that is kept and the first that is not: where right and wrong
    picks are far apart, the score of the last right one may be 1.00, which others miss.

    Parameters
    ----------
    micrographs : sequence of (NDArray[np.float64], NDArray[np.float64], float)
        ``(n,)`` scores and probabilities to be right of the picks of each, and the expected number of
        particles on it.
    """
    scores, right, n_particles = zip(*micrographs, strict=True)
    score = np.concatenate(scores)
    if len(score) == 0:
        return 1.0
    order = np.argsort(-score, kind="stable")
    found = np.cumsum(np.concatenate(right)[order])
    last = int(np.argmax(found / (np.arange(1, len(score) + 1) + sum(n_particles))))
    kept, dropped = np.append(score[order], 0.0)[last : last + 2]
    return float(np.floor(50 * (kept + dropped)) / 100)


def likely_right(lesson: Lesson, picks: Picks) -> Array:
    """Return how probably each of some picks in working pixels, best first, is a particle of its own."""
    xy_px = np.stack([picks.x_px, picks.y_px], axis=1)
    right = match_picks(lesson.micrograph.xy_px, picks, SCORED_RADIUS_PX).astype(np.float64)
    if len(lesson.unpicked_xy_px):
        likely = match_picks(lesson.unpicked_xy_px, picks, SCORED_RADIUS_PX)
        nearest = cKDTree(lesson.unpicked_xy_px).query(xy_px)[1]
        right = np.maximum(right, likely * lesson.probability[nearest])
    return right


def _features(lesson: Lesson, opinion: Opinion) -> tuple[Array, Array]:
    """Return the features of the candidates and how probably each is right."""
    candidates = opinion.candidates
    labelled = np.flatnonzero(is_labelled(lesson, np.stack([candidates.x_px, candidates.y_px], axis=1)))
    # Ranked by the centre map, so that of two peaks on one particle the better one is the right one.
    ranked = candidates.at(labelled[np.argsort(-candidates.features[labelled, 0], kind="stable")])
    return ranked.features, likely_right(lesson, Picks(ranked.x_px, ranked.y_px, ranked.features[:, 0]))


def _scored(lesson: Lesson, opinion: Opinion, calibration: Calibration) -> tuple[Array, Array, float]:
    picks = extract_picks(opinion.candidates, lesson.micrograph.working, calibration)
    xy_px = working_xy_px(lesson.micrograph.working, picks)
    labelled = is_labelled(lesson, xy_px)
    picks = Picks(xy_px[labelled, 0], xy_px[labelled, 1], picks.score[labelled])
    n_particles = len(lesson.micrograph.xy_px) + float(lesson.probability.sum())
    return picks.score, likely_right(lesson, picks), n_particles
