"""Training targets for a real micrograph, with unknown pixels masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, uniform_filter
from scipy.spatial import cKDTree

from cryoseg_ext.arrays import FloatArray, Image, Mask
from cryoseg_ext.extract.candidates import Candidates, nearest_pixels
from cryoseg_ext.extract.peaks import find_candidates
from cryoseg_ext.extract.selection import extract_picks
from cryoseg_ext.image.scale import WORKING_DIAMETER_PX, WorkingMicrograph
from cryoseg_ext.model.checkpoint import Model
from cryoseg_ext.network.classes import BACKGROUND, CONTAMINANT, PARTICLE, UNKNOWN
from cryoseg_ext.options.crf import CrfChoice, CrfOptions
from cryoseg_ext.pipeline import calibration_of, maps_of
from cryoseg_ext.progress import tracked
from cryoseg_ext.training.completeness import candidate_features, unpicked_probability
from cryoseg_ext.training.losses import CLASS_UNKNOWN
from cryoseg_ext.training.micrographs import LabelledMicrograph, working_xy_px

Labels = NDArray[np.int8]

MATCH_RADIUS_PX = 0.4 * WORKING_DIAMETER_PX
"""Largest distance of a candidate from the pick of the same particle."""
CORE_RADIUS_PX = 0.2 * WORKING_DIAMETER_PX
"""Distance from a pick up to which all pixels are particle, whatever the teacher predicts."""
REACH_RADIUS_PX = 0.55 * WORKING_DIAMETER_PX
"""Largest distance of a particle's pixels from its pick."""
POSSIBLE_FROM = 0.3
"""Probability q from which a candidate without a pick is no background, but a centre with probability q."""


@dataclass(frozen=True)
class Prediction:
    """What a model predicts for a micrograph at the working scale.

    Parameters
    ----------
    particle, contaminant : NDArray[np.float32]
        ``(y, x)`` probabilities.
    candidates : Candidates
        Peaks of the centre map.
    xy_px : NDArray[np.float64]
        ``(n, 2)`` scored candidates (x, y) in working pixels, no two on one particle.
    score : NDArray[np.float64]
        ``(n,)`` calibrated probabilities, in descending order.
    """

    particle: Image
    contaminant: Image
    candidates: Candidates
    xy_px: FloatArray
    score: FloatArray


@dataclass(frozen=True)
class TrainingExample:
    """A micrograph with its training targets.

    Parameters
    ----------
    micrograph : LabelledMicrograph
        The micrograph with the user's labels.
    labels : NDArray[np.int8]
        ``(y, x)`` labels from `make_labels`.
    share_labelled : float
        Estimated share of the particles that have a pick.
    unpicked_xy_px : NDArray[np.float64]
        ``(n, 2)`` candidates (x, y) in working pixels without a pick.
    probability : NDArray[np.float64]
        ``(n,)`` probability that each of them is a particle.
    """

    micrograph: LabelledMicrograph
    labels: Labels
    share_labelled: float = 1.0
    unpicked_xy_px: FloatArray = field(default_factory=lambda: np.zeros((0, 2)))
    probability: FloatArray = field(default_factory=lambda: np.zeros(0))

    @property
    def possible(self) -> Mask:
        """``(n,)`` which candidates without a pick may be particles, so that they are no background."""
        return self.probability > POSSIBLE_FROM


def make_examples(
    micrographs: Sequence[LabelledMicrograph], teacher: Model, *, complete: bool = False
) -> list[TrainingExample]:
    """Return the micrographs with their training targets.

    Parameters
    ----------
    micrographs : Sequence[LabelledMicrograph]
        All with picks or all with masks.
    teacher : Model
        Separates particle from background around picks.
    complete : bool
        Whether everything without a pick is background.
    """
    predictions = [
        predict(micrograph.working, teacher)
        for micrograph in tracked(micrographs, "Picking with the model to start from")
    ]
    pairs = list(zip(micrographs, predictions, strict=True))
    picked = [
        has_neighbour(prediction.xy_px, micrograph.xy_px, MATCH_RADIUS_PX) for micrograph, prediction in pairs
    ]
    shares, probabilities = [1.0] * len(pairs), [np.zeros(len(has_pick)) for has_pick in picked]
    if not complete and all(micrograph.classes is None for micrograph in micrographs):
        features = [
            candidate_features(micrograph.working, teacher, prediction.xy_px, prediction.score)
            for micrograph, prediction in tracked(pairs, "Looking at what has no pick")
        ]
        shares, probabilities = unpicked_probability(features, picked)
    examples = []
    for index, (micrograph, prediction) in enumerate(pairs):
        unpicked_xy_px, q = prediction.xy_px[~picked[index]], probabilities[index][~picked[index]]
        labels = make_labels(micrograph, prediction, unpicked_xy_px[q > POSSIBLE_FROM])
        examples.append(TrainingExample(micrograph, labels, shares[index], unpicked_xy_px, q))
    return examples


def predict(
    working: WorkingMicrograph, model: Model, crf: CrfChoice | CrfOptions | None = CrfChoice()
) -> Prediction:
    """Return what a model predicts for a micrograph, by the default pipeline.

    Parameters
    ----------
    working : WorkingMicrograph
        The micrograph.
    model : Model
        The model with its calibration.
    crf : CrfChoice, CrfOptions or None
        Changes of the model's CRF, another one, or none.
    """
    maps = maps_of(working, model, crf)
    candidates = find_candidates(maps)
    picks = extract_picks(candidates, working, calibration_of(model, crf))
    xy_px = working_xy_px(working, picks)
    return Prediction(maps.particle, maps.contaminant, candidates, xy_px, picks.score)


def make_labels(micrograph: LabelledMicrograph, prediction: Prediction, possible_xy_px: FloatArray) -> Labels:
    """Return ``(y, x)`` labels at the working scale.

    They are the classes of `cryoseg_ext.network.classes`, and `CLASS_UNKNOWN` where only the class is not
    known.

    A particle's pixels are the teacher's within reach of its pick and a core around the pick. Pixels there
    that the teacher is not sure of, and all pixels there where it misses the particle, are not known.

    Parameters
    ----------
    micrograph : LabelledMicrograph
        With the user's labels; its `classes`, where given, are the labels.
    prediction : Prediction
        The teacher's.
    possible_xy_px : NDArray[np.float64]
        ``(n, 2)`` points (x, y) in working pixels that may hold a particle without a pick.
    """
    shape, valid = micrograph.working.image.shape, micrograph.working.valid
    if micrograph.classes is not None:
        return np.where(valid, micrograph.classes, UNKNOWN).astype(np.int8)
    to_pick, to_possible = distance_px(micrograph.xy_px, shape), distance_px(possible_xy_px, shape)
    reached = to_pick <= REACH_RADIUS_PX
    core = to_pick <= CORE_RADIUS_PX
    support = uniform_filter(prediction.particle, round(2 * CORE_RADIUS_PX))
    missed_xy_px = micrograph.xy_px[support[nearest_pixels(_points(micrograph.xy_px), shape)] < 0.5]
    missed = distance_px(missed_xy_px, shape) <= REACH_RADIUS_PX

    labels = np.where(prediction.contaminant > 0.5, CONTAMINANT, BACKGROUND)
    labels[reached] = np.where(prediction.particle[reached] >= 0.5, PARTICLE, BACKGROUND)
    labels[reached & (labels == BACKGROUND) & (missed | (prediction.particle > 0.1))] = CLASS_UNKNOWN
    labels[core] = PARTICLE
    labels[(to_possible <= REACH_RADIUS_PX) & (to_possible < to_pick)] = CLASS_UNKNOWN
    labels[~valid] = UNKNOWN
    return labels.astype(np.int8)


def distance_px(xy_px: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Return ``(y, x)`` distances to the nearest point, infinite where there is none."""
    if len(xy_px) == 0:
        return np.full(shape, np.inf)
    away = np.ones(shape, np.bool_)
    away[nearest_pixels(_points(xy_px), shape)] = False
    return distance_transform_edt(away)


def has_neighbour(xy_px: FloatArray, others_xy_px: FloatArray, radius_px: float) -> Mask:
    """Return which points have one of the others within a radius.

    Parameters
    ----------
    xy_px, others_xy_px : NDArray[np.float64]
        ``(n, 2)`` and ``(m, 2)`` points (x, y) in pixels.
    radius_px : float
        The radius in the same pixels.
    """
    if len(others_xy_px) == 0 or len(xy_px) == 0:
        return np.zeros(len(xy_px), np.bool_)
    distance, _ = cKDTree(others_xy_px).query(xy_px)
    return np.asarray(distance <= radius_px)


def _points(xy_px: FloatArray) -> tuple[FloatArray, FloatArray]:
    return xy_px[:, 0], xy_px[:, 1]
