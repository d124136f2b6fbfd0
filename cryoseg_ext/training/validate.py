"""How well a network does on labelled micrographs, where their labels are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.evaluation import PickScores, score_picks
from cryoseg_ext.image.scale import WORKING_DIAMETER_PX
from cryoseg_ext.picks import Picks
from cryoseg_ext.training.dataset import IGNORE
from cryoseg_ext.training.micrographs import Centres
from cryoseg_ext.training.targets import REACH_RADIUS_PX, Lesson, Opinion, near

SCORED_RADIUS_PX = 0.3 * WORKING_DIAMETER_PX
"""A pick this near to a labelled centre is right."""


def score_pixels(lessons: Sequence[Lesson], opinions: Sequence[Opinion]) -> float:
    """Return the intersection over union of the particle pixels whose class is known."""
    both = either = 0
    for lesson, opinion in zip(lessons, opinions, strict=True):
        said, true = opinion.particle >= 0.5, lesson.labels == 1
        both += int((said & true).sum())
        either += int(((said | true) & (lesson.labels >= 0)).sum())
    return both / max(either, 1)


def score_candidates(
    lessons: Sequence[Lesson], opinions: Sequence[Opinion], threshold: float = 0.0
) -> PickScores:
    """Return the scores of the candidates of which it is known whether they are particles."""
    return score_picks(
        (
            (lesson.micrograph.xy_px, known_picks(lesson, opinion.xy_px, opinion.score))
            for lesson, opinion in zip(lessons, opinions, strict=True)
        ),
        SCORED_RADIUS_PX,
        threshold,
    )


def known_picks(lesson: Lesson, xy_px: Centres, score: NDArray[np.float64]) -> Picks:
    """Return the scored points, in working pixels, of which it is known whether they are particles."""
    known = is_known(lesson, xy_px)
    return Picks(xy_px[known, 0], xy_px[known, 1], score[known])


def is_known(lesson: Lesson, xy_px: Centres) -> NDArray[np.bool_]:
    """Return which points lie on a labelled centre or where there surely is none."""
    picked = near(xy_px, lesson.micrograph.xy_px, SCORED_RADIUS_PX)
    doubtful = near(xy_px, lesson.unpicked_xy_px[lesson.doubtful], REACH_RADIUS_PX)
    known: NDArray[np.bool_] = is_labelled(lesson, xy_px) & (picked | ~doubtful)
    return known


def is_labelled(lesson: Lesson, xy_px: Centres) -> NDArray[np.bool_]:
    """Return which points lie on a labelled centre or where the labels say anything."""
    columns, rows = np.rint(xy_px).astype(np.int64).T
    height, width = lesson.labels.shape
    label = lesson.labels[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)]
    labelled: NDArray[np.bool_] = near(xy_px, lesson.micrograph.xy_px, SCORED_RADIUS_PX) | (label != IGNORE)
    return labelled
