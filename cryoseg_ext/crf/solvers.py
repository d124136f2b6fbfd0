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


@dataclass(frozen=True)
class Solution:
    """What a solver found.

    Parameters
    ----------
    log_odds : Tensor
        ``(y, x)`` of particle against background.
    energies : list of float
        Energy of the state before each iteration and, for Frank-Wolfe, after the last; without its constant.
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
        The pairwise terms; a negative weight repels.
    iterations : int
        Parallel updates ``h = u + Q tanh(h / 2)``; 0 returns `unary`.
    start : Tensor, optional
        ``(y, x)`` log odds of the first state, `unary` by default: those of the network, where the unary
        terms are not its own log odds alone.
    """
    log_odds, energies = unary if start is None or not iterations else start, []
    for _ in range(iterations):
        margin = torch.tanh(0.5 * log_odds)
        message = _message(kernels, margin)
        energies.append(energy(unary, margin, message))
        log_odds = unary + message
    return Solution(log_odds, energies)


def energy(unary: Tensor, margin: Tensor, message: Tensor) -> float:
    """Return E of the state `margin` whose pairwise message ``Q m`` is `message`."""
    with torch.no_grad():
        return -0.5 * float((unary * margin).sum()) - 0.25 * float((margin * message).sum())


def frank_wolfe(
    unary: Tensor,
    kernels: Kernels,
    iterations: int,
    *,
    regulariser: Regulariser,
    strength: float = 1.0,
    step: StepRule = "fixed",
    steps: Sequence[Tensor | float] = (),
    start: Tensor | None = None,
) -> Solution:
    """Solve by (regularised) Frank-Wolfe (Lê-Huu & Alahari 2021, arXiv:2110.14759).

    Each iteration moves from the state towards the minimiser of the linearised energy plus
    `strength` times the regulariser: the better label ("none"), ``sigmoid(h / strength)`` ("entropy"), or
    ``clip(1/2 + h / (2 strength), 0, 1)`` ("euclidean", the sparsemax of two classes). "entropy" with
    strength and steps of 1 is mean field.

    Parameters
    ----------
    unary : Tensor
        ``(y, x)`` log odds of particle against background.
    kernels : sequence of (weight, PairwiseFilter)
        The pairwise terms; a negative weight repels.
    iterations : int
        0 returns `unary`.
    regulariser : {"none", "entropy", "euclidean"}
        Of the linear sub-problem.
    strength : float
        The factor lambda of the regulariser.
    step : {"fixed", "harmonic", "line_search"}
        `steps`, one for each iteration; ``2 / (k + 2)``; or the one of lowest energy in [0, 1], with which
        the energy never rises.
    steps : sequence of Tensor or float
        Fixed or learned steps; the last one is repeated.
    start : Tensor, optional
        As in `mean_field`.
    """
    margin = torch.tanh(0.5 * (unary if start is None or not iterations else start))
    message = _message(kernels, margin) if iterations else torch.zeros_like(margin)
    energies = [energy(unary, margin, message)]
    for k in range(iterations):
        direction = _best_response(unary + message, regulariser, strength) - margin
        turn = _message(kernels, direction)
        size: Tensor | float
        if step == "line_search":
            size = _line_search(unary, margin, message, direction, turn)
        elif step == "harmonic":
            size = 2 / (k + 2)
        else:
            size = steps[min(k, len(steps) - 1)]
        margin, message = margin + size * direction, message + size * turn
        energies.append(energy(unary, margin, message))
    # The rounding limit of the margin keeps the log odds finite where a label is certain.
    limit = 1 - torch.finfo(margin.dtype).eps
    return Solution(2 * torch.atanh(margin.clamp(-limit, limit)), energies)


def _message(kernels: Kernels, margin: Tensor) -> Tensor:
    message = torch.zeros_like(margin)
    for weight, kernel in kernels:
        message = message + weight * kernel(margin)
    return message


def _best_response(log_odds: Tensor, regulariser: Regulariser, strength: float) -> Tensor:
    """Return the margin of the minimiser of the linear sub-problem."""
    if regulariser == "none":
        return torch.sign(log_odds)
    if regulariser == "entropy":
        return torch.tanh(0.5 * log_odds / strength)
    return (log_odds / strength).clamp(-1, 1)


def _line_search(unary: Tensor, margin: Tensor, message: Tensor, direction: Tensor, turn: Tensor) -> float:
    """Return the step of lowest energy along `direction`.

    ``E(m + a d) = E(m) + a slope + a² curvature / 2``. The kernels are not symmetric at the rim and between
    unlike densities, so the slope takes the mean of ``<d, Q m>`` and ``<m, Q d>``.
    """
    with torch.no_grad():
        curvature = -0.5 * float((direction * turn).sum())
        slope = -0.5 * float((unary * direction).sum())
        slope -= 0.25 * float((direction * message).sum() + (margin * turn).sum())
    return lowest_step(slope, curvature)


def lowest_step(slope: float, curvature: float) -> float:
    """Return the lowest point of ``a slope + a² curvature / 2`` for `a` in [0, 1]."""
    if curvature > 0:
        return min(max(-slope / curvature, 0.0), 1.0)
    return 1.0 if slope + curvature / 2 <= 0 else 0.0
