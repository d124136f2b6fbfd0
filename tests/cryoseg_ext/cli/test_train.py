"""``cryoseg train`` from the command line."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from cryoseg_ext.cli import main
from cryoseg_ext.network import load_model
from cryoseg_ext.training import calibrate


def test_a_short_training_ends_in_a_model_and_says_how_to_use_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate, "N_FIELDS", 2)
    arguments = [
        "train",
        "--out",
        str(tmp_path),
        "--steps",
        "1",
        "--batch",
        "1",
        "--base",
        "8",
        "--workers",
        "0",
    ]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert f"--model {tmp_path / 'model.safetensors'}" in result.output
    assert load_model(tmp_path / "model.safetensors").architecture["base"] == 8
