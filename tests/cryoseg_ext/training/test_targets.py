"""What a network is told where picks are missing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from cryoseg_ext.model.checkpoint import load_model
from cryoseg_ext.training.completeness import unpicked_probability
from cryoseg_ext.training.crops import cut
from cryoseg_ext.training.dataset import IGNORE
from cryoseg_ext.training.losses import CLASS_UNKNOWN
from cryoseg_ext.training.micrographs import LabelledMicrograph
from cryoseg_ext.training.targets import UNKNOWN_FROM, Lesson, prepare


def _at(labels: NDArray[np.int8], xy_px: NDArray[np.float64]) -> NDArray[np.int8]:
    x, y = np.clip(np.rint(xy_px).astype(int), 0, np.array(labels.shape)[::-1] - 1).T
    found: NDArray[np.int8] = labels[y, x]
    return found


def _unpicked(lessons: list[Lesson], truth: list[LabelledMicrograph]) -> NDArray[np.int8]:
    """Return the labels at the particles without a pick."""
    found = []
    for lesson, one in zip(lessons, truth, strict=True):
        picked = {tuple(xy) for xy in lesson.micrograph.xy_px}
        found.append(_at(lesson.labels, np.array([xy for xy in one.xy_px if tuple(xy) not in picked])))
    return np.concatenate(found)


def test_a_particle_that_nobody_picked_is_not_called_background(
    labelled: list[LabelledMicrograph], half_labelled: list[LabelledMicrograph]
) -> None:
    teacher = load_model()
    lessons = prepare(half_labelled, teacher)
    assert all(0.3 < lesson.share_labelled < 0.7 for lesson in lessons)
    assert (_unpicked(lessons, labelled) == 0).mean() < 0.15
    blindly = prepare(half_labelled, teacher, complete=True)
    assert (_unpicked(blindly, labelled) == 0).mean() > 0.6
    for lesson in lessons:
        assert (_at(lesson.labels, lesson.micrograph.xy_px) == 1).all()
        assert (lesson.labels == 0).mean() > 0.3


def test_with_complete_picks_nothing_is_left_out(labelled: list[LabelledMicrograph]) -> None:
    for lesson in prepare(labelled, load_model()):
        assert lesson.share_labelled > 0.9
        assert lesson.doubtful.sum() <= 1


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_the_share_of_picks_is_found_and_missing_picks_are_told_from_mistakes(share: float) -> None:
    rng = np.random.default_rng(3)
    true = [rng.uniform(size=400) < 0.6 for _ in range(3)]
    # Of 50 features five differ between particles and mistakes.
    looks = [rng.normal(size=(400, 50)) + 1.2 * one[:, None] * (np.arange(50) < 5) for one in true]
    picked = [one & (rng.uniform(size=400) < share) for one in true]
    shares, doubts = unpicked_probability(looks, picked)
    assert np.mean(shares) == pytest.approx(share, abs=0.08)
    doubted = np.concatenate(doubts) > UNKNOWN_FROM
    mistake = ~np.concatenate(true)
    assert doubted[mistake].mean() < 0.15
    missing = ~mistake & ~np.concatenate(picked)
    assert share == 1 or doubted[missing].mean() > 0.8


def test_image_labels_and_centres_of_a_crop_fit_together(labelled: list[LabelledMicrograph]) -> None:
    rng = np.random.default_rng(5)
    xy_px = np.array([[40.0, 50.0], [130.0, 60.0], [90.0, 200.0], [15.0, 150.0]])
    y, x = np.mgrid[:220, :170]
    squared = np.min([(x - a) ** 2 + (y - b) ** 2 for a, b in xy_px], axis=0)
    working = labelled[0].working
    image = (5 * np.exp(-squared / 50)).astype(np.float32)
    flat = type(working)(image, np.ones(image.shape, np.bool_), (220, 170))
    labels = np.where(squared < 60, 1, np.where(squared < 100, CLASS_UNKNOWN, 0)).astype(np.int8)
    lesson = Lesson(LabelledMicrograph("flat", flat, xy_px[:3]), labels, 0.7, xy_px[3:], np.array([0.6]))
    heights = set()
    for _ in range(20):
        crop, crop_labels, centres = (part.numpy() for part in cut(rng, lesson, 96))
        peaks = np.argwhere((centres == maximum_filter(centres, 5)) & (centres > 0.5))
        heights |= {round(float(centres[tuple(peak)]), 1) for peak in peaks}
        assert (crop_labels[tuple(peaks.T)] == 1).all()
        for row, column in peaks:
            around = crop[0, max(row - 3, 0) : row + 4, max(column - 3, 0) : column + 4]
            assert around.mean() > crop[0][crop_labels == 0].mean() + 1
        # A crop of 96 px fits into the field unless it is scaled up.
        assert (crop_labels == IGNORE).mean() < 0.2
        assert {CLASS_UNKNOWN, 0} & set(np.unique(crop_labels).tolist())
    assert heights <= {0.9, 1.0, 0.6}
    assert 0.6 in heights
