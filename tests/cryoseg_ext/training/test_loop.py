"""Which epoch of a training is kept."""

from itertools import count
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from cryoseg_ext.training.dataset import SimulatedFields
from cryoseg_ext.training.distributed import Team
from cryoseg_ext.training.loop import optimise
from cryoseg_ext.training.options import TrainingOptions


class _OneConvolution(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 4, 3, padding=1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.convolution(image)
        return maps[:, :3], maps[:, 3:]


@pytest.mark.parametrize(
    ("judged_by", "is_kept"), [(("average_precision",), False), (("average_precision", "pixel_iou"), True)]
)
def test_better_outlines_are_kept_where_picks_cannot_get_better(
    judged_by: tuple[str, ...], is_kept: bool, tmp_path: Path
) -> None:
    network, calls = _OneConvolution(), count()
    before = network.convolution.weight.detach().clone()
    options = TrainingOptions(steps=4, steps_per_epoch=2, batch=2, field_px=48)
    history = optimise(
        network,
        SimulatedFields(8, 48, seed=1),
        options,
        tmp_path,
        Team(0, 1, "cpu"),
        data="test",
        workers=0,
        validation=lambda _: {"average_precision": 1.0, "pixel_iou": 0.1 * next(calls), "best_f1": 1.0},
        judged_by=judged_by,
    )
    assert [epoch.pixel_iou for epoch in history] == [0.0, 0.1, 0.2]
    assert torch.equal(network.convolution.weight, before) is not is_kept
