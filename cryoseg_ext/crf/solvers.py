"""Solvers of the two-class dense CRF in its one-channel form: mean field and Frank-Wolfe.

With row-normalised kernels K_k the two-class model needs one channel. With the log odds `u` of particle
against background and the margin ``m = P(particle) - P(background)``, the energy of a state is

    E(m) = -1/2 <u, m> - 1/4 <m, Q m> + const,    Q m = sum_k w_k K_k m,

and its negative gradient, as log odds, is ``h = u + Q m``. An asymmetric compatibility, a penalty that
differs for the two classes, adds a constant to `u`, because the rows of every K_k sum to one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cryoseg_ext.crf.filters import PairwiseFilter
from cryoseg_ext.options.crf import Regulariser, StepRule

Kernels = Sequence[tuple[Tensor | float, PairwiseFilter]]
"""Weight and filter of each pairwise term."""


@dataclass(frozen=True)
class Solution:
    """The result of a solver.

    Parameters
    ----------
    log_odds : Tensor
        ``(y, x)`` log odds of particle against background.
    energies : list of float
        Energy, without its constant, before each iteration and, for Frank-Wolfe, after the last.
    """

    log_odds: Tensor
    energies: list[float]


def mean_field(unary: Tensor, kernels: Kernels, iterations: int, *, start: Tensor | None = None) -> Solution:
    """Solve by parallel mean field (Krähenbühl & Koltun 2011, arXiv:1210.5644).

    Parameters
    ----------
    unary : Tensor
        ``(y, x)`` log odds of particle against background.
    kernels : sequence of (weight, PairwiseFilter)
        Pairwise terms; a negative weight repels.
    iterations : int
        Number of parallel updates ``h = u + Q tanh(h / 2)``; 0 returns `unary`.
    start : Tensor, optional
        ``(y, x)`` log odds of the initial state, `unary` by default: those of the network, if `unary` is the
        sum of these and other terms.
    """
    log_odds, energies = unary if start is None or not iterations else start, []
    for _ in range(iterations):
        margin = torch.tanh(0.5 * log_odds)
        message = _message(kernels, margin)
        energies.append(energy(unary, margin, message))
        log_odds = unary + message
    return Solution(log_odds, energies)


def energy(unary: Tensor, margin: Tensor, message: Tensor) -> float:
    """Return the energy of a state, without its constant.

    Parameters
    ----------
    unary : Tensor
        ``(y, x)`` log odds of particle against background.
    margin : Tensor
        ``(y, x)`` state ``m``, P(particle) - P(background).
    message : Tensor
        ``(y, x)`` pairwise message ``Q m``.
    """
    with torch.no_grad():
        return -0.5 * float((unary * margin).sum()) - 0.25 * float((margin * message).sum())


@dataclass(frozen=True)
class FrankWolfe:
    """Settings of the Frank-Wolfe algorithm.

    Parameters
    ----------
    iterations : int
        Number of iterations.
    regulariser : {"none", "entropy", "euclidean"}
        Regulariser of the linear sub-problem.
    strength : float
        Factor lambda of the regulariser.
    step : {"fixed", "harmonic", "line_search"}
        Step rule: the values of `steps`; ``2 / (k + 2)`` in iteration k, counted from 0; or the step of
        lowest energy in [0, 1], with which the energy never rises.
    steps : sequence of Tensor or float
        Fixed or learned steps; the last one is repeated.
    """

    iterations: int
    regulariser: Regulariser
    strength: float = 1.0
    step: StepRule = "fixed"
    steps: Sequence[Tensor | float] = (1.0,)

    def step_size(self, iteration: int) -> Tensor | float:
        """Return the step of an iteration, counted from 0, by the fixed or the harmonic rule."""
        if self.step == "harmonic":
            return 2 / (iteration + 2)
        return self.steps[min(iteration, len(self.steps) - 1)]


def frank_wolfe(
    unary: Tensor, kernels: Kernels, settings: FrankWolfe, *, start: Tensor | None = None
) -> Solution:
    """Solve by (regularised) Frank-Wolfe (Lê-Huu & Alahari 2021, arXiv:2110.14759).

    Each iteration moves from the state towards the minimiser of the linearised energy plus `strength` times
    the regulariser: the better label ("none"), ``sigmoid(h / strength)`` ("entropy"), or
    ``clip(1/2 + h / (2 strength), 0, 1)`` ("euclidean", the sparsemax of two classes). "entropy" with
    strength and steps of 1 is mean field.

    Parameters
    ----------
    unary : Tensor
        ``(y, x)`` log odds of particle against background.
    kernels : sequence of (weight, PairwiseFilter)
        Pairwise terms; a negative weight repels.
    settings : FrankWolfe
        Iterations, regulariser and step rule; 0 iterations return `unary`.
    start : Tensor, optional
        As in `mean_field`.
    """
    margin = torch.tanh(0.5 * (unary if start is None or not settings.iterations else start))
    message = _message(kernels, margin) if settings.iterations else torch.zeros_like(margin)
    energies = [energy(unary, margin, message)]
    for iteration in range(settings.iterations):
        direction = _best_response(unary + message, settings) - margin
        change = _message(kernels, direction)
        size = settings.step_size(iteration)
        if settings.step == "line_search":
            size = _line_search(unary, margin, message, direction, change)
        margin, message = margin + size * direction, message + size * change
        energies.append(energy(unary, margin, message))
    # The rounding limit of the margin keeps the log odds finite where a label is certain.
    limit = 1 - torch.finfo(margin.dtype).eps
    return Solution(2 * torch.atanh(margin.clamp(-limit, limit)), energies)


def _message(kernels: Kernels, margin: Tensor) -> Tensor:
    message = torch.zeros_like(margin)
    for weight, kernel in kernels:
        message = message + weight * kernel(margin)
    return message


def _best_response(log_odds: Tensor, settings: FrankWolfe) -> Tensor:
    """Return the margin of the minimiser of the linear sub-problem."""
    if settings.regulariser == "none":
        return torch.sign(log_odds)
    if settings.regulariser == "entropy":
        return torch.tanh(0.5 * log_odds / settings.strength)
    return (log_odds / settings.strength).clamp(-1, 1)


def _line_search(unary: Tensor, margin: Tensor, message: Tensor, direction: Tensor, change: Tensor) -> float:
    """Return the step of lowest energy along `direction`.

    ``E(m + a d) = E(m) + a slope + a² curvature / 2``, and `change` is ``Q d``. The kernels are not symmetric
    where densities differ, as at the edge, so the slope takes the mean of ``<d, Q m>`` and ``<m, Q d>``.
    """
    with torch.no_grad():
        curvature = -0.5 * float((direction * change).sum())
        slope = -0.5 * float((unary * direction).sum())
        slope -= 0.25 * float((direction * message).sum() + (margin * change).sum())
    return lowest_step(slope, curvature)


def lowest_step(slope: float, curvature: float) -> float:
    """Return the `a` in [0, 1] for which ``a slope + a² curvature / 2`` is lowest."""
    if curvature > 0:
        return min(max(-slope / curvature, 0.0), 1.0)
    return 1.0 if slope + curvature / 2 <= 0 else 0.0
