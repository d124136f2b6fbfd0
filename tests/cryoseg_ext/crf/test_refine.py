"""The two-class conditional random field as a whole."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, softmax

from cryoseg_ext.crf import CrfOptions, refine
from cryoseg_ext.crf.filters import in_noise_units
from cryoseg_ext.crf.gaussian import GaussianFilter
from cryoseg_ext.crf.grid import BilateralGridFilter
from cryoseg_ext.crf.mean_field import mean_field

DIAMETER_PX = 24.0
OPTIONS = CrfOptions(iterations=5, smooth_weight=0.5, bilateral_weight=0.7, compatibility=1.3)

Scene = tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.float32]]


def simulate(seed: int) -> Scene:
    """True disc, noisy logit and noisy reference."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((96, 80))
    disc = np.hypot(y - 45, x - 38) < DIAMETER_PX / 2
    logit = np.where(disc, 1.5, -1.5) + rng.normal(scale=1.2, size=disc.shape)
    reference = np.where(disc, -1.5, 0.0) + rng.normal(size=disc.shape)
    return disc, logit.astype(np.float32), reference.astype(np.float32)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return simulate(3)


def two_class_mean_field(
    logit: NDArray[np.float32], reference: NDArray[np.float32], options: CrfOptions
) -> NDArray[np.float64]:
    """The textbook form with one channel for each class."""
    smooth = GaussianFilter(logit.shape, options.smooth_sigma * DIAMETER_PX)
    grey = in_noise_units(reference)
    bilateral = BilateralGridFilter(grey, options.bilateral_sigma * DIAMETER_PX, options.reference_sigma)
    unary = np.stack([np.zeros_like(logit), logit])
    q = softmax(unary, axis=0)
    for _ in range(options.iterations):
        message = options.smooth_weight * np.stack([smooth(c) for c in q])
        message += options.bilateral_weight * np.stack([bilateral(c) for c in q])
        q = softmax(unary + options.compatibility * message, axis=0)
    return np.asarray(q[1])


def test_one_channel_equals_the_two_class_form(scene: Scene) -> None:
    _, logit, reference = scene
    expected = two_class_mean_field(logit, reference, OPTIONS)
    np.testing.assert_allclose(refine(logit, reference, DIAMETER_PX, OPTIONS), expected, atol=2e-6)


def test_mean_field_agrees_with_pydensecrf(scene: Scene) -> None:
    """Not to rounding error: its lattice is coarser than our grid, and it filters both kernels with it."""
    import pydensecrf.densecrf as densecrf

    _, logit, reference = scene
    crf = densecrf.DenseCRF(logit.size, 2)
    crf.setUnaryEnergy(np.stack([np.zeros(logit.size, np.float32), -logit.ravel()]))
    y, x = np.indices(logit.shape, dtype=np.float32) / np.float32(DIAMETER_PX)
    position = np.stack([y.ravel(), x.ravel()])
    grey = in_noise_units(reference).ravel() / OPTIONS.reference_sigma
    for weight, features in (
        (OPTIONS.smooth_weight, position / OPTIONS.smooth_sigma),
        (OPTIONS.bilateral_weight, np.vstack([position / OPTIONS.bilateral_sigma, grey])),
    ):
        crf.addPairwiseEnergy(
            np.ascontiguousarray(features, np.float32),
            compat=weight * OPTIONS.compatibility,
            kernel=densecrf.CONST_KERNEL,
            normalization=densecrf.NORMALIZE_AFTER,
        )
    theirs = np.asarray(crf.inference(OPTIONS.iterations))[1].reshape(logit.shape)
    ours = refine(logit, reference, DIAMETER_PX, OPTIONS)
    assert np.abs(ours - theirs).mean() < 0.01
    assert np.mean((ours > 0.5) == (theirs > 0.5)) > 0.985


def test_lattice_filter_gives_nearly_the_grid_result(scene: Scene) -> None:
    _, logit, reference = scene
    by_grid = refine(logit, reference, DIAMETER_PX, OPTIONS)
    by_lattice = refine(logit, reference, DIAMETER_PX, replace(OPTIONS, filter="permutohedral"))
    assert np.abs(by_grid - by_lattice).mean() < 0.01


def test_pydensecrf_is_needed_only_by_its_own_filter(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    _, logit, reference = scene
    monkeypatch.delitem(sys.modules, "cryoseg_ext.crf.permutohedral", raising=False)
    monkeypatch.setitem(sys.modules, "pydensecrf.densecrf", None)
    refine(logit, reference, DIAMETER_PX, OPTIONS)
    with pytest.raises(ImportError, match="pydensecrf"):
        refine(logit, reference, DIAMETER_PX, replace(OPTIONS, filter="permutohedral"))


@pytest.mark.parametrize(
    "options",
    [
        CrfOptions(smooth_weight=0, bilateral_weight=0),
        CrfOptions(compatibility=0),
        CrfOptions(iterations=0),
    ],
    ids=["weights", "compatibility", "iterations"],
)
def test_nothing_to_do_returns_the_sigmoid_of_the_logit(scene: Scene, options: CrfOptions) -> None:
    _, logit, reference = scene
    np.testing.assert_array_equal(refine(logit, reference, DIAMETER_PX, options), expit(logit))


def test_no_kernels_means_no_change_however_often() -> None:
    logit = np.linspace(-30, 30, 12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(mean_field(logit, [], 1.0, 4), expit(logit))


def test_a_noisy_disc_gets_a_cleaner_boundary() -> None:
    gain_iou, gain_rim = [], []
    for seed in range(10):
        disc, logit, reference = simulate(seed)
        before, after = logit > 0, refine(logit, reference, DIAMETER_PX, CrfOptions()) > 0.5
        gain_iou.append(iou(after, disc) - iou(before, disc))
        y, x = np.indices(disc.shape)
        rim = np.abs(np.hypot(y - 45, x - 38) - DIAMETER_PX / 2) < 2
        gain_rim.append(np.mean(after[rim] == disc[rim]) - np.mean(before[rim] == disc[rim]))
    assert np.mean(gain_iou) > 0.1
    assert np.mean(gain_rim) > 3 * np.std(gain_rim) / np.sqrt(len(gain_rim)), gain_rim


def iou(mask: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    return float((mask & truth).sum() / (mask | truth).sum())


def test_scale_and_offset_of_the_reference_do_not_matter(scene: Scene) -> None:
    _, logit, reference = scene
    expected = refine(logit, reference, DIAMETER_PX, OPTIONS)
    actual = refine(logit, 700 * reference + 3000, DIAMETER_PX, OPTIONS)
    np.testing.assert_allclose(actual, expected, atol=1e-3)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("iterations", -1),
        ("smooth_weight", -0.1),
        ("bilateral_sigma", 0.0),
        ("reference_sigma", np.nan),
        ("filter", "wavelet"),
    ],
)
def test_senseless_settings_are_refused(setting: str, value: Any) -> None:
    changed: dict[str, Any] = {setting: value}
    with pytest.raises(ValueError, match=setting):
        replace(CrfOptions(), **changed)


def test_maps_of_different_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        refine(np.zeros((4, 5), np.float32), np.zeros((5, 4), np.float32), DIAMETER_PX, CrfOptions())
