"""The solvers against each other, the textbook form and pydensecrf."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cryoseg_ext.crf.filters import PairwiseFilter
from cryoseg_ext.crf.gaussian import GaussianFilter
from cryoseg_ext.crf.grid import BilateralGridFilter
from cryoseg_ext.crf.permutohedral import PermutohedralFilter
from cryoseg_ext.crf.solvers import FrankWolfe, Kernels, frank_wolfe, lowest_step, mean_field
from cryoseg_ext.options.crf import REGULARISERS, STEPS

Problem = tuple[Tensor, list[tuple[Tensor | float, PairwiseFilter]]]
SMOOTH, BILATERAL = 0.65, 0.9
ITERATIONS = 5


def scene() -> tuple[Tensor, Tensor]:
    """Noisy log odds of a disc, and a noisy picture of it."""
    rng = np.random.default_rng(3)
    y, x = np.indices((96, 80))
    disc = np.hypot(y - 45, x - 38) < 12
    logit = np.where(disc, 1.5, -1.5) + rng.normal(scale=1.2, size=disc.shape)
    reference = np.where(disc, -1.5, 0.0) + rng.normal(size=disc.shape)
    return torch.from_numpy(logit.astype(np.float32)), torch.from_numpy(reference.astype(np.float32))


@pytest.fixture(scope="module")
def problem() -> Problem:
    logit, reference = scene()
    smooth, bilateral = GaussianFilter(logit, 2.0), BilateralGridFilter(reference[None], 7.0, 1.5)
    return logit, [(SMOOTH, smooth), (BILATERAL, bilateral)]


def two_classes(logit: Tensor) -> Tensor:
    return torch.stack([torch.zeros_like(logit), logit])


def frank_wolfe_classes(
    unary: Tensor, kernels: Kernels, compatibility: Tensor, settings: FrankWolfe
) -> tuple[Tensor, list[float]]:
    """Minimise ``E(x) = -<u, x> + 1/2 <x, P x>`` over class probabilities, the textbook form.

    ``P x = sum_k w_k K_k (M x)``; for the Potts model `M`, the compatibility, is minus the identity.
    "entropy" with strength and steps of 1 is parallel mean field. Returns the probabilities ``(c, y, x)`` and
    the energy before each iteration and after the last.
    """

    def pairwise(x: Tensor) -> Tensor:
        mixed = torch.einsum("ab,byx->ayx", compatibility, x)
        total = torch.zeros_like(x)
        for weight, kernel in kernels:
            total = total + weight * kernel(mixed)
        return total

    def energy(x: Tensor, px: Tensor) -> float:
        return float((0.5 * x * px - unary * x).sum())

    x = torch.softmax(unary, dim=0)
    px = pairwise(x)
    energies = [energy(x, px)]
    for iteration in range(settings.iterations):
        d = vertex(unary - px, settings) - x
        pd = pairwise(d)
        size = settings.step_size(iteration)
        if settings.step == "line_search":
            curvature = float((d * pd).sum())
            slope = float((0.5 * (d * px + x * pd) - unary * d).sum())
            size = lowest_step(slope, curvature)
        x, px = x + size * d, px + size * pd
        energies.append(energy(x, px))
    return x, energies


def vertex(logits: Tensor, settings: FrankWolfe) -> Tensor:
    """Return the minimiser of the linear sub-problem on the simplex of each pixel."""
    if settings.regulariser == "none":
        return torch.zeros_like(logits).scatter_(0, logits.argmax(0, keepdim=True), 1.0)
    if settings.regulariser == "entropy":
        return torch.softmax(logits / settings.strength, dim=0)
    return sparsemax(logits / settings.strength)


def sparsemax(logits: Tensor) -> Tensor:
    """Return the Euclidean projection on the simplex over dimension 0 (Martins & Astudillo 2016)."""
    ordered = logits.sort(dim=0, descending=True).values
    excess = ordered.cumsum(0) - 1
    count = torch.arange(1, len(logits) + 1, device=logits.device).view(-1, 1, 1)
    support = (count * ordered > excess).sum(0, keepdim=True)
    threshold = excess.gather(0, support - 1) / support
    return (logits - threshold).clamp(min=0)


def test_mean_field_is_entropic_frank_wolfe_with_full_steps(problem: Problem) -> None:
    logit, kernels = problem
    by_mean_field = mean_field(logit, kernels, ITERATIONS)
    by_frank_wolfe = frank_wolfe(logit, kernels, FrankWolfe(ITERATIONS, "entropy"))
    expected = torch.sigmoid(by_mean_field.log_odds)
    torch.testing.assert_close(torch.sigmoid(by_frank_wolfe.log_odds), expected, atol=1e-6, rtol=0)
    np.testing.assert_allclose(by_frank_wolfe.energies[:-1], by_mean_field.energies, rtol=1e-5)


@pytest.mark.parametrize("regulariser", REGULARISERS)
@pytest.mark.parametrize("step", STEPS)
def test_one_channel_equals_two_classes(problem: Problem, regulariser: Any, step: Any) -> None:
    logit, kernels = problem
    settings = FrankWolfe(ITERATIONS, regulariser, 0.8, step, (0.7, 0.4))
    solution = frank_wolfe(logit, kernels, settings)
    textbook, energies = frank_wolfe_classes(two_classes(logit), kernels, -torch.eye(2), settings)
    difference = (torch.sigmoid(solution.log_odds) - textbook[1]).abs()
    # Without a regulariser, rounding decides the label of a pixel whose two labels are equally good.
    assert difference.quantile(0.999) < 2e-5
    np.testing.assert_allclose(np.diff(solution.energies), np.diff(energies), rtol=1e-2, atol=0.2)


@pytest.mark.parametrize("regulariser", REGULARISERS)
@pytest.mark.parametrize("repulsion", [1.0, -2.0])
def test_energy_never_rises_with_line_search(problem: Problem, regulariser: Any, repulsion: float) -> None:
    logit, kernels = problem
    signed = [(weight * repulsion, kernel) for weight, kernel in kernels]
    energies = frank_wolfe(logit, signed, FrankWolfe(8, regulariser, step="line_search")).energies
    assert energies[-1] < energies[0]
    assert max(np.diff(energies)) < 1e-5 * abs(energies[0])


def test_three_classes_keep_probabilities_and_lower_the_energy(problem: Problem) -> None:
    _, kernels = problem
    unary = torch.randn(3, 96, 80, generator=torch.Generator().manual_seed(0))
    compatibility = -torch.tensor([[1.0, 0.2, 0.0], [0.2, 1.0, 0.0], [0.0, 0.0, 0.5]])
    for regulariser in REGULARISERS:
        settings = FrankWolfe(6, regulariser, step="line_search")
        x, energies = frank_wolfe_classes(unary, kernels, compatibility, settings)
        torch.testing.assert_close(x.sum(0), torch.ones(96, 80))
        assert x.min() >= 0
        assert max(np.diff(energies)) < 1e-5 * abs(energies[0])


def test_a_row_of_asymmetric_penalties_is_a_bias(problem: Problem) -> None:
    """So the one-channel form needs no compatibility matrix."""
    logit, kernels = problem
    penalties = torch.tensor([[0.0, 1.4], [0.6, 0.0]])
    textbook, _ = frank_wolfe_classes(two_classes(logit), kernels, penalties, FrankWolfe(4, "entropy"))
    weights = [(weight * (1.4 + 0.6) / 2, kernel) for weight, kernel in kernels]
    bias = (1.4 - 0.6) / 2 * (SMOOTH + BILATERAL)
    ours = mean_field(logit + bias, weights, 4)
    # The textbook form starts from the log odds without the bias, so the fixed points differ a little.
    assert (torch.sigmoid(ours.log_odds) - textbook[1]).abs().mean() < 0.01


def pydensecrf_mean_field(iterations: int) -> Tensor:
    import pydensecrf.densecrf as densecrf

    logit, reference = scene()
    crf = densecrf.DenseCRF(logit.numel(), 2)
    crf.setUnaryEnergy(np.stack([np.zeros(logit.numel(), np.float32), -logit.numpy().ravel()]))
    y, x = np.indices(logit.shape, dtype=np.float32)
    position = np.stack([y.ravel(), x.ravel()])
    for weight, features in (
        (SMOOTH, position / 2.0),
        (BILATERAL, np.vstack([position / 7.0, reference.numpy().ravel() / 1.5])),
    ):
        crf.addPairwiseEnergy(
            np.ascontiguousarray(features, np.float32),
            compat=weight,
            kernel=densecrf.CONST_KERNEL,
            normalization=densecrf.NORMALIZE_AFTER,
        )
    return torch.from_numpy(np.array(crf.inference(iterations))[1].reshape(logit.shape))


def test_mean_field_agrees_with_pydensecrf(problem: Problem) -> None:
    """To rounding error on its own lattice; on our filters as far as they are finer than the lattice."""
    logit, reference = scene()
    theirs = pydensecrf_mean_field(ITERATIONS)
    flat = torch.zeros(1, *logit.shape)[:0]
    lattices = [(SMOOTH, PermutohedralFilter(flat.reshape(0, *logit.shape), 2.0, 1.0))]
    lattices += [(BILATERAL, PermutohedralFilter(reference[None], 7.0, 1.5))]
    same_filter = torch.sigmoid(mean_field(logit, lattices, ITERATIONS).log_odds)
    torch.testing.assert_close(same_filter, theirs, atol=1e-4, rtol=0)
    ours = torch.sigmoid(mean_field(*problem, ITERATIONS).log_odds)
    assert (ours - theirs).abs().mean() < 0.01
    assert ((ours > 0.5) == (theirs > 0.5)).float().mean() > 0.985


def test_nothing_to_do_returns_the_log_odds(problem: Problem) -> None:
    logit, kernels = problem
    for answer in (mean_field(logit, [], 4), mean_field(logit, kernels, 0)):
        torch.testing.assert_close(answer.log_odds, logit, rtol=0, atol=0)
