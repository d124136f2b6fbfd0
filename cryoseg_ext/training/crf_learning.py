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
from cryoseg_ext.crf.layer import CrfLayer, confidence, with_weights
from cryoseg_ext.evaluation import match_picks
from cryoseg_ext.extract.candidates import Maps
from cryoseg_ext.extract.peaks import find_candidates
from cryoseg_ext.options.crf import CrfOptions, Terms
from cryoseg_ext.picks import Picks

Image = NDArray[np.float32]
Loss = Callable[[Tensor], Tensor]

LEARNABLE = CrfOptions(iterations=1, mask=Terms(), centre=Terms())
"""The model that is learned by default: scale, bias and context of the mask.

Pairwise kernels on the mask won no more on simulated fields never trained on, and those on the centre map
lowered the average precision on clear real micrographs; see ``benchmarks/crf.py``.
"""

MATCH_DIAMETERS = 0.3
_PEAK_SIGMA_PX = 1.0
_SMOOTH_IOU_PX = 20.0

RIDGE = 1e-3
"""Of the regressions; it keeps collinear kernels from large weights of opposite sign."""
STRIDE = 4
"""The regression of the mask sees every fourth row and column."""


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
    epochs: int = 0,
    batch: int = 10,
    learning_rate: float = 0.02,
    seed: int = 0,
    report: Callable[[int, float], None] | None = None,
) -> CrfOptions:
    """Return `initial` with the weights that fit `examples` best.

    The loss asks for what the maps are used for: cross entropy and overlap (soft IoU of each micrograph) on
    the mask; on the centre map, cross entropy at its peaks, each of which is a particle or not. For one
    mean-field iteration the log odds are linear in the weights, and a ridged regression is all: kernels of
    neighbouring widths are nearly collinear, and gradient descent alone would take ages.

    Parameters
    ----------
    examples : sequence of CrfExample
        Micrographs that the network was not trained on; some hundred of 256 x 256 px.
    diameter_px : float
        Particle diameter in pixels of the maps.
    initial : CrfOptions
        Model and first weights.
    epochs, batch, learning_rate, seed
        Of Adam with one cycle (Smith & Topin 2017), which goes on from the regression where there is more
        than one iteration or another solver.
    report : callable, optional
        Called with the step and its loss.
    """
    torch.manual_seed(seed)
    prepared = [_prepare(example, initial, diameter_px) for example in examples]
    start = _with_centre_regressed(_with_mask_regressed(initial, prepared), prepared)
    if not epochs:
        return start
    layer = CrfLayer(start)
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
    found = find_candidates(Maps(example.micrograph, example.centre, nothing, nothing))
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


def _with_mask_regressed(options: CrfOptions, examples: Sequence[_Prepared]) -> CrfOptions:
    """Return `options` with the mask's terms of lowest loss after one mean-field iteration."""
    rows, truths, owners = [], [], []
    thin = np.s_[..., ::STRIDE, ::STRIDE]
    for number, example in enumerate(examples):
        maps = _columns(options.mask, example.particle_logit, example.centre_logit, example)
        rows.append(maps[thin].flatten(1).T)
        truths.append(example.particle[thin].flatten().double())
        owners.append(torch.full_like(truths[-1], number, dtype=torch.long))
    truth, owner = torch.cat(truths), torch.cat(owners)

    def total(values: Tensor) -> Tensor:
        return values.new_zeros(len(examples)).index_add(0, owner, values)

    def loss(log_odds: Tensor) -> Tensor:
        p = torch.sigmoid(log_odds)
        iou = _soft_iou(total(p * truth), total(p), total(truth), _SMOOTH_IOU_PX / STRIDE**2)
        return functional.binary_cross_entropy_with_logits(log_odds, truth) + 1 - iou.mean()

    return replace(options, mask=_fitted(options.mask, torch.cat(rows), loss))


def _with_centre_regressed(options: CrfOptions, examples: Sequence[_Prepared]) -> CrfOptions:
    """Return `options` with the centre map's terms of highest likelihood at its peaks; see above."""
    if not (options.centre.support or options.centre.kernels):
        return options
    rows = []
    layer = CrfLayer(options)
    for example in examples:
        with torch.no_grad():
            mask, _ = layer(example.particle_logit, example.centre_logit, example.bank)
        maps = _columns(options.centre, example.centre_logit, mask.log_odds, example)
        y, x = example.peaks
        rows.append(maps[:, y, x].T)
    right = torch.cat([example.right for example in examples]).double()

    def loss(log_odds: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(log_odds, right)

    return replace(options, centre=_fitted(options.centre, torch.cat(rows), loss))


def _columns(terms: Terms, logit: Tensor, other_logit: Tensor, example: _Prepared) -> Tensor:
    """Return ``(k, y, x)``: what the weights of `terms` multiply in the first mean-field iteration."""
    with torch.no_grad():
        own, other = torch.tanh(0.5 * logit), torch.tanh(0.5 * other_logit)
        maps = [logit, -confidence(example.centre_logit).log().expand_as(logit)]
        maps += [example.bank[kernel](other) for kernel in terms.support]
        maps += [example.bank[kernel](own) for kernel in terms.kernels]
        return torch.stack(maps)


def _fitted(terms: Terms, design: Tensor, loss: Loss) -> Terms:
    """Return `terms` with the weights of lowest loss for the ``(n, k)`` rows of `_columns`, ridged."""
    design = design.double()
    mean, spread = design.mean(0), design.std(0).clamp(min=1e-3)
    design = (design - mean) / spread
    # The network's own log odds are the start.
    weights = torch.zeros(design.shape[1] + 1, dtype=torch.float64)
    weights[0], weights[1] = mean[0], spread[0]
    weights.requires_grad_()
    optimiser = torch.optim.LBFGS([weights], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        ridged = loss(design @ weights[1:] + weights[0]) + RIDGE * (weights[1:] ** 2).sum()
        ridged.backward()
        return ridged

    optimiser.step(closure)
    slopes = weights.detach()[1:] / spread
    first = 2 + len(terms.support)
    return Terms(
        scale=float(slopes[0]),
        bias=float(weights.detach()[0] - slopes @ mean),
        context=float(slopes[1]),
        support=with_weights(terms.support, slopes[2:first]),
        kernels=with_weights(terms.kernels, slopes[first:]),
    )


def _soft_iou(both: Tensor, said: Tensor, true: Tensor, smooth: float) -> Tensor:
    return (both + smooth) / (said + true - both + 2 * smooth)


def _loss(layer: CrfLayer, example: _Prepared) -> Tensor:
    mask, centre = layer(example.particle_logit, example.centre_logit, example.bank)
    entropy = functional.binary_cross_entropy_with_logits(mask.log_odds, example.particle)
    p = torch.sigmoid(mask.log_odds)
    iou = _soft_iou((p * example.particle).sum(), p.sum(), example.particle.sum(), _SMOOTH_IOU_PX)
    height = example.peak_filter(torch.sigmoid(centre.log_odds))[example.peaks].clamp(1e-6, 1 - 1e-6)
    peaks = functional.binary_cross_entropy(height, example.right) if len(height) else p.new_zeros(())
    return entropy + 1 - iou + peaks
