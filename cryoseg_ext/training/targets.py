"""What a network is told of a real micrograph: the labels, and where nothing is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, uniform_filter
from scipy.spatial import cKDTree

from cryoseg_ext.extract.candidates import Candidates
from cryoseg_ext.extract.peaks import find_candidates
from cryoseg_ext.extract.selection import extract_picks
from cryoseg_ext.image.scale import WORKING_DIAMETER_PX, WorkingMicrograph
from cryoseg_ext.model.checkpoint import Model
from cryoseg_ext.options.crf import CrfChoice, CrfOptions
from cryoseg_ext.pipeline import calibration_of, maps_of
from cryoseg_ext.training.completeness import look, unpicked_probability
from cryoseg_ext.training.dataset import IGNORE
from cryoseg_ext.training.losses import CLASS_UNKNOWN
from cryoseg_ext.training.micrographs import Centres, LabelledMicrograph, working_xy_px

Image = NDArray[np.float32]
Labels = NDArray[np.int8]
Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

MATCH_RADIUS_PX = 0.4 * WORKING_DIAMETER_PX
"""A candidate this near to a pick is the picked particle."""
CORE_RADIUS_PX = 0.2 * WORKING_DIAMETER_PX
"""So near to a pick there is particle, whatever the teacher says."""
REACH_RADIUS_PX = 0.55 * WORKING_DIAMETER_PX
"""Further from a pick than this nothing belongs to its particle."""
UNKNOWN_FROM = 0.3
"""A candidate without a pick whose q is higher is not called background, but a centre with probability q."""


@dataclass(frozen=True)
class Opinion:
    """What a model says of a micrograph at the working scale.

    Parameters
    ----------
    particle, contaminant : NDArray[np.float32]
        ``(y, x)`` probabilities.
    candidates : Candidates
        Peaks of the centre map.
    xy_px : NDArray[np.float64]
        ``(n, 2)`` scored candidates (x, y) in working pixels, no two on one particle.
    score : NDArray[np.float64]
        ``(n,)`` calibrated probabilities, falling.
    """

    particle: Image
    contaminant: Image
    candidates: Candidates
    xy_px: Centres
    score: NDArray[np.float64]


@dataclass(frozen=True)
class Lesson:
    """A micrograph and what the network is told of it.

    Parameters
    ----------
    micrograph : LabelledMicrograph
        With the user's labels.
    labels : NDArray[np.int8]
        ``(y, x)`` from `make_labels`.
    share_labelled : float
        Estimated share of the particles that have a pick.
    unpicked_xy_px : NDArray[np.float64]
        ``(n, 2)`` candidates (x, y) in working pixels without a pick.
    probability : NDArray[np.float64]
        ``(n,)`` that they are particles.
    """

    micrograph: LabelledMicrograph
    labels: Labels
    share_labelled: float = 1.0
    unpicked_xy_px: Centres = field(default_factory=lambda: np.zeros((0, 2)))
    probability: Array = field(default_factory=lambda: np.zeros(0))

    @property
    def doubtful(self) -> Mask:
        """``(n,)`` which of the candidates without a pick are not called background."""
        return self.probability > UNKNOWN_FROM


def prepare(
    micrographs: Sequence[LabelledMicrograph], teacher: Model, *, complete: bool = False
) -> list[Lesson]:
    """Return what a network is told of each micrograph.

    Parameters
    ----------
    micrographs : Sequence[LabelledMicrograph]
        All with picks or all with masks.
    teacher : Model
        Helps to tell particle from background around picks.
    complete : bool
        Whether everything without a pick is background.
    """
    opinions = [ask(one.working, teacher) for one in micrographs]
    found = [near(o.xy_px, m.xy_px, MATCH_RADIUS_PX) for m, o in zip(micrographs, opinions, strict=True)]
    shares, doubts = [1.0] * len(found), [np.zeros(len(one)) for one in found]
    if not complete and all(one.classes is None for one in micrographs):
        looks = [
            look(one.working, teacher, opinion.xy_px, opinion.score)
            for one, opinion in zip(micrographs, opinions, strict=True)
        ]
        shares, doubts = unpicked_probability(looks, found)
    lessons = []
    for index, (micrograph, opinion) in enumerate(zip(micrographs, opinions, strict=True)):
        unpicked_xy_px, probability = opinion.xy_px[~found[index]], doubts[index][~found[index]]
        labels = make_labels(micrograph, opinion, unpicked_xy_px[probability > UNKNOWN_FROM])
        lessons.append(Lesson(micrograph, labels, shares[index], unpicked_xy_px, probability))
    return lessons


def ask(
    working: WorkingMicrograph, model: Model, crf: CrfChoice | CrfOptions | None = CrfChoice()
) -> Opinion:
    """Return what `model` says of a micrograph, by the default pipeline; with None for `crf` without it."""
    maps = maps_of(working, model, crf)
    candidates = find_candidates(maps)
    picks = extract_picks(candidates, working, calibration_of(model, crf))
    return Opinion(maps.particle, maps.contaminant, candidates, working_xy_px(working, picks), picks.score)


def make_labels(micrograph: LabelledMicrograph, opinion: Opinion, unlabelled: Centres) -> Labels:
    """Return ``(y, x)`` labels at the working scale.

    0 background, 1 particle, 2 contaminant, `CLASS_UNKNOWN` where only the class is not known, `IGNORE`
    where nothing is.

    A particle's pixels are the teacher's within reach of its pick and a core around the pick. What the
    teacher hesitates about there, and all there where it misses the particle, is not known.

    Parameters
    ----------
    micrograph : LabelledMicrograph
        With the user's labels; its `classes`, where given, are the labels.
    opinion : Opinion
        The teacher's.
    unlabelled : NDArray[np.float64]
        ``(n, 2)`` places that may hold a particle without a pick.
    """
    shape, valid = micrograph.working.image.shape, micrograph.working.valid
    if micrograph.classes is not None:
        return np.where(valid, micrograph.classes, IGNORE).astype(np.int8)
    to_pick, to_unlabelled = distance_px(micrograph.xy_px, shape), distance_px(unlabelled, shape)
    reached = to_pick <= REACH_RADIUS_PX
    core = to_pick <= CORE_RADIUS_PX
    support = uniform_filter(opinion.particle, round(2 * CORE_RADIUS_PX))
    rows, columns = _pixels(micrograph.xy_px, shape)
    missed = distance_px(micrograph.xy_px[support[rows, columns] < 0.5], shape) <= REACH_RADIUS_PX

    labels = np.where(opinion.contaminant > 0.5, 2, 0)
    labels[reached] = np.where(opinion.particle[reached] >= 0.5, 1, 0)
    labels[reached & (labels == 0) & (missed | (opinion.particle > 0.1))] = CLASS_UNKNOWN
    labels[core] = 1
    labels[(to_unlabelled <= REACH_RADIUS_PX) & (to_unlabelled < to_pick)] = CLASS_UNKNOWN
    labels[~valid] = IGNORE
    return labels.astype(np.int8)


def distance_px(xy_px: Centres, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return ``(y, x)`` distances to the nearest point, infinite where there is none."""
    if len(xy_px) == 0:
        return np.full(shape, np.inf)
    away = np.ones(shape, np.bool_)
    away[_pixels(xy_px, shape)] = False
    distance: NDArray[np.float64] = distance_transform_edt(away)
    return distance


def near(xy_px: Centres, others_xy_px: Centres, radius_px: float) -> NDArray[np.bool_]:
    """Return which points have one of the others within `radius_px`."""
    if len(others_xy_px) == 0 or len(xy_px) == 0:
        return np.zeros(len(xy_px), np.bool_)
    distance, _ = cKDTree(others_xy_px).query(xy_px)
    return np.asarray(distance <= radius_px)


def _pixels(xy_px: Centres, shape: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    columns, rows = np.rint(xy_px).astype(np.int64).T
    return np.clip(rows, 0, shape[0] - 1), np.clip(columns, 0, shape[1] - 1)
