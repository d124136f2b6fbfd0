"""Which epoch of a training is kept, and its log."""

from itertools import count
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from cryoseg_ext.options.training import TrainingOptions
from cryoseg_ext.training.dataset import SimulatedFields
from cryoseg_ext.training.distributed import ProcessGroup
from cryoseg_ext.training.loop import TrainingRun, Validation, optimise


class _OneConvolution(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 4, 3, padding=1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.convolution(image)
        return maps[:, :3], maps[:, 3:]


@pytest.mark.parametrize(
    ("metrics", "is_kept"), [(("average_precision",), False), (("average_precision", "pixel_iou"), True)]
)
def test_better_outlines_are_kept_where_picks_cannot_get_better(
    metrics: tuple[str, ...], is_kept: bool, tmp_path: Path
) -> None:
    network, calls = _OneConvolution(), count()
    before = network.convolution.weight.detach().clone()
    options = TrainingOptions(steps=4, steps_per_epoch=2, batch=2, field_px=48)
    validation = Validation(
        lambda _: {"average_precision": 1.0, "pixel_iou": 0.1 * next(calls), "best_f1": 1.0}, metrics
    )
    run = TrainingRun(tmp_path, "test", ProcessGroup(0, 1, "cpu"), workers=0)
    history = optimise(network, SimulatedFields(8, 48, seed=1), options, run, validation)
    assert [epoch.pixel_iou for epoch in history] == [0.0, 0.1, 0.2]
    assert torch.equal(network.convolution.weight, before) is not is_kept


def test_a_training_killed_before_its_log_was_written_has_it_when_it_goes_on(tmp_path: Path) -> None:
    options = TrainingOptions(steps=4, steps_per_epoch=2, batch=2, field_px=48)
    run = TrainingRun(tmp_path, "test", ProcessGroup(0, 1, "cpu"), workers=0)
    fields, log = SimulatedFields(8, 48, seed=1), tmp_path / "training.csv"
    optimise(_OneConvolution(), fields, options, run)
    whole = log.read_text()
    log.write_text("".join(whole.splitlines(keepends=True)[:-1]))
    optimise(_OneConvolution(), fields, options, run)
    assert log.read_text() == whole
