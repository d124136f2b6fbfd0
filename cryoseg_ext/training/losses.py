"""Losses on the classes by name, and the whole training loss, which adds the centre map's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.training.dataset import IGNORE

ClassLoss = Callable[[Tensor, Tensor], Tensor]
"""From logits ``(b, 3, h, w)`` and labels ``(b, h, w)``, -1 to ignore, to a scalar."""

CENTRE_WEIGHT = 4.0
DEFAULT_LOSS = "dice_ce"
CLASS_UNKNOWN = -2
"""Label of pixels whose class is not known, but where the centre map is."""
_PARTICLE = 1


def cross_entropy(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return the mean cross entropy of the known pixels, with label smoothing (Szegedy et al. 2016)."""
    total = functional.cross_entropy(
        logits, labels, ignore_index=IGNORE, label_smoothing=smoothing, reduction="sum"
    )
    return total / (labels != IGNORE).sum().clamp(min=1)


def focal(logits: Tensor, labels: Tensor, gamma: float = 2.0) -> Tensor:
    """Return the mean of ``(1 - p)^gamma`` times the cross entropy (Lin et al. 2017, eq. 4)."""
    entropy = functional.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="none")
    # The probability of the true class is exp(-entropy); ignored pixels have an entropy of 0.
    return ((1 - torch.exp(-entropy)) ** gamma * entropy).sum() / (labels != IGNORE).sum().clamp(min=1)


def particle_dice(logits: Tensor, labels: Tensor) -> Tensor:
    """Return one minus the soft Dice coefficient of the particle class (Milletari et al. 2016)."""
    return 1 - _dice(*_overlap(logits, labels, _PARTICLE))


def dice(logits: Tensor, labels: Tensor) -> Tensor:
    """Return one minus the soft Dice coefficient, the mean over particle and contaminant."""
    return _mean_over_classes(logits, labels, lambda *counts: 1 - _dice(*counts))


def jaccard(logits: Tensor, labels: Tensor) -> Tensor:
    """Return one minus the soft intersection over union, the mean over particle and contaminant."""

    def loss(right: Tensor, said_only: Tensor, true_only: Tensor) -> Tensor:
        return 1 - (right + 1) / (right + said_only + true_only + 1)

    return _mean_over_classes(logits, labels, loss)


def tversky(
    logits: Tensor, labels: Tensor, alpha: float = 0.45, beta: float = 0.55, gamma: float = 4 / 3
) -> Tensor:
    """Return the focal Tversky loss, the mean over particle and contaminant.

    ``(1 - TP / (TP + alpha FP + beta FN))^gamma`` (Salehi et al. 2017, eq. 4; the exponent after Abraham &
    Khan 2019): missed pixels weigh a little more than false ones, and poor overlaps more than good ones.
    """

    def loss(right: Tensor, said_only: Tensor, true_only: Tensor) -> Tensor:
        index = (right + 1) / (right + alpha * said_only + beta * true_only + 1)
        # Kept off 0, where the derivative of a power below 1 is infinite.
        return (1 - index).clamp(min=1e-6) ** gamma

    return _mean_over_classes(logits, labels, loss)


def lovasz(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the Lovász-softmax loss, the mean over particle and contaminant (Berman et al. 2018, eq. 9).

    The piecewise linear extension of the Jaccard loss: errors in falling order, each weighted by what it adds
    to the Jaccard loss of those before it (algorithm 1).
    """
    known = labels != IGNORE
    probability = torch.softmax(logits, dim=1)
    losses = []
    for index in _classes(labels):
        true = (labels == index)[known].to(logits.dtype)
        error, order = (true - probability[:, index][known]).abs().sort(descending=True)
        true = true[order]
        intersection = true.sum() - true.cumsum(0)
        union = true.sum() + (1 - true).cumsum(0)
        jaccard_loss = 1 - intersection / union.clamp(min=1)
        losses.append((error * jaccard_loss.diff(prepend=jaccard_loss.new_zeros(1))).sum())
    return torch.stack(losses).mean()


def _default(logits: Tensor, labels: Tensor) -> Tensor:
    return cross_entropy(logits, labels) + particle_dice(logits, labels)


LOSSES: dict[str, ClassLoss] = {
    DEFAULT_LOSS: _default,
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
        If a name is not known or a weight is no positive number.
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
        ``(b, 1, h, w)`` logits.
    labels : Tensor
        ``(b, h, w)`` class indices; -1 where nothing is known, -2 where only the class is not.
    target : Tensor
        ``(b, h, w)`` centre map in [0, 1].
    class_loss : callable
        From `parse_loss`.
    """
    known = (labels != IGNORE).to(centre.dtype)
    peaks = functional.binary_cross_entropy_with_logits(centre[:, 0], target, weight=known)
    return class_loss(classes, labels.clamp(min=IGNORE)) + CENTRE_WEIGHT * peaks


def _classes(labels: Tensor) -> list[int]:
    """Return the classes that count: particle always, contaminant where the batch has some."""
    return [_PARTICLE, 2] if bool((labels == 2).any()) else [_PARTICLE]


def _overlap(logits: Tensor, labels: Tensor, index: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the soft numbers of true positive, false positive and false negative known pixels of a class.

    Over the batch: of a field without the class they would say nothing.
    """
    said = torch.softmax(logits, dim=1)[:, index] * (labels != IGNORE)
    true = (labels == index).to(said.dtype)
    right = (said * true).sum()
    return right, said.sum() - right, true.sum() - right


def _dice(right: Tensor, said_only: Tensor, true_only: Tensor) -> Tensor:
    return (2 * right + 1) / (2 * right + said_only + true_only + 1)


def _mean_over_classes(
    logits: Tensor, labels: Tensor, loss: Callable[[Tensor, Tensor, Tensor], Tensor]
) -> Tensor:
    return torch.stack([loss(*_overlap(logits, labels, index)) for index in _classes(labels)]).mean()
