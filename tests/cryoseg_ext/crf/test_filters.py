"""The pairwise filters against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cryoseg_ext.crf.filters import PairwiseFilter, in_noise_units
from cryoseg_ext.crf.gaussian import GaussianFilter
from cryoseg_ext.crf.grid import BilateralGridFilter
from cryoseg_ext.crf.permutohedral import PermutohedralFilter

SHAPE = (45, 38)
SIGMA_PX = 5.0
REFERENCE_SIGMA = 1.0


def brute_force(features: list[NDArray[np.float32]], values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Row-normalised Gaussian of unit width on the stacked features."""
    f = np.stack([feature.ravel().astype(np.float64) for feature in features])
    weight = np.exp(-0.5 * ((f[:, :, None] - f[:, None, :]) ** 2).sum(axis=0))
    return np.asarray(weight @ values.ravel() / weight.sum(axis=1)).reshape(values.shape)


@pytest.fixture(scope="module")
def reference() -> NDArray[np.float32]:
    rng = np.random.default_rng(1)
    y, x = np.indices(SHAPE)
    disc = np.hypot(y - 20, x - 18) < 10
    return (rng.normal(size=SHAPE) - 2 * disc).astype(np.float32)


@pytest.fixture(scope="module")
def values() -> NDArray[np.float32]:
    return np.random.default_rng(2).random(SHAPE, dtype=np.float32)


def bilateral_oracle(reference: NDArray[np.float32], values: NDArray[np.float32]) -> NDArray[np.float64]:
    y, x = np.indices(SHAPE, dtype=np.float32)
    return brute_force([y / SIGMA_PX, x / SIGMA_PX, reference / REFERENCE_SIGMA], values)


def test_grid_matches_brute_force(reference: NDArray[np.float32], values: NDArray[np.float32]) -> None:
    filtered = BilateralGridFilter(reference, SIGMA_PX, REFERENCE_SIGMA)(values)
    error = np.abs(filtered - bilateral_oracle(reference, values))
    assert error.mean() < 1e-3
    assert error.max() < 0.015


def test_lattice_matches_brute_force(reference: NDArray[np.float32], values: NDArray[np.float32]) -> None:
    filtered = PermutohedralFilter(reference, SIGMA_PX, REFERENCE_SIGMA)(values)
    error = np.abs(filtered - bilateral_oracle(reference, values))
    assert error.mean() < 0.005
    assert error.max() < 0.03


@pytest.mark.parametrize("sigma_px", [0.4, 2.5, 40.0])
def test_gaussian_matches_brute_force(sigma_px: float, values: NDArray[np.float32]) -> None:
    y, x = np.indices(SHAPE, dtype=np.float32)
    filtered = GaussianFilter(SHAPE, sigma_px)(values)
    np.testing.assert_allclose(filtered, brute_force([y / sigma_px, x / sigma_px], values), atol=2e-4)


@pytest.mark.parametrize(
    ("kernel", "shape"),
    [
        (GaussianFilter((9, 150), 3.0), (9, 150)),
        (BilateralGridFilter(np.linspace(-3, 3, 1350, dtype=np.float32).reshape(9, 150), 3.0, 0.7), (9, 150)),
        (BilateralGridFilter(np.zeros((9, 150), np.float32), 30.0, 1.0), (9, 150)),
        (BilateralGridFilter(np.zeros((1, 1), np.float32), 3.0, 1.0), (1, 1)),
    ],
    ids=["gaussian", "grid", "grid on a flat reference", "grid on one pixel"],
)
def test_kernels_keep_a_constant_map(kernel: PairwiseFilter, shape: tuple[int, int]) -> None:
    np.testing.assert_allclose(kernel(np.full(shape, 0.7, np.float32)), 0.7, rtol=1e-5)


def test_noise_units_do_not_depend_on_scale_offset_or_outliers(reference: NDArray[np.float32]) -> None:
    spoiled = 50 * reference + 1000
    spoiled[3, 4] = 1e6
    units, expected = in_noise_units(spoiled), in_noise_units(reference)
    assert units[3, 4] == 6
    units[3, 4] = expected[3, 4]
    np.testing.assert_allclose(units, expected, atol=0.01)


def test_a_constant_reference_is_flat_in_noise_units() -> None:
    assert not in_noise_units(np.full((20, 20), 7, np.float32)).any()
