"""``cryoseg compare`` from the command line."""

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner

from cryoseg_ext.cli import main
from cryoseg_ext.training import calibrate, trials


def test_a_grid_is_trained_and_scored_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrate, "N_FIELDS", 2)
    monkeypatch.setattr("cryoseg_ext.training.crf.N_EXAMPLES", 4)
    monkeypatch.setattr(trials, "N_SIMULATED", 2)
    arguments = ["compare", "--out", str(tmp_path), "--architectures", "fcn:8,deeplabv3:8"]
    arguments += ["--losses", "dice:0.5+focal", "--steps", "1", "--workers", "0"]
    first = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert first.exit_code == 0, first.output
    rows = list(csv.DictReader((tmp_path / "comparison.csv").read_text().splitlines()))
    assert [(row["architecture"], row["crf"]) for row in rows] == [
        ("fcn:8", "no"),
        ("fcn:8", "yes"),
        ("deeplabv3:8", "no"),
        ("deeplabv3:8", "yes"),
    ]
    assert all(0 <= float(row["accuracy"]) <= 1 for row in rows)
    (tmp_path / "deeplabv3_8-dice_0.5+focal" / "model.safetensors").unlink()
    again = CliRunner().invoke(main, arguments, catch_exceptions=False)
    table = [line for line in first.output.splitlines() if line.startswith(("fcn", "deeplabv3"))]
    assert len(table) == 4
    assert [line for line in again.output.splitlines() if line.startswith(("fcn", "deeplabv3"))] == table
    assert not (tmp_path / "deeplabv3_8-dice_0.5+focal" / "model.safetensors").exists()


def test_an_unknown_name_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["compare", "--out", str(tmp_path), "--losses", "dice_ce,nonsense"])
    assert result.exit_code == 1
    assert "--loss nonsense" in result.output
    assert list(tmp_path.iterdir()) == []
