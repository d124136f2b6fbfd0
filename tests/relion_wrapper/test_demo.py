"""``make demo`` as its program runs, on one small micrograph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from relion_wrapper import demo


def test_the_demo_says_what_it_does_and_ends_with_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "N_MICROGRAPHS", 1)
    monkeypatch.setattr(demo, "SHAPE", (480, 600))
    folder = tmp_path / "demo"
    result = CliRunner().invoke(demo.main, [str(folder)])
    assert result.exit_code == 0, result.output
    assert "picks with a figure of merit of" in capfd.readouterr().out
    steps = [line for line in result.output.splitlines() if line.startswith("Step ")]
    assert [line.split(":")[0] for line in steps] == [f"Step {number} of 4" for number in range(1, 5)]
    named = [Path(line.strip()) for line in result.output.splitlines() if line.startswith(f"  {folder}/")]
    assert named[0] == folder / demo.PICTURE
    assert len(named) == 3
    assert all(path.stat().st_size for path in named)
    pixels = np.asarray(Image.open(named[0]).convert("RGB")).astype(int)
    right_half = pixels[40:, pixels.shape[1] // 2 :]
    for colour in (demo.RIGHT_COLOUR, demo.TRUTH_COLOUR):
        off = np.abs(right_half - list(bytes.fromhex(colour[1:]))).max(axis=2)
        assert (off < 40).sum() > 30, colour


def test_a_folder_of_the_user_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    result = CliRunner().invoke(demo.main, [str(tmp_path)])
    assert result.exit_code != 0
    assert "is no earlier demo: give another folder" in result.output
    assert (tmp_path / "mine.txt").exists()
