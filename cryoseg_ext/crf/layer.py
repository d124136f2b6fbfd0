"""The conditional random field as a layer whose parameters can be learned, alone or with the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from cryoseg_ext.crf.kernels import KernelBank
from cryoseg_ext.crf.solvers import FrankWolfe, Kernels, Solution, frank_wolfe, mean_field
from cryoseg_ext.options.crf import CrfOptions, Kernel, Terms

LOWEST_CONFIDENCE = 0.05
"""Lower limit of the confidence: below it a micrograph counts as empty."""


class CrfLayer(nn.Module):
    """Two coupled two-class dense CRFs: the mask, supported by the centre map, and then vice versa.

    All weights of `CrfOptions` are parameters: scale (inverse temperature), bias (asymmetric compatibility),
    context, the weights of the kernels, and Frank-Wolfe's steps. The sigmas are fixed; several widths with
    learned, signed weights shape the kernel instead, for example attractive inside the particle and repulsive
    at its edge. A CRF as a recurrent layer: Zheng et al. 2015, arXiv:1502.03240.

    Parameters
    ----------
    options : CrfOptions
        Form of the field and its initial weights.
    """

    def __init__(self, options: CrfOptions) -> None:
        super().__init__()
        self._options = options
        self.mask = _TermsLayer(options.mask)
        self.centre = _TermsLayer(options.centre)
        self.steps = nn.Parameter(torch.tensor(options.steps))

    def forward(
        self, particle_logit: Tensor, centre_logit: Tensor, bank: KernelBank
    ) -> tuple[Solution, Solution]:
        """Return the refined mask and centre map.

        Parameters
        ----------
        particle_logit, centre_logit : Tensor
            ``(y, x)`` maps of the network.
        bank : KernelBank
            Filters of this micrograph.
        """
        if self._options.solver == "none":
            return Solution(particle_logit, []), Solution(centre_logit, [])
        doubt = -confidence(centre_logit).log()
        unary = self.mask.unary(particle_logit, centre_logit, doubt, bank)
        mask = self._solve(unary, particle_logit, self.mask.pairwise(bank))
        unary = self.centre.unary(centre_logit, mask.log_odds, doubt, bank)
        return mask, self._solve(unary, centre_logit, self.centre.pairwise(bank))

    def options(self) -> CrfOptions:
        """Return the options with the current weights."""
        steps = tuple(self.steps.detach().clamp(0, 1).tolist())
        return replace(self._options, steps=steps, mask=self.mask.terms(), centre=self.centre.terms())

    def _solve(self, unary: Tensor, start: Tensor, kernels: Kernels) -> Solution:
        options = self._options
        if not kernels:
            return Solution(unary, [])
        if options.solver == "mean_field":
            return mean_field(unary, kernels, options.iterations, start=start)
        steps = tuple(self.steps.clamp(0, 1))
        settings = FrankWolfe(options.iterations, options.regulariser, options.strength, options.step, steps)
        return frank_wolfe(unary, kernels, settings, start=start)


class _TermsLayer(nn.Module):
    """The parameters of one map."""

    def __init__(self, terms: Terms) -> None:
        super().__init__()
        self._terms = terms
        self.linear = nn.Parameter(torch.tensor([terms.scale, terms.bias, terms.context]))
        self.support = nn.Parameter(torch.tensor([kernel.weight for kernel in terms.support]))
        self.kernels = nn.Parameter(torch.tensor([kernel.weight for kernel in terms.kernels]))

    def unary(self, logit: Tensor, other_logit: Tensor, doubt: Tensor, bank: KernelBank) -> Tensor:
        scale, bias, context = self.linear
        unary: Tensor = scale * logit + bias + context * doubt
        for weight, kernel in zip(self.support, self._terms.support, strict=True):
            unary = unary + weight * bank[kernel](torch.tanh(0.5 * other_logit))
        return unary

    def pairwise(self, bank: KernelBank) -> Kernels:
        return [(w, bank[kernel]) for w, kernel in zip(self.kernels, self._terms.kernels, strict=True)]

    def terms(self) -> Terms:
        scale, bias, context = self.linear.tolist()
        support = with_weights(self._terms.support, self.support)
        return Terms(scale, bias, context, support, with_weights(self._terms.kernels, self.kernels))


def with_weights(kernels: Sequence[Kernel], weights: Tensor) -> tuple[Kernel, ...]:
    """Return the kernels with these weights instead of their own."""
    return tuple(replace(k, weight=w) for k, w in zip(kernels, weights.tolist(), strict=True))


def confidence(logit: Tensor) -> Tensor:
    """Return the network's confidence in the particles of a micrograph, ``sum p^2 / sum p``, in [0.05, 1].

    It is the mean height of the centre map where that is not zero. The mask of best expected overlap consists
    of the pixels above about half the overlap that can be reached (Lipton, Elkan & Naryanaswamy 2014,
    arXiv:1402.1892), so a faint micrograph needs a lower threshold than a clear one.

    Parameters
    ----------
    logit : Tensor
        ``(y, x)`` logit of the centre map.
    """
    p = torch.sigmoid(logit)
    return ((p * p).sum() / p.sum().clamp(min=1e-6)).clamp(LOWEST_CONFIDENCE, 1)
