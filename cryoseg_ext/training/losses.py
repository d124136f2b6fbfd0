"""Losses on the classes by name, and the whole training loss, which adds the centre map's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.network.classes import CONTAMINANT, PARTICLE, UNKNOWN

ClassLoss = Callable[[Tensor, Tensor], Tensor]
"""From logits ``(b, 3, h, w)`` and labels ``(b, h, w)``, -1 to ignore, to a scalar."""

CENTRE_WEIGHT = 4.0
CLASS_UNKNOWN = -2
"""Label of pixels whose class is not known, but whose value in the centre map is."""


def cross_entropy(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return the mean cross entropy of the known pixels, with label smoothing (Szegedy et al. 2016).

    Parameters
    ----------
    logits : Tensor
        ``(b, 3, h, w)`` class logits.
    labels : Tensor
        ``(b, h, w)`` class indices, -1 where not known.
    smoothing : float
        Share of the probability that is spread evenly over the classes.
    """
    total = functional.cross_entropy(
        logits, labels, ignore_index=UNKNOWN, label_smoothing=smoothing, reduction="sum"
    )
    return total / (labels != UNKNOWN).sum().clamp(min=1)


def focal(logits: Tensor, labels: Tensor, gamma: float = 2.0) -> Tensor:
    """Return the mean of ``(1 - p)^gamma`` times the cross entropy (Lin et al. 2017, eq. 4).

    Parameters
    ----------
    logits : Tensor
        ``(b, 3, h, w)`` class logits.
    labels : Tensor
        ``(b, h, w)`` class indices, -1 where not known.
    gamma : float
        Exponent; 0 is the cross entropy itself.
    """
    entropy = functional.cross_entropy(logits, labels, ignore_index=UNKNOWN, reduction="none")
    # The probability of the true class is exp(-entropy); ignored pixels have an entropy of 0.
    return ((1 - torch.exp(-entropy)) ** gamma * entropy).sum() / (labels != UNKNOWN).sum().clamp(min=1)


def particle_dice(logits: Tensor, labels: Tensor) -> Tensor:
    """Return one minus the soft Dice coefficient of the particle class (Milletari et al. 2016)."""
    return 1 - _dice(*_overlap(logits, labels, PARTICLE))


def dice(logits: Tensor, labels: Tensor) -> Tensor:
    """Return one minus the soft Dice coefficient, the mean over particle and contaminant."""
    return _mean_over_classes(logits, labels, lambda *counts: 1 - _dice(*counts))


def jaccard(logits: Tensor, labels: Tensor) -> Tensor:
    """Return one minus the soft intersection over union, the mean over particle and contaminant."""

    def loss(hits: Tensor, false_alarms: Tensor, misses: Tensor) -> Tensor:
        return 1 - (hits + 1) / (hits + false_alarms + misses + 1)

    return _mean_over_classes(logits, labels, loss)


def tversky(
    logits: Tensor, labels: Tensor, alpha: float = 0.45, beta: float = 0.55, gamma: float = 4 / 3
) -> Tensor:
    """Return the focal Tversky loss, the mean over particle and contaminant.

    ``(1 - TP / (TP + alpha FP + beta FN))^gamma`` (Salehi et al. 2017, eq. 4; the exponent after Abraham &
    Khan 2019): missed pixels weigh a little more than false ones, and poor overlaps more than good ones.

    Parameters
    ----------
    logits : Tensor
        ``(b, 3, h, w)`` class logits.
    labels : Tensor
        ``(b, h, w)`` class indices, -1 where not known.
    alpha, beta : float
        Weights of false positive and of false negative pixels.
    gamma : float
        Exponent.
    """

    def loss(hits: Tensor, false_alarms: Tensor, misses: Tensor) -> Tensor:
        index = (hits + 1) / (hits + alpha * false_alarms + beta * misses + 1)
        # Kept off 0, where the derivative of a power below 1 is infinite.
        return (1 - index).clamp(min=1e-6) ** gamma

    return _mean_over_classes(logits, labels, loss)


def lovasz(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the Lovász-softmax loss, the mean over particle and contaminant (Berman et al. 2018, eq. 9).

    The piecewise linear extension of the Jaccard loss: errors in falling order, each weighted by what it adds
    to the Jaccard loss of those before it (algorithm 1).
    """
    known = labels != UNKNOWN
    probability = torch.softmax(logits, dim=1)
    losses = []
    for index in _classes(labels):
        reference = (labels == index)[known].to(logits.dtype)
        error, order = (reference - probability[:, index][known]).abs().sort(descending=True)
        reference = reference[order]
        intersection = reference.sum() - reference.cumsum(0)
        union = reference.sum() + (1 - reference).cumsum(0)
        jaccard_loss = 1 - intersection / union.clamp(min=1)
        losses.append((error * jaccard_loss.diff(prepend=jaccard_loss.new_zeros(1))).sum())
    return torch.stack(losses).mean()


def _default(logits: Tensor, labels: Tensor) -> Tensor:
    return cross_entropy(logits, labels) + particle_dice(logits, labels)


LOSSES: dict[str, ClassLoss] = {
    "dice_ce": _default,
    "cross_entropy": partial(cross_entropy, smoothing=0.05),
    "dice": dice,
    "focal": focal,
    "jaccard": jaccard,
    "lovasz": lovasz,
    "tversky": tversky,
}


def parse_loss(text: str) -> ClassLoss:
    """Return the loss that a text names: one of `LOSSES`, or a weighted sum such as ``dice:0.5+focal:1``.

    Raises
    ------
    CryosegError
        If a name is not known or a weight is not a positive number.
    """
    terms: list[tuple[float, ClassLoss]] = []
    for term in text.split("+"):
        name, _, weight = term.strip().partition(":")
        try:
            terms.append((float(weight or 1), LOSSES[name]))
        except (KeyError, ValueError):
            raise CryosegError(
                f"--loss {text}: {term.strip()} is not known: give {', '.join(LOSSES)}, or a sum such as "
                "dice:0.5+focal:1"
            ) from None
        if not 0 < terms[-1][0] < float("inf"):
            raise CryosegError(f"--loss {text}: a weight must be greater than 0, not {weight}")

    def total(logits: Tensor, labels: Tensor) -> Tensor:
        return torch.stack([weight * loss(logits, labels) for weight, loss in terms]).sum()

    return total


def training_loss(
    classes: Tensor, centre: Tensor, labels: Tensor, target: Tensor, class_loss: ClassLoss
) -> Tensor:
    """Return the mean loss of a batch.

    Parameters
    ----------
    classes : Tensor
        ``(b, 3, h, w)`` logits of background, particle, contaminant.
    centre : Tensor
        ``(b, 1, h, w)`` logits of the centre map.
    labels : Tensor
        ``(b, h, w)`` class indices; -1 where nothing is known, `CLASS_UNKNOWN` where only the class is not.
    target : Tensor
        ``(b, h, w)`` true centre map in [0, 1].
    class_loss : callable
        Loss on the classes, from `parse_loss`.
    """
    known = (labels != UNKNOWN).to(centre.dtype)
    peaks = functional.binary_cross_entropy_with_logits(centre[:, 0], target, weight=known)
    return class_loss(classes, labels.clamp(min=UNKNOWN)) + CENTRE_WEIGHT * peaks


def _classes(labels: Tensor) -> list[int]:
    """Return the classes that count: particle always, contaminant where the batch has some."""
    return [PARTICLE, CONTAMINANT] if bool((labels == CONTAMINANT).any()) else [PARTICLE]


def _overlap(logits: Tensor, labels: Tensor, index: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the soft numbers of true positive, false positive and false negative known pixels of a class.

    They are those of the whole batch, because a field without the class has none to compare.
    """
    predicted = torch.softmax(logits, dim=1)[:, index] * (labels != UNKNOWN)
    reference = (labels == index).to(predicted.dtype)
    hits = (predicted * reference).sum()
    return hits, predicted.sum() - hits, reference.sum() - hits


def _dice(hits: Tensor, false_alarms: Tensor, misses: Tensor) -> Tensor:
    return (2 * hits + 1) / (2 * hits + false_alarms + misses + 1)


def _mean_over_classes(
    logits: Tensor, labels: Tensor, loss: Callable[[Tensor, Tensor, Tensor], Tensor]
) -> Tensor:
    return torch.stack([loss(*_overlap(logits, labels, index)) for index in _classes(labels)]).mean()
