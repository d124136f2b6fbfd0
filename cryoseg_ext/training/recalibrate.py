"""From features to a probability, and the default threshold, on a user's own micrographs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.evaluation.picks import Curve, draw_curve, rank_picks
from cryoseg_ext.extract import Calibration, extract_picks
from cryoseg_ext.picks import Picks
from cryoseg_ext.training.calibrate import fit_calibration, rightness
from cryoseg_ext.training.micrographs import working_xy_px
from cryoseg_ext.training.targets import Lesson, Opinion
from cryoseg_ext.training.validate import SCORED_RADIUS_PX, is_known, known_picks

MIN_TRUTH = 50
"""With fewer labelled validation particles, the training micrographs help to choose the threshold."""

_PRIOR_RIDGE = 0.5


def recalibrate(
    training: Sequence[tuple[Lesson, Opinion]],
    validation: Sequence[tuple[Lesson, Opinion]],
    prior: Calibration,
) -> tuple[Calibration, float]:
    """Return the calibration of a fine-tuned network and its threshold of highest F1.

    A network is surer of the micrographs it was trained on than of others, so the validation micrographs
    weigh as much as all training ones together, few candidates leave the calibration near `prior`, and the
    threshold is chosen on the validation micrographs where they have 50 labelled particles. Candidates of
    which it is not known whether they are particles do not count.
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
    calibration = replace(fitted, consensus=prior.consensus)
    judges = list(validation)
    if sum(len(lesson.micrograph.xy_px) for lesson, _ in judges) < MIN_TRUTH:
        judges += training
    curve = draw_curve(
        rank_picks(
            ((lesson.micrograph.xy_px, _scored(lesson, opinion, calibration)) for lesson, opinion in judges),
            SCORED_RADIUS_PX,
        )
    )
    return calibration, middle_threshold(curve) if curve else 1.0


def middle_threshold(curve: Curve) -> float:
    """Return the middle of the thresholds with the highest F1.

    Where right and wrong picks are far apart, the score of the last right one may be 1.00, which others miss.
    """
    lower = curve.threshold[curve.best + 1] if curve.best + 1 < len(curve.threshold) else 0.0
    return float(np.floor(100 * (curve.threshold[curve.best] + lower) / 2)) / 100


def _features(lesson: Lesson, opinion: Opinion) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the features of the candidates and which of them are particles."""
    candidates = opinion.candidates
    known = np.flatnonzero(is_known(lesson, np.stack([candidates.x_px, candidates.y_px], axis=1)))
    ranked, right = rightness(candidates.at(known), lesson.micrograph.xy_px, SCORED_RADIUS_PX)
    return ranked.features, right


def _scored(lesson: Lesson, opinion: Opinion, calibration: Calibration) -> Picks:
    picks = extract_picks(opinion.candidates, lesson.micrograph.working, calibration)
    return known_picks(lesson, working_xy_px(lesson.micrograph.working, picks), picks.score)
