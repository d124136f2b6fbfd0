"""The pairwise filters and reference maps against brute force."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cryoseg_ext.arrays import FloatArray
from cryoseg_ext.crf.filters import PairwiseFilter
from cryoseg_ext.crf.gaussian import GaussianFilter
from cryoseg_ext.crf.grid import BilateralGridFilter, _IndexedStripe
from cryoseg_ext.crf.permutohedral import PermutohedralFilter
from cryoseg_ext.crf.references import in_noise_units, reference_map
from cryoseg_ext.crf.window import RADIUS_TAPS, WindowFilter

SHAPE = (45, 38)
SIGMA_PX = 5.0
REFERENCE_SIGMA = 1.0


def kernel_matrix(features: Any) -> FloatArray:
    """Gaussian of unit width between all pairs of pixels."""
    f = np.stack([np.asarray(feature, np.float64).ravel() for feature in features])
    return np.asarray(np.exp(-0.5 * ((f[:, :, None] - f[:, None, :]) ** 2).sum(axis=0)))


def brute_force(weight: FloatArray, values: Tensor) -> FloatArray:
    """Row-normalised product."""
    return np.asarray(weight @ values.numpy().ravel() / weight.sum(axis=1)).reshape(values.shape)


@pytest.fixture(scope="module", params=[1, 2], ids=["one channel", "two channels"])
def reference(request: pytest.FixtureRequest) -> Tensor:
    rng = np.random.default_rng(1)
    y, x = np.indices(SHAPE)
    disc = np.hypot(y - 20, x - 18) < 10
    channels = [rng.normal(size=SHAPE) - 2 * disc, rng.normal(size=SHAPE)]
    return torch.from_numpy(np.stack(channels[: request.param]).astype(np.float32))


@pytest.fixture(scope="module")
def values() -> Tensor:
    return torch.from_numpy(np.random.default_rng(2).random(SHAPE, dtype=np.float32))


def bilateral_matrix(reference: Tensor) -> FloatArray:
    y, x = np.indices(SHAPE) / SIGMA_PX
    return kernel_matrix([y, x, *reference.numpy() / REFERENCE_SIGMA])


def test_grid_matches_brute_force(reference: Tensor, values: Tensor) -> None:
    filtered = BilateralGridFilter(reference, SIGMA_PX, REFERENCE_SIGMA)(values).numpy()
    error = np.abs(filtered - brute_force(bilateral_matrix(reference), values))
    assert error.mean() < 1e-3
    assert error.max() < 0.015


def test_lattice_matches_brute_force(reference: Tensor, values: Tensor) -> None:
    filtered = PermutohedralFilter(reference, SIGMA_PX, REFERENCE_SIGMA)(values).numpy()
    error = np.abs(filtered - brute_force(bilateral_matrix(reference), values))
    assert error.mean() < 0.005
    if len(reference) == 1:  # With two channels of noise some pixels have hardly a neighbour.
        assert error.max() < 0.05


def test_window_is_exact_on_the_pixels_it_visits(reference: Tensor, values: Tensor) -> None:
    step = 3  # Seven taps that reach two standard deviations of 5 px.
    y, x = (axis.ravel() for axis in np.indices(SHAPE))
    dy, dx = (np.abs(axis[:, None] - axis[None, :]) for axis in (y, x))
    visited = (dy % step == 0) & (dx % step == 0) & (np.maximum(dy, dx) <= RADIUS_TAPS * step)
    expected = brute_force(bilateral_matrix(reference) * visited, values)
    actual = WindowFilter(reference, SIGMA_PX, REFERENCE_SIGMA)(values).numpy()
    np.testing.assert_allclose(actual, expected, atol=1e-5)


@pytest.mark.parametrize(("sigma_px", "error"), [(0.4, 2e-4), (2.5, 2e-5), (20.0, 1e-3), (40.0, 1e-3)])
def test_gaussian_matches_brute_force(sigma_px: float, error: float, values: Tensor) -> None:
    filtered = GaussianFilter(values, sigma_px)(values).numpy()
    expected = brute_force(kernel_matrix(np.indices(SHAPE) / sigma_px), values)
    np.testing.assert_allclose(filtered, expected, atol=error)


def test_gpu_path_of_the_grid_equals_its_cpu_path(
    reference: Tensor, values: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = BilateralGridFilter(reference, SIGMA_PX, REFERENCE_SIGMA)(values)
    monkeypatch.setattr("cryoseg_ext.crf.grid._SparseStripe", _IndexedStripe)
    actual = BilateralGridFilter(reference, SIGMA_PX, REFERENCE_SIGMA)(values)
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)


LIKE = torch.zeros(9, 150)
RAMP = torch.linspace(-3, 3, 1350).reshape(1, 9, 150)
KERNELS = {
    "gaussian": GaussianFilter(LIKE, 3.0),
    "wide gaussian": GaussianFilter(LIKE, 30.0),
    "grid": BilateralGridFilter(RAMP, 3.0, 0.7),
    "grid on a flat reference": BilateralGridFilter(LIKE[None], 30.0, 1.0),
    "grid on one pixel": BilateralGridFilter(torch.zeros(1, 1, 1), 3.0, 1.0),
    "window": WindowFilter(RAMP, 3.0, 0.7),
    "window wider than the map": WindowFilter(RAMP, 30.0, 0.7),
    "lattice": PermutohedralFilter(RAMP, 3.0, 0.7),
}


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_keep_a_constant_map(name: str) -> None:
    like = torch.zeros(1, 1) if "one pixel" in name else LIKE
    torch.testing.assert_close(KERNELS[name](like + 0.7), like + 0.7, rtol=1e-4, atol=0)


@pytest.mark.parametrize("kind", [BilateralGridFilter, WindowFilter, GaussianFilter])
def test_gradients_of_the_filters_are_right(kind: Any) -> None:
    torch.manual_seed(0)
    like = torch.randn(7, 6, dtype=torch.float64)
    kernel: PairwiseFilter = (
        kind(like, 1.5) if kind is GaussianFilter else kind(torch.stack([like, like.flip(0)]), 1.5, 0.8)
    )
    values = torch.randn(2, 7, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(kernel, (values,))


def test_gradient_of_the_lattice_points_the_right_way(reference: Tensor, values: Tensor) -> None:
    """It is not symmetric to rounding error, so its transpose is approximate."""
    state = values.clone().requires_grad_()
    target = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))
    gradients = []
    for kind in (PermutohedralFilter, BilateralGridFilter):
        loss = (kind(reference, SIGMA_PX, REFERENCE_SIGMA)(state) * target).sum()
        gradients.append(torch.autograd.grad(loss, state)[0].flatten())
    assert torch.corrcoef(torch.stack(gradients))[0, 1] > 0.9


def test_noise_units_do_not_depend_on_scale_offset_or_outliers(reference: Tensor) -> None:
    spoiled = 50 * reference[0] + 1000
    spoiled[3, 4] = 1e6
    units, expected = in_noise_units(spoiled), in_noise_units(reference[0])
    assert units[3, 4] == 6
    units[3, 4] = expected[3, 4]
    torch.testing.assert_close(units, expected, atol=0.01, rtol=0)


def test_a_constant_reference_is_flat_in_noise_units() -> None:
    assert not in_noise_units(torch.full((20, 20), 7.0)).any()


@pytest.mark.parametrize("name", ["low_pass", "denoised"])
def test_a_cleaner_reference_shows_the_particle_better(name: Any) -> None:
    y, x = np.indices((80, 90))
    disc = np.hypot(y - 40, x - 45) < 12
    noisy = torch.from_numpy(np.random.default_rng(0).normal(size=disc.shape) - disc).float()

    def contrast(reference: Tensor) -> float:
        inside, outside = reference[0][disc], reference[0][~disc]
        return float((outside.mean() - inside.mean()) / outside.std())

    maps = [reference_map(kind, noisy, noisy, noisy, 24.0) for kind in ("micrograph", name)]
    assert contrast(maps[1]) > 1.5 * contrast(maps[0])


def test_a_stack_has_the_low_passed_micrograph_and_the_logit() -> None:
    micrograph, logit = torch.randn(2, 30, 40, generator=torch.Generator().manual_seed(0))
    stack = reference_map("stack", micrograph, logit, logit, 24.0)
    single = [reference_map(kind, micrograph, logit, logit, 24.0)[0] for kind in ("low_pass", "logit")]
    torch.testing.assert_close(stack, torch.stack(single))
