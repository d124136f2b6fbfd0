"""Learning the CRF on the maps of a frozen network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cryoseg_ext.arrays import FloatArray, Image, Mask
from cryoseg_ext.crf.gaussian import GaussianFilter
from cryoseg_ext.crf.kernels import KernelBank
from cryoseg_ext.crf.layer import CrfLayer, confidence, with_weights
from cryoseg_ext.evaluation.matching import MATCH_DIAMETERS
from cryoseg_ext.extract.candidates import Maps, nearest_pixels
from cryoseg_ext.extract.peaks import find_candidates
from cryoseg_ext.options.crf import CrfOptions, Terms
from cryoseg_ext.progress import tell, tracked
from cryoseg_ext.training.correctness import label_candidates

Loss = Callable[[Tensor], Tensor]

LEARNABLE = CrfOptions(iterations=1, mask=Terms(), centre=Terms())
"""The model that is learned by default: scale, bias and context of the mask.

Pairwise kernels gained nothing; see ``benchmarks/crf.py``.
"""
RIDGE = 1e-3
"""Ridge of the regressions, which keeps collinear kernels from large weights of opposite sign."""
STRIDE = 4
"""Step between the rows and columns that the regression of the mask uses."""
_PEAK_SIGMA_PX = 1.0
_SMOOTH_IOU_PX = 20.0


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
    particle: Mask
    xy_px: FloatArray


@dataclass(frozen=True)
class GradientDescent:
    """Adam with one cycle of the learning rate (Smith & Topin 2017).

    Parameters
    ----------
    epochs : int
        Number of times that each example is used.
    batch : int
        Examples per step.
    learning_rate : float
        Peak learning rate.
    seed : int
        Random seed of the order of the examples.
    """

    epochs: int
    batch: int = 10
    learning_rate: float = 0.02
    seed: int = 0


def learn_crf(
    examples: Sequence[CrfExample],
    diameter_px: float,
    initial: CrfOptions = LEARNABLE,
    descent: GradientDescent | None = None,
) -> CrfOptions:
    """Return `initial` with the weights that fit `examples` best.

    The loss reflects the use of the maps: cross entropy and overlap (soft IoU of each micrograph) on the
    mask; on the centre map, cross entropy at its peaks, each of which is a particle or not. For one
    mean-field iteration the log odds are linear in the weights, and a ridged regression is enough: kernels of
    neighbouring widths are nearly collinear, so that gradient descent alone converges slowly.

    Parameters
    ----------
    examples : sequence of CrfExample
        Micrographs that the network was not trained on; some hundred of 256 x 256 px.
    diameter_px : float
        Particle diameter in pixels of the maps.
    initial : CrfOptions
        Model and first weights.
    descent : GradientDescent, optional
        Goes on from the regression, for more than one iteration or another solver.
    """
    shown = tracked(examples, "Learning the random field")
    prepared = [_prepare(example, initial, diameter_px) for example in shown]
    regressed = _with_centre_regressed(_with_mask_regressed(initial, prepared), prepared)
    return _descended(regressed, prepared, descent) if descent else regressed


@dataclass(frozen=True)
class _Prepared:
    """An example with its filters, as tensors."""

    particle_logit: Tensor
    centre_logit: Tensor
    bank: KernelBank
    particle: Tensor
    peaks: tuple[Tensor, Tensor]
    is_particle: Tensor
    peak_filter: GaussianFilter


def _prepare(example: CrfExample, options: CrfOptions, diameter_px: float) -> _Prepared:
    logit = torch.from_numpy(example.particle_logit)
    centre_logit = torch.logit(torch.from_numpy(example.centre), eps=1e-6)
    bank = KernelBank(options, torch.from_numpy(example.micrograph), logit, centre_logit, diameter_px)
    zeros = np.zeros_like(example.centre)
    candidates = find_candidates(Maps(example.micrograph, example.centre, zeros, zeros, zeros > 0))
    ranked, is_particle = label_candidates(candidates, example.xy_px, MATCH_DIAMETERS * diameter_px)
    rows, columns = nearest_pixels((ranked.x_px, ranked.y_px), example.centre.shape)
    return _Prepared(
        logit,
        centre_logit,
        bank,
        torch.from_numpy(example.particle).float(),
        (torch.from_numpy(rows), torch.from_numpy(columns)),
        torch.from_numpy(is_particle).float(),
        GaussianFilter(logit, _PEAK_SIGMA_PX),
    )


def _with_mask_regressed(options: CrfOptions, examples: Sequence[_Prepared]) -> CrfOptions:
    """Return `options` with the mask's terms of lowest loss after one mean-field iteration."""
    rows, masks, numbers = [], [], []
    thin = np.s_[..., ::STRIDE, ::STRIDE]
    for number, example in enumerate(examples):
        maps = _columns(options.mask, example.particle_logit, example.centre_logit, example)
        rows.append(maps[thin].flatten(1).T)
        masks.append(example.particle[thin].flatten().double())
        numbers.append(torch.full_like(masks[-1], number, dtype=torch.long))
    reference, number_of = torch.cat(masks), torch.cat(numbers)

    def total(values: Tensor) -> Tensor:
        return values.new_zeros(len(examples)).index_add(0, number_of, values)

    def loss(log_odds: Tensor) -> Tensor:
        p = torch.sigmoid(log_odds)
        iou = _soft_iou(total(p * reference), total(p), total(reference), _SMOOTH_IOU_PX / STRIDE**2)
        return functional.binary_cross_entropy_with_logits(log_odds, reference) + 1 - iou.mean()

    return replace(options, mask=_fitted(options.mask, torch.cat(rows), loss))


def _with_centre_regressed(options: CrfOptions, examples: Sequence[_Prepared]) -> CrfOptions:
    """Return `options` with the centre map's terms of highest likelihood at its peaks."""
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
    is_particle = torch.cat([example.is_particle for example in examples]).double()

    def loss(log_odds: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(log_odds, is_particle)

    return replace(options, centre=_fitted(options.centre, torch.cat(rows), loss))


def _descended(start: CrfOptions, examples: Sequence[_Prepared], descent: GradientDescent) -> CrfOptions:
    """Return `start` after gradient descent on all its weights."""
    torch.manual_seed(descent.seed)
    layer, batch = CrfLayer(start), descent.batch
    steps = descent.epochs * max(len(examples) // batch, 1)
    optimiser = torch.optim.Adam(layer.parameters(), descent.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, descent.learning_rate, total_steps=steps)
    order: list[int] = []
    for step in range(steps):
        if len(order) < batch:
            order = torch.randperm(len(examples)).tolist()
        chosen, order = order[:batch], order[batch:]
        optimiser.zero_grad()
        total = 0.0
        for index in chosen:
            loss = _loss(layer, examples[index]) / len(chosen)
            loss.backward()
            total += float(loss.detach())
        optimiser.step()
        schedule.step()
        tell("Learning the random field by gradient descent", step + 1, steps, f"loss {total:.3f}")
    return layer.options()


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


def _soft_iou(intersection: Tensor, predicted: Tensor, reference: Tensor, smooth: float) -> Tensor:
    return (intersection + smooth) / (predicted + reference - intersection + 2 * smooth)


def _loss(layer: CrfLayer, example: _Prepared) -> Tensor:
    mask, centre = layer(example.particle_logit, example.centre_logit, example.bank)
    entropy = functional.binary_cross_entropy_with_logits(mask.log_odds, example.particle)
    p = torch.sigmoid(mask.log_odds)
    iou = _soft_iou((p * example.particle).sum(), p.sum(), example.particle.sum(), _SMOOTH_IOU_PX)
    height = example.peak_filter(torch.sigmoid(centre.log_odds))[example.peaks].clamp(1e-6, 1 - 1e-6)
    peaks = functional.binary_cross_entropy(height, example.is_particle) if len(height) else p.new_zeros(())
    return entropy + 1 - iou + peaks
