from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mrcfile
import numpy as np
import pytest
import starfile
from click.testing import CliRunner, Result

from cryoseg_ext.cli import main
from cryoseg_ext.picks import Picks

CANDIDATES = Picks(np.array([12.6, 30.0]), np.array([20.4, 40.0]), np.array([0.9, 0.1]))


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put an engine that always finds the same two candidates in place."""

    def pick_repaired(repaired: Any, pixel_size_A: float, model: Any, options: Any) -> Any:
        shape = repaired.image.shape
        working = SimpleNamespace(
            image=repaired.image, source_shape=shape, diameter_px=24.0, step_px=(2.0, 2.0)
        )
        return SimpleNamespace(candidates=CANDIDATES, working=working, mask=np.zeros(shape, bool))

    monkeypatch.setattr("cryoseg_ext.pipeline.pick_repaired", pick_repaired)
    monkeypatch.setattr("cryoseg_ext.network.load_model", lambda _: SimpleNamespace(threshold=0.5))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with two micrographs, the second without a pixel size."""
    rng = np.random.default_rng(0)
    for name, size_A in (("a.mrc", 1.5), ("b.mrc", 0.0)):
        mrcfile.write(tmp_path / name, rng.normal(size=(60, 80)).astype(np.float32), voxel_size=size_A)
    return tmp_path


def _pick(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["pick", "--particle_diameter", "40", *map(str, arguments)])


def test_each_micrograph_gets_a_star_and_a_csv_file(folder: Path) -> None:
    result = _pick(f"{folder}/*.mrc", "--out", folder / "out", "--pixel_size", "1.5")
    assert result.exit_code == 0, result.output
    for name in ("a", "b"):
        star = starfile.read(folder / f"out/{name}.star", always_dict=True)[""]
        assert list(star["rlnCoordinateX"]) == [13]
        assert (folder / f"out/{name}.csv").read_text() == "x,y,score\n12.60,20.40,0.900000\n"
    assert (folder / "out/report.pdf").read_bytes().startswith(b"%PDF")


def test_a_lower_threshold_keeps_more(folder: Path) -> None:
    _pick(folder / "a.mrc", "--out", folder / "out", "--threshold", "0.05")
    assert len((folder / "out/a.csv").read_text().splitlines()) == 3


def test_a_micrograph_without_a_pixel_size_is_skipped_with_the_mend(folder: Path) -> None:
    result = _pick(folder / "a.mrc", folder / "b.mrc", "--out", folder / "out")
    assert result.exit_code == 0
    assert f"{folder / 'b.mrc'}: its header has no pixel size: give --pixel_size" in result.output
    assert not (folder / "out/b.csv").exists()


@pytest.mark.parametrize(
    ("micrographs", "told"),
    [
        (["nothing*.mrc"], "no file matches"),
        (["a.mrc", "other/a.tif"], "share the output"),
        (["c.mrc"], "c.mrc"),
    ],
)
def test_unusable_input_is_told_in_a_sentence(folder: Path, micrographs: list[str], told: str) -> None:
    result = _pick(*(folder / name for name in micrographs), "--out", folder / "out")
    assert result.exit_code == 1
    assert told in result.output
    assert "Traceback" not in result.output
