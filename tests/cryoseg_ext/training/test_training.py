"""Training on simulation learns, goes on after an interruption, and ends in a usable model."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import expit
from torch.optim.swa_utils import AveragedModel

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.model.checkpoint import load_model
from cryoseg_ext.network.architectures import ARCHITECTURES, DEFAULT_ARCHITECTURE
from cryoseg_ext.options.training import ARCHITECTURE_NAMES
from cryoseg_ext.progress import showing
from cryoseg_ext.training import Callbacks, TrainingOptions, calibrate, fine_tuning_options, train
from cryoseg_ext.training.calibrate import fit_calibration
from cryoseg_ext.training.dataset import SimulatedFields, centre_map
from cryoseg_ext.training.loop import moving_average
from tests.told import Told, interrupt_training

OPTIONS = TrainingOptions("residual_unet:8", steps=4, steps_per_epoch=2, batch=2, field_px=64)


def test_an_interrupted_run_goes_on_and_ends_like_an_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate, "N_FIELDS", 4)
    monkeypatch.setattr("cryoseg_ext.training.crf.N_EXAMPLES", 4)
    whole = load_model(train(OPTIONS, tmp_path / "whole", workers=0))

    with pytest.raises(KeyboardInterrupt), showing(interrupt_training(at=3)):
        train(OPTIONS, tmp_path / "cut", workers=0)
    with showing(told := Told()):
        cut = load_model(train(OPTIONS, tmp_path / "cut", workers=0))
    assert told.steps("Training") == [2, 3, 4]
    assert told.finished == [
        "Training",
        "Simulating fields for the random field",
        "Learning the random field",
        "Calibrating the score on simulated fields",
        "Choosing the threshold on simulated fields",
        "Simulating fields to measure ranges on",
        "Measuring the ranges of the maps",
    ]
    for name, value in whole.network.state_dict().items():
        np.testing.assert_allclose(
            value.float(), cut.network.state_dict()[name].float(), atol=2e-3, err_msg=name
        )


def test_a_checkpoint_of_another_recipe_is_kept_and_refused(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    torch.save({"recipe": {"steps": 99}}, checkpoint)
    before = checkpoint.read_bytes()
    with pytest.raises(CryosegError, match=r"checkpoint\.pt: .* other settings"):
        train(OPTIONS, tmp_path, workers=0)
    assert checkpoint.read_bytes() == before


@pytest.mark.parametrize("damage", [b"cut off", b"", b"PK\x03\x04 cut off"])
def test_a_damaged_checkpoint_counts_as_absent_with_a_word(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(damage)
    messages: list[str] = []

    with pytest.raises(KeyboardInterrupt), showing(interrupt_training(at=0)):
        train(OPTIONS, tmp_path, workers=0, callbacks=Callbacks(message=messages.append))
    assert messages == [
        f"{tmp_path / 'checkpoint.pt'}: the checkpoint is damaged, so the training starts anew"
    ]


def test_an_unknown_name_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    with pytest.raises(CryosegError, match="--loss nonsense"):
        train(replace(OPTIONS, loss="nonsense"), tmp_path / "out", workers=0)
    assert not (tmp_path / "out").exists()
    for name in ("loss", "architecture"):
        with pytest.raises(CryosegError, match=f"--{name} nonsense"):
            fine_tuning_options(from_scratch=False, **{name: "nonsense"})


def test_the_architectures_are_those_that_the_options_name() -> None:
    assert tuple(ARCHITECTURES) == ARCHITECTURE_NAMES
    assert ARCHITECTURE_NAMES[0] == DEFAULT_ARCHITECTURE


def test_the_average_of_a_short_training_has_forgotten_the_untrained_network() -> None:
    network = torch.nn.Linear(1, 1)
    average = AveragedModel(network, multi_avg_fn=moving_average(0.998), use_buffers=True)
    for step in range(101):
        network.weight.data.fill_(float(step))
        average.update_parameters(network)
    assert 80 < average.module.state_dict()["weight"].item() < 100


def test_fields_are_the_same_in_any_order() -> None:
    first, second = SimulatedFields(4, 64, seed=3), SimulatedFields(4, 64, seed=3)
    late = [second[3], second[1]][1]
    for a, b in zip(first[1], late, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_centre_map_peaks_on_the_centres() -> None:
    target = centre_map(np.array([10.0, 63.0]), np.array([20.0, 0.0]), (64, 64))
    assert target[20, 10] == target[0, 63] == 1
    assert target[20, 20] < 0.01


def test_calibration_recovers_known_probabilities() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(20000, 3))
    truth = 1 / (1 + np.exp(-(0.5 + features @ np.array([1.0, -2.0, 0.3]))))
    fitted = fit_calibration(features, rng.uniform(size=len(truth)) < truth)
    np.testing.assert_allclose(expit(fitted.log_odds(features)), truth, atol=0.06)
