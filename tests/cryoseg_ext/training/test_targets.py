"""Training targets where picks are missing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from cryoseg_ext.model.checkpoint import load_model
from cryoseg_ext.network.classes import UNKNOWN
from cryoseg_ext.training.completeness import unpicked_probability
from cryoseg_ext.training.crops import cut
from cryoseg_ext.training.losses import CLASS_UNKNOWN
from cryoseg_ext.training.micrographs import LabelledMicrograph
from cryoseg_ext.training.targets import POSSIBLE_FROM, TrainingExample, make_examples


def _at(labels: NDArray[np.int8], xy_px: NDArray[np.float64]) -> NDArray[np.int8]:
    x, y = np.clip(np.rint(xy_px).astype(int), 0, np.array(labels.shape)[::-1] - 1).T
    return labels[y, x]


def _unpicked(examples: list[TrainingExample], truth: list[LabelledMicrograph]) -> NDArray[np.int8]:
    """Return the labels at the particles without a pick."""
    found = []
    for example, micrograph in zip(examples, truth, strict=True):
        picked = {tuple(xy) for xy in example.micrograph.xy_px}
        unpicked_xy_px = np.array([xy for xy in micrograph.xy_px if tuple(xy) not in picked])
        found.append(_at(example.labels, unpicked_xy_px))
    return np.concatenate(found)


def test_a_particle_that_nobody_picked_is_not_called_background(
    labelled: list[LabelledMicrograph], half_labelled: list[LabelledMicrograph]
) -> None:
    teacher = load_model()
    examples = make_examples(half_labelled, teacher)
    assert all(0.3 < example.share_labelled < 0.7 for example in examples)
    assert (_unpicked(examples, labelled) == 0).mean() < 0.15
    complete = make_examples(half_labelled, teacher, complete=True)
    assert (_unpicked(complete, labelled) == 0).mean() > 0.6
    for example in examples:
        assert (_at(example.labels, example.micrograph.xy_px) == 1).all()
        assert (example.labels == 0).mean() > 0.3


def test_with_complete_picks_nothing_is_left_out(labelled: list[LabelledMicrograph]) -> None:
    for example in make_examples(labelled, load_model()):
        assert example.share_labelled > 0.9
        assert example.possible.sum() <= 1


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_the_share_of_picks_is_found_and_missing_picks_are_distinguished_from_mistakes(share: float) -> None:
    rng = np.random.default_rng(3)
    true = [rng.uniform(size=400) < 0.6 for _ in range(3)]
    # Of 50 features five differ between particles and mistakes.
    features = [rng.normal(size=(400, 50)) + 1.2 * is_true[:, None] * (np.arange(50) < 5) for is_true in true]
    picked = [is_true & (rng.uniform(size=400) < share) for is_true in true]
    shares, probabilities = unpicked_probability(features, picked)
    assert np.mean(shares) == pytest.approx(share, abs=0.08)
    possible = np.concatenate(probabilities) > POSSIBLE_FROM
    mistake = ~np.concatenate(true)
    assert possible[mistake].mean() < 0.15
    missing = ~mistake & ~np.concatenate(picked)
    assert share == 1 or possible[missing].mean() > 0.8


def test_image_labels_and_centres_of_a_crop_fit_together(labelled: list[LabelledMicrograph]) -> None:
    rng = np.random.default_rng(5)
    xy_px = np.array([[40.0, 50.0], [130.0, 60.0], [90.0, 200.0], [15.0, 150.0]])
    y, x = np.mgrid[:220, :170]
    squared = np.min([(x - a) ** 2 + (y - b) ** 2 for a, b in xy_px], axis=0)
    working = labelled[0].working
    image = (5 * np.exp(-squared / 50)).astype(np.float32)
    flat = type(working)(image, np.ones(image.shape, np.bool_), (220, 170))
    labels = np.where(squared < 60, 1, np.where(squared < 100, CLASS_UNKNOWN, 0)).astype(np.int8)
    micrograph = LabelledMicrograph("flat", flat, xy_px[:3])
    example = TrainingExample(micrograph, labels, 0.7, xy_px[3:], np.array([0.6]))
    heights = set()
    for _ in range(20):
        crop, crop_labels, centres = (part.numpy() for part in cut(rng, example, 96))
        peaks = np.argwhere((centres == maximum_filter(centres, 5)) & (centres > 0.5))
        heights |= {round(float(centres[tuple(peak)]), 1) for peak in peaks}
        assert (crop_labels[tuple(peaks.T)] == 1).all()
        for row, column in peaks:
            around = crop[0, max(row - 3, 0) : row + 4, max(column - 3, 0) : column + 4]
            assert around.mean() > crop[0][crop_labels == 0].mean() + 1
        # A crop of 96 px fits into the field unless it is scaled up.
        assert (crop_labels == UNKNOWN).mean() < 0.2
        assert {CLASS_UNKNOWN, 0} & set(np.unique(crop_labels).tolist())
    assert heights <= {0.9, 1.0, 0.6}
    assert 0.6 in heights
