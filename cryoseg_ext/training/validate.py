"""How well a network does on labelled micrographs, where their labels are known."""

from __future__ import annotations

from collections.abc import Sequence

from cryoseg_ext.arrays import FloatArray, Mask
from cryoseg_ext.evaluation import PickScores, score_picks
from cryoseg_ext.evaluation.matching import MATCH_DIAMETERS
from cryoseg_ext.extract.candidates import nearest_pixels
from cryoseg_ext.image.scale import WORKING_DIAMETER_PX
from cryoseg_ext.network.classes import PARTICLE, UNKNOWN
from cryoseg_ext.picks import Picks
from cryoseg_ext.training.targets import REACH_RADIUS_PX, Prediction, TrainingExample, has_neighbour

SCORED_RADIUS_PX = MATCH_DIAMETERS * WORKING_DIAMETER_PX
"""Largest distance of a correct pick from a labelled centre."""


def score_pixels(examples: Sequence[TrainingExample], predictions: Sequence[Prediction]) -> float:
    """Return the intersection over union of the particle pixels whose class is known."""
    intersection = union = 0
    for example, prediction in zip(examples, predictions, strict=True):
        predicted, reference = prediction.particle >= 0.5, example.labels == PARTICLE
        intersection += int((predicted & reference).sum())
        union += int(((predicted | reference) & (example.labels >= 0)).sum())
    return intersection / max(union, 1)


def score_candidates(
    examples: Sequence[TrainingExample], predictions: Sequence[Prediction], threshold: float = 0.0
) -> PickScores:
    """Return the scores of the candidates of which it is known whether they are particles.

    Parameters
    ----------
    examples : Sequence[TrainingExample]
        The micrographs.
    predictions : Sequence[Prediction]
        The prediction for each of them.
    threshold : float
        Lowest score of a pick, for precision, recall and F1.
    """
    return score_picks(known_candidates(examples, predictions), SCORED_RADIUS_PX, threshold)


def known_candidates(
    examples: Sequence[TrainingExample], predictions: Sequence[Prediction]
) -> list[tuple[FloatArray, Picks]]:
    """Return the labelled centres of each micrograph, and its candidates that are known to be right or wrong.

    Both are in working pixels.
    """
    found = []
    for example, prediction in zip(examples, predictions, strict=True):
        known = is_known(example, prediction.xy_px)
        x_px, y_px = prediction.xy_px[known].T
        found.append((example.micrograph.xy_px, Picks(x_px, y_px, prediction.score[known])))
    return found


def is_known(example: TrainingExample, xy_px: FloatArray) -> Mask:
    """Return which points lie on a labelled centre or where there surely is none."""
    picked = has_neighbour(xy_px, example.micrograph.xy_px, SCORED_RADIUS_PX)
    possible = has_neighbour(xy_px, example.unpicked_xy_px[example.possible], REACH_RADIUS_PX)
    return is_labelled(example, xy_px) & (picked | ~possible)


def is_labelled(example: TrainingExample, xy_px: FloatArray) -> Mask:
    """Return which points lie on a labelled centre or where the labels are known."""
    has_label: Mask = example.labels != UNKNOWN
    on_centre = has_neighbour(xy_px, example.micrograph.xy_px, SCORED_RADIUS_PX)
    return on_centre | has_label[nearest_pixels((xy_px[:, 0], xy_px[:, 1]), has_label.shape)]
