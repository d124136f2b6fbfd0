"""Learning the CRF on the maps of a frozen network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from cryoseg_ext.crf.gaussian import GaussianFilter
from cryoseg_ext.crf.kernels import KernelBank
from cryoseg_ext.crf.layer import CrfLayer, with_weights
from cryoseg_ext.crf.options import CrfOptions, Kernel, Terms
from cryoseg_ext.evaluation import match_picks
from cryoseg_ext.extract import find_candidates
from cryoseg_ext.picks import Picks

Image = NDArray[np.float32]

LEARNABLE = CrfOptions(
    iterations=1,
    mask=Terms(context=1.0, kernels=tuple(Kernel(0.0, sigma) for sigma in (0.08, 0.25, 0.6))),
    centre=Terms(
        support=tuple(Kernel(0.0, sigma) for sigma in (0.2, 0.5, 1.5)),
        kernels=tuple(Kernel(0.0, sigma) for sigma in (0.08, 0.16, 0.25, 0.4, 0.7, 1.3)),
    ),
)
"""The model that is learned by default; a bank of widths makes kernels of any radial shape."""

MATCH_DIAMETERS = 0.3
_PEAK_SIGMA_PX = 1.0
_SMOOTH_IOU_PX = 20.0

RIDGE = 1e-4
"""Of the regression; it keeps collinear kernels from large weights of opposite sign."""


@dataclass(frozen=True)
class CrfExample:
    """The network's maps of one micrograph and the truth, all ``(y, x)`` at the working scale.

    Parameters
    ----------
    micrograph, particle_logit, centre : NDArray[np.float32]
        Normalised micrograph, log odds of particle, centre map in [0, 1].
    particle : NDArray[np.bool_]
        True mask.
    xy_px : NDArray[np.float64]
        ``(n, 2)`` true centres (x, y).
    """

    micrograph: Image
    particle_logit: Image
    centre: Image
    particle: NDArray[np.bool_]
    xy_px: NDArray[np.float64]


def learn_crf(
    examples: Sequence[CrfExample],
    diameter_px: float,
    initial: CrfOptions = LEARNABLE,
    *,
    epochs: int = 2,
    batch: int = 10,
    learning_rate: float = 0.02,
    seed: int = 0,
    report: Callable[[int, float], None] | None = None,
) -> CrfOptions:
    """Return `initial` with the weights that fit `examples` best.

    The loss asks for what the maps are used for: cross entropy and overlap (soft IoU of each micrograph) on
    the mask; on the centre map, cross entropy at its peaks, each of which is a particle or not. The centre
    map's weights start from a logistic regression at the peaks, the exact answer for one iteration: kernels
    of neighbouring widths are nearly collinear there, and gradient descent alone would take ages.

    Parameters
    ----------
    examples : sequence of CrfExample
        Micrographs that the network was not trained on; some hundred of 256 x 256 px.
    diameter_px : float
        Particle diameter in pixels of the maps.
    initial : CrfOptions
        Model and first weights.
    epochs, batch, learning_rate, seed
        Of Adam with one cycle (Smith & Topin 2017); no epochs leave the start.
    report : callable, optional
        Called with the step and its loss.
    """
    torch.manual_seed(seed)
    prepared = [_prepare(example, initial, diameter_px) for example in examples]
    layer = CrfLayer(replace(initial, centre=_regressed(initial, prepared)))
    if not epochs:
        return layer.options()
    steps = epochs * max(len(examples) // batch, 1)
    optimiser = torch.optim.Adam(layer.parameters(), learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, learning_rate, total_steps=steps)
    order: list[int] = []
    for step in range(steps):
        if len(order) < batch:
            order = torch.randperm(len(examples)).tolist()
        chosen, order = order[:batch], order[batch:]
        optimiser.zero_grad()
        total = 0.0
        for index in chosen:
            loss = _loss(layer, prepared[index]) / len(chosen)
            loss.backward()
            total += float(loss.detach())
        optimiser.step()
        schedule.step()
        if report is not None:
            report(step + 1, total)
    return layer.options()


@dataclass(frozen=True)
class _Prepared:
    """An example with its filters, as tensors."""

    particle_logit: Tensor
    centre_logit: Tensor
    bank: KernelBank
    particle: Tensor
    peaks: tuple[Tensor, Tensor]
    right: Tensor
    peak_filter: GaussianFilter


def _prepare(example: CrfExample, options: CrfOptions, diameter_px: float) -> _Prepared:
    logit = torch.from_numpy(example.particle_logit)
    centre_logit = torch.logit(torch.from_numpy(example.centre), eps=1e-6)
    bank = KernelBank(options, torch.from_numpy(example.micrograph), logit, centre_logit, diameter_px)
    nothing = np.zeros_like(example.centre)
    found = find_candidates(example.centre, nothing, nothing)
    ranked = np.argsort(-found.features[:, 0], kind="stable")
    x_px, y_px = found.x_px[ranked], found.y_px[ranked]
    picks = Picks(x_px, y_px, found.features[ranked, 0])
    right = match_picks(example.xy_px, picks, MATCH_DIAMETERS * diameter_px)
    rows, columns = (
        torch.from_numpy(np.clip(np.rint(along), 0, n - 1).astype(np.int64))
        for along, n in zip((y_px, x_px), example.centre.shape, strict=True)
    )
    return _Prepared(
        logit,
        centre_logit,
        bank,
        torch.from_numpy(example.particle).float(),
        (rows, columns),
        torch.from_numpy(right).float(),
        GaussianFilter(logit, _PEAK_SIGMA_PX),
    )


def _regressed(options: CrfOptions, examples: Sequence[_Prepared]) -> Terms:
    """Return the centre map's terms of highest likelihood at its peaks, for one mean-field iteration."""
    terms, layer = options.centre, CrfLayer(options)
    columns, right = [], []
    with torch.no_grad():
        for example in examples:
            mask, _ = layer(example.particle_logit, example.centre_logit, example.bank)
            support, margin = (torch.tanh(0.5 * u) for u in (mask.log_odds, example.centre_logit))
            maps = [example.centre_logit]
            maps += [example.bank[kernel](support) for kernel in terms.support]
            maps += [example.bank[kernel](margin) for kernel in terms.kernels]
            columns.append(torch.stack([one[example.peaks] for one in maps], dim=1))
            right.append(example.right)
    design, target = torch.cat(columns).double(), torch.cat(right).double()
    mean, spread = design.mean(0), design.std(0).clamp(min=1e-6)
    weights = torch.zeros(design.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    scaled = (design - mean) / spread
    optimiser = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = functional.binary_cross_entropy_with_logits(scaled @ weights[1:] + weights[0], target)
        loss = loss + RIDGE * (weights[1:] ** 2).sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    intercept, slopes = weights.detach()[0], weights.detach()[1:] / spread
    bias = float(intercept - (slopes * mean).sum())
    split = 1 + len(terms.support)
    return replace(
        terms,
        scale=float(slopes[0]),
        bias=bias,
        support=with_weights(terms.support, slopes[1:split]),
        kernels=with_weights(terms.kernels, slopes[split:]),
    )


def _loss(layer: CrfLayer, example: _Prepared) -> Tensor:
    mask, centre = layer(example.particle_logit, example.centre_logit, example.bank)
    entropy = functional.binary_cross_entropy_with_logits(mask.log_odds, example.particle)
    p = torch.sigmoid(mask.log_odds)
    both = (p * example.particle).sum() + _SMOOTH_IOU_PX
    iou = both / (p.sum() + example.particle.sum() - both + 2 * _SMOOTH_IOU_PX)
    height = example.peak_filter(torch.sigmoid(centre.log_odds))[example.peaks].clamp(1e-6, 1 - 1e-6)
    peaks = functional.binary_cross_entropy(height, example.right) if len(height) else p.new_zeros(())
    return entropy + 1 - iou + peaks
