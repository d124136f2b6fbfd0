"""The solvers for any number of classes: the textbook form, for three classes and as a check."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cryoseg_ext.crf.solvers import Kernels, lowest_step
from cryoseg_ext.options.crf import Regulariser, StepRule


def frank_wolfe_classes(
    unary: Tensor,
    kernels: Kernels,
    compatibility: Tensor,
    iterations: int,
    *,
    regulariser: Regulariser,
    strength: float = 1.0,
    step: StepRule = "fixed",
    steps: Sequence[float] = (1.0,),
) -> tuple[Tensor, list[float]]:
    """Minimise ``E(x) = -<u, x> + 1/2 <x, P x>`` over class probabilities.

    ``P x = sum_k w_k K_k (M x)``; for the Potts model `M` is minus the identity. See
    `cryoseg_ext.crf.solvers.frank_wolfe` for the rest; "entropy" with strength and steps of 1 is parallel
    mean field.

    Parameters
    ----------
    unary : Tensor
        ``(c, y, x)`` logits.
    kernels : sequence of (weight, PairwiseFilter)
        The pairwise terms.
    compatibility : Tensor
        ``(c, c)``, what a pixel of the row's class pays for neighbours of the column's class.
    iterations, regulariser, strength, step, steps
        As in `cryoseg_ext.crf.solvers.frank_wolfe`.

    Returns
    -------
    tuple of (Tensor, list of float)
        ``(c, y, x)`` probabilities and the energy before each iteration and after the last.
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
    for k in range(iterations):
        d = _vertex(unary - px, regulariser, strength) - x
        pd = pairwise(d)
        size = 2 / (k + 2) if step == "harmonic" else steps[min(k, len(steps) - 1)]
        if step == "line_search":
            curvature = float((d * pd).sum())
            slope = float((0.5 * (d * px + x * pd) - unary * d).sum())
            size = lowest_step(slope, curvature)
        x, px = x + size * d, px + size * pd
        energies.append(energy(x, px))
    return x, energies


def _vertex(logits: Tensor, regulariser: Regulariser, strength: float) -> Tensor:
    """Return the minimiser of the linear sub-problem on the simplex of each pixel."""
    if regulariser == "none":
        return torch.zeros_like(logits).scatter_(0, logits.argmax(0, keepdim=True), 1.0)
    if regulariser == "entropy":
        return torch.softmax(logits / strength, dim=0)
    return _sparsemax(logits / strength)


def _sparsemax(logits: Tensor) -> Tensor:
    """Return the Euclidean projection on the simplex over dimension 0 (Martins & Astudillo 2016)."""
    ordered = logits.sort(dim=0, descending=True).values
    excess = ordered.cumsum(0) - 1
    count = torch.arange(1, len(logits) + 1, device=logits.device).view(-1, 1, 1)
    support = (count * ordered > excess).sum(0, keepdim=True)
    threshold = excess.gather(0, support - 1) / support
    return (logits - threshold).clamp(min=0)
