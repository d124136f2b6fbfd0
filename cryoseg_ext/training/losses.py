"""The default loss: cross entropy and Dice on the classes, cross entropy on the centre map."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from cryoseg_ext.training.dataset import IGNORE

CENTRE_WEIGHT = 4.0


def segmentation_loss(classes: Tensor, centre: Tensor, labels: Tensor, target: Tensor) -> Tensor:
    """Return the mean loss of a batch.

    Parameters
    ----------
    classes : Tensor
        ``(b, 3, h, w)`` logits of background, particle, contaminant.
    centre : Tensor
        ``(b, 1, h, w)`` logits.
    labels : Tensor
        ``(b, h, w)`` class indices, -1 to ignore.
    target : Tensor
        ``(b, h, w)`` centre map in [0, 1].
    """
    known = labels != IGNORE
    entropy = functional.cross_entropy(classes, labels, ignore_index=IGNORE)
    particle = torch.softmax(classes, dim=1)[:, 1] * known
    truth = (labels == 1).to(particle.dtype)
    # Soft Dice over the batch (Milletari et al. 2016): fields without particles would make it undefined.
    dice = 1 - (2 * (particle * truth).sum() + 1) / (particle.sum() + truth.sum() + 1)
    peaks = functional.binary_cross_entropy_with_logits(centre[:, 0], target, weight=known.to(target.dtype))
    return entropy + dice + CENTRE_WEIGHT * peaks
