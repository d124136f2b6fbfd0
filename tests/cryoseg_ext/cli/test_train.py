"""``cryoseg train`` from the command line."""

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from cryoseg_ext.cli import main
from cryoseg_ext.network import load_model
from cryoseg_ext.training import calibrate


def _train(out: Path, *options: str) -> str:
    arguments = ["train", "--out", str(out), "--steps", "1", "--batch", "1", "--workers", "0", *options]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_a_device_that_is_not_there_is_named_in_one_sentence(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["train", "--out", str(tmp_path), "--device", "nonsense"])
    assert result.exit_code == 1
    assert result.output.startswith("Error: --device nonsense: PyTorch finds no such device")


def test_a_training_ends_in_a_model_that_another_can_start_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate, "N_FIELDS", 2)
    first = tmp_path / "first" / "model.safetensors"
    assert f"--model {first}" in _train(first.parent, "--base", "8")
    _train(tmp_path / "second", "--initial", str(first), "--learning_rate", "1e-6")
    second = load_model(tmp_path / "second" / "model.safetensors")
    assert second.architecture["base"] == 8
    for name, value in load_model(first).network.named_parameters():
        torch.testing.assert_close(second.network.get_parameter(name), value, atol=1e-4, rtol=0)
