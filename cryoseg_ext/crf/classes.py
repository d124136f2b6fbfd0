"""Frank-Wolfe for any number of classes: the textbook form, for three classes and as a check."""

from __future__ import annotations

import torch
from torch import Tensor

from cryoseg_ext.crf.solvers import FrankWolfe, Kernels, lowest_step


def frank_wolfe_classes(
    unary: Tensor, kernels: Kernels, compatibility: Tensor, settings: FrankWolfe
) -> tuple[Tensor, list[float]]:
    """Minimise ``E(x) = -<u, x> + 1/2 <x, P x>`` over class probabilities.

    ``P x = sum_k w_k K_k (M x)``; for the Potts model `M` is minus the identity. "entropy" with strength and
    steps of 1 is parallel mean field. See `cryoseg_ext.crf.solvers.frank_wolfe` for the algorithm.

    Parameters
    ----------
    unary : Tensor
        ``(c, y, x)`` logits of the classes.
    kernels : sequence of (weight, PairwiseFilter)
        Pairwise terms; a negative weight repels.
    compatibility : Tensor
        ``(c, c)`` penalty for a pixel of the row's class next to pixels of the column's class.
    settings : FrankWolfe
        Iterations, regulariser and step rule.

    Returns
    -------
    probabilities : Tensor
        ``(c, y, x)``.
    energies : list of float
        Energy before each iteration and after the last.
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
        d = _vertex(unary - px, settings) - x
        pd = pairwise(d)
        size = settings.step_size(iteration)
        if settings.step == "line_search":
            curvature = float((d * pd).sum())
            slope = float((0.5 * (d * px + x * pd) - unary * d).sum())
            size = lowest_step(slope, curvature)
        x, px = x + size * d, px + size * pd
        energies.append(energy(x, px))
    return x, energies


def _vertex(logits: Tensor, settings: FrankWolfe) -> Tensor:
    """Return the minimiser of the linear sub-problem on the simplex of each pixel."""
    if settings.regulariser == "none":
        return torch.zeros_like(logits).scatter_(0, logits.argmax(0, keepdim=True), 1.0)
    if settings.regulariser == "entropy":
        return torch.softmax(logits / settings.strength, dim=0)
    return _sparsemax(logits / settings.strength)


def _sparsemax(logits: Tensor) -> Tensor:
    """Return the Euclidean projection on the simplex over dimension 0 (Martins & Astudillo 2016)."""
    ordered = logits.sort(dim=0, descending=True).values
    excess = ordered.cumsum(0) - 1
    count = torch.arange(1, len(logits) + 1, device=logits.device).view(-1, 1, 1)
    support = (count * ordered > excess).sum(0, keepdim=True)
    threshold = excess.gather(0, support - 1) / support
    return (logits - threshold).clamp(min=0)
