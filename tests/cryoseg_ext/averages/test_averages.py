"""Class averages of drawn particles."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, rotate, shift

from cryoseg_ext.averages import class_averages, sort_into_classes
from cryoseg_ext.averages.basis import disk_basis

SIDE = 36
MIDDLE = SIDE // 2
Y, X = np.mgrid[:SIDE, :SIDE] - MIDDLE
SHAPES = (
    (np.abs(Y) < 3) & (np.abs(X) < 10),
    (np.abs(np.hypot(Y, X) - 8) < 2.5) & (X < 4),
    ((np.abs(X) < 2.5) & (np.abs(Y) < 9)) | ((np.abs(Y - 7) < 2.5) & (X > 0) & (X < 9)),
)
"""A bar, an open ring, and an L, none of which is the mirror image of another."""


def _turned(image: NDArray[np.float32], angle_deg: float) -> NDArray[np.float32]:
    """Return an image turned about its middle pixel, which is not the middle of an even side."""
    padded = np.pad(image, ((0, 1), (0, 1)))
    return np.asarray(rotate(padded, angle_deg, reshape=False, order=1)[:-1, :-1], np.float32)


def _boxes(n_each: int, n_junk: int, noise: float) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return dark particles of each shape, turned and shifted at random, edges of film, and what is which."""
    rng = np.random.default_rng(0)
    kinds = rng.permutation(np.repeat(np.arange(len(SHAPES) + 1), [*[n_each] * len(SHAPES), n_junk]))
    boxes = rng.normal(0, noise, (len(kinds), SIDE, SIDE)).astype(np.float32)
    for number, kind in enumerate(kinds):
        angle_deg = rng.uniform(0, 360)
        if kind < len(SHAPES):
            drawn = _turned(gaussian_filter(SHAPES[kind].astype(np.float32), 1), angle_deg)
            boxes[number] -= shift(drawn, rng.uniform(-1.5, 1.5, 2), order=1)
        else:
            boxes[number] -= Y * np.cos(angle_deg) + X * np.sin(angle_deg) > rng.uniform(0, 6)
    return boxes, kinds


def _likeness(image: NDArray[np.float32], kind: int) -> float:
    """Return the highest correlation with a shape, however it is turned and shifted."""
    drawn = gaussian_filter(SHAPES[kind].astype(np.float32), 1)
    turned = [_turned(drawn, angle) for angle in range(0, 360, 6)]
    moved = [np.roll(one, (y, x), (0, 1)) for one in turned for y in (-1, 0, 1) for x in (-1, 0, 1)]
    return max(float(np.corrcoef(image.ravel(), one.ravel())[0, 1]) for one in moved)


def test_classes_show_the_shapes_and_hold_their_particles() -> None:
    boxes, kinds = _boxes(200, 60, noise=1.0)
    images, labels = sort_into_classes(boxes)
    assert images.shape[1:] == (SIDE, SIDE)
    usual = np.array([np.bincount(kinds[labels == number]).argmax() for number in range(len(images))])
    assert set(usual) == {0, 1, 2, 3}
    for kind in range(3):
        best = max(_likeness(images[number], kind) for number in np.flatnonzero(usual == kind))
        assert best > 0.9
    assert np.mean(usual[labels] == kinds) > 0.9
    # Most of the film is in classes of its own.
    assert np.mean(usual[labels[kinds == 3]] == 3) > 0.7


def test_averages_are_sorted_by_their_particles_and_have_them_all() -> None:
    boxes, _ = _boxes(80, 20, noise=1.0)
    averages = class_averages(boxes)
    counts = [one.n_particles for one in averages]
    assert counts == sorted(counts, reverse=True)
    assert (sum(counts), min(counts) > 0, len(averages) <= 5) == (260, True, True)
    # Dark in the boxes, bright in the averages.
    assert all(one.image.max() > 2 * -one.image.min() for one in averages[:2])
    again = class_averages(boxes.copy())
    assert all(np.array_equal(one.image, two.image) for one, two in zip(averages, again, strict=True))


def test_turned_particles_have_the_same_averages_turned() -> None:
    boxes, _ = _boxes(100, 0, noise=0.7)
    images, labels = sort_into_classes(boxes)
    turned_boxes = np.roll(np.rot90(boxes, axes=(1, 2)), 1, 1)
    turned_images, turned_labels = sort_into_classes(turned_boxes)
    assert np.mean(labels == turned_labels) > 0.99
    expected = np.roll(np.rot90(images, axes=(1, 2)), 1, 1)
    inside = np.hypot(Y, X) < 13
    np.testing.assert_allclose(turned_images[:, inside], expected[:, inside], atol=0.05)


@pytest.mark.parametrize("n", [0, 1, 49])
def test_few_particles_have_no_averages(n: int) -> None:
    assert class_averages(np.zeros((n, SIDE, SIDE), np.uint8)) == ()


@pytest.mark.parametrize("level", [0, 16])
def test_empty_boxes_are_averaged_too(level: int) -> None:
    (one,) = class_averages(np.full((60, SIDE, SIDE), level, np.uint8))
    assert one.n_particles == 60
    assert np.all(one.image == 0)


def test_images_come_back_from_their_coefficients_and_phases_turn_them() -> None:
    basis = disk_basis(SIDE, 16, 15, 0.28)
    drawn = np.stack([gaussian_filter(shape.astype(np.float32), 1.5) for shape in SHAPES])
    coefficients = basis.coefficients(drawn)
    for image, one in zip(drawn, basis.images(coefficients), strict=True):
        assert np.corrcoef(image.ravel(), one.ravel())[0, 1] > 0.99
    (quarter,) = basis.rotations(np.array([np.pi / 2]))
    # From x to y, where y grows downwards.
    turned = np.roll(np.rot90(basis.images(coefficients), -1, axes=(1, 2)), 1, 2)
    inside = np.hypot(Y, X) < 13
    np.testing.assert_allclose(basis.images(coefficients * quarter)[:, inside], turned[:, inside], atol=1e-4)
