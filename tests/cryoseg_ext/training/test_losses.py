"""The losses against closed forms and brute force."""

import math
from itertools import combinations

import pytest
import torch
from torch import Tensor

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.network.classes import UNKNOWN
from cryoseg_ext.options.training import LOSS_NAMES
from cryoseg_ext.training import losses
from cryoseg_ext.training.losses import CLASS_UNKNOWN, LOSSES, parse_loss, training_loss


def _example(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 3, 5, 6, generator=generator)
    return logits, torch.randint(-1, 3, (2, 5, 6), generator=generator)


def _sure(labels: Tensor) -> Tensor:
    """Return logits that are right everywhere."""
    return 40.0 * torch.nn.functional.one_hot(labels.clamp(min=0), 3).permute(0, 3, 1, 2).float()


def test_the_losses_are_those_that_the_options_name() -> None:
    assert tuple(LOSSES) == LOSS_NAMES


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_least_where_all_is_right_and_its_gradient_is_finite(name: str) -> None:
    logits, labels = _example()
    loss, logits = LOSSES[name], logits.requires_grad_()
    value = loss(logits, labels)
    value.backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[labels.unsqueeze(1).expand_as(logits) == UNKNOWN].abs().max() == 0
    assert 0 <= loss(_sure(labels), labels) < value
    nothing = torch.full_like(labels, UNKNOWN)
    assert torch.isfinite(loss(logits, nothing))


def test_cross_entropy_smoothing_and_focal_have_their_closed_forms() -> None:
    labels = torch.tensor([[[1, UNKNOWN]]])
    logits = torch.tensor([0.0, math.log(2), 0.0]).reshape(1, 3, 1, 1).expand(1, 3, 1, 2)
    p = 0.5
    assert losses.cross_entropy(logits, labels).item() == pytest.approx(-math.log(p))
    smooth = -(0.9 + 0.1 / 3) * math.log(p) - 2 * (0.1 / 3) * math.log(0.25)
    assert losses.cross_entropy(logits, labels, smoothing=0.1).item() == pytest.approx(smooth)
    assert losses.focal(logits, labels, gamma=2).item() == pytest.approx(-((1 - p) ** 2) * math.log(p))


def test_overlap_losses_have_their_closed_forms() -> None:
    # Predicted: columns 0 to 2. True: columns 1 to 4. Two hits, one false alarm, two misses.
    predicted, labels = torch.tensor([[[1, 1, 1, 0, 0, 0]]]), torch.tensor([[[0, 1, 1, 1, 1, UNKNOWN]]])
    logits = _sure(predicted)
    assert losses.dice(logits, labels).item() == pytest.approx(1 - (2 * 2 + 1) / (2 * 2 + 1 + 2 + 1))
    assert losses.jaccard(logits, labels).item() == pytest.approx(1 - 3 / 6)
    index = 3 / (2 + 0.45 * 1 + 0.55 * 2 + 1)
    assert losses.tversky(logits, labels, gamma=2.0).item() == pytest.approx((1 - index) ** 2)
    assert losses.particle_dice(logits, labels).item() == losses.dice(logits, labels).item()


def test_lovasz_is_the_convex_closure_of_the_jaccard_loss() -> None:
    labels = torch.tensor([[[1, 0, 1, 0, 0]]])
    logits = torch.tensor([[0.3, -1.0, 0.2, 2.0, -0.5]]).reshape(1, 1, 1, 5)
    logits = torch.cat([torch.zeros_like(logits), logits, torch.full_like(logits, -40.0)], dim=1)
    particle = torch.softmax(logits, dim=1)[0, 1, 0]
    errors = ((labels[0, 0] == 1).float() - particle).abs().tolist()

    def jaccard_loss(wrong: tuple[int, ...]) -> float:
        true = {0, 2}
        return len(wrong) / len(true | set(wrong))

    # Brute force, Berman et al. 2018, eq. 8: the greatest sum over the chains of growing sets of errors.
    order = sorted(range(5), key=lambda k: -errors[k])
    chain = sum(
        errors[k] * (jaccard_loss(tuple(order[: i + 1])) - jaccard_loss(tuple(order[:i])))
        for i, k in enumerate(order)
    )
    assert losses.lovasz(logits, labels).item() == pytest.approx(chain, rel=1e-5)
    for size in range(6):
        for wrong in combinations(range(5), size):
            corner = torch.tensor([40.0 if (k in wrong) != (k in (0, 2)) else -40.0 for k in range(5)])
            at_corner = torch.stack([torch.zeros(5), corner, torch.full((5,), -80.0)]).reshape(1, 3, 1, 5)
            assert losses.lovasz(at_corner, labels).item() == pytest.approx(jaccard_loss(wrong), abs=1e-5)


def test_a_sum_of_losses_is_weighted() -> None:
    logits, labels = _example()
    expected = 0.5 * losses.dice(logits, labels) + 2 * losses.focal(logits, labels)
    assert parse_loss("dice:0.5+focal:2")(logits, labels).item() == pytest.approx(expected.item())
    assert parse_loss("dice_ce")(logits, labels).item() == pytest.approx(
        (losses.cross_entropy(logits, labels) + losses.particle_dice(logits, labels)).item()
    )


@pytest.mark.parametrize("text", ["nonsense", "dice:-1", "dice:x", "dice:inf", "dice+", ""])
def test_an_unknown_loss_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(CryosegError, match="--loss"):
        parse_loss(text)


def test_where_only_the_class_is_unknown_the_centre_map_still_counts() -> None:
    logits, _ = _example()
    labels = torch.zeros(2, 5, 6, dtype=torch.int64)
    centre = torch.zeros(2, 1, 5, 6, requires_grad=True)
    labels[0], labels[1, 0] = CLASS_UNKNOWN, UNKNOWN
    training_loss(logits, centre, labels, torch.zeros(2, 5, 6), parse_loss("dice_ce")).backward()
    assert centre.grad is not None
    assert (centre.grad[0] != 0).all()
    assert (centre.grad[1, 0, 0] == 0).all()
