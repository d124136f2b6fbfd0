from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import mrcfile
import numpy as np
import pytest
from click.testing import CliRunner, Result

from cryoseg_ext.cli import main
from cryoseg_ext.picks import Picks

if TYPE_CHECKING:
    from tests.engine import Engine


def _segment(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["segment", "--particle_diameter", "120", *map(str, arguments)])


@pytest.fixture
def micrograph(tmp_path: Path) -> Path:
    """Four dark discs of 120 Å."""
    y, x = np.indices((150, 190))
    image = np.random.default_rng(0).normal(size=y.shape)
    for centre_y in (40, 110):
        for centre_x in (45, 140):
            image -= 1.0 * (np.hypot(y - centre_y, x - centre_x) < 15)
    path = tmp_path / "discs.mrc"
    mrcfile.write(path, image.astype(np.float32), voxel_size=4.0)
    return path


def test_maps_before_and_after_the_crf_are_written_with_their_pixel_size(micrograph: Path) -> None:
    out = micrograph.parent / "out"
    result = _segment(micrograph, "--out", out)
    assert result.exit_code == 0, result.output
    for stage in ("", "network_"):
        probability = mrcfile.read(out / f"discs_{stage}probability.mrc")
        with mrcfile.open(out / f"discs_{stage}mask.mrc") as mask:
            assert float(mask.voxel_size.x) == pytest.approx(120 / 24, rel=0.02)
            np.testing.assert_array_equal(mask.data == 1, probability >= 0.5)
            assert 0.02 < mask.data.mean() < 0.4
    assert (out / "discs.png").read_bytes().startswith(b"\x89PNG")


def test_it_picks_too_and_segments_nothing_twice(micrograph: Path, engine: Engine) -> None:
    out = micrograph.parent / "out"
    engine.candidates = Picks(np.array([45.0, 140.0]), np.array([40.0, 110.0]), np.array([0.9, 0.4]))
    for threshold, n_picks in ((0.3, 2), (0.8, 1)):
        result = _segment(micrograph, "--out", out, "--threshold", threshold)
        assert result.exit_code == 0, result.output
        assert len(engine.picked) == 1
        assert (out / "discs.csv").read_text().count("\n") == 1 + n_picks
    for name in ("discs.star", "report.pdf", "review.html", "quality.tsv"):
        assert (out / name).stat().st_size > 0
    # A map that has gone is made again.
    (out / "discs_network_mask.mrc").unlink()
    assert _segment(micrograph, "--out", out).exit_code == 0
    assert len(engine.picked) == 2
    assert (out / "discs_network_mask.mrc").exists()


def test_no_map_of_an_earlier_run_stands_for_a_file_that_is_broken_now(
    micrograph: Path, engine: Engine
) -> None:
    out = micrograph.parent / "out"
    _segment(micrograph, "--out", out)
    micrograph.write_bytes(b"")
    assert _segment(micrograph, "--out", out, "--pixel_size", 3).exit_code == 1
    assert not list(out.glob("discs*"))


def test_without_a_solver_the_maps_are_those_of_the_network(micrograph: Path) -> None:
    out = micrograph.parent / "out"
    assert _segment(micrograph, "--out", out, "--crf_solver", "none").exit_code == 0
    before, after = (mrcfile.read(out / f"discs_{stage}probability.mrc") for stage in ("network_", ""))
    np.testing.assert_allclose(after, before, rtol=1e-5)


def test_bright_protein_is_inverted(micrograph: Path) -> None:
    negative, folder = micrograph.with_name("negative.mrc"), micrograph.parent
    mrcfile.write(negative, -mrcfile.read(micrograph), voxel_size=4.0)
    assert _segment(micrograph, "--out", folder).exit_code == 0
    assert _segment(negative, "--out", folder, "--invert").exit_code == 0
    dark, bright = (mrcfile.read(folder / f"{name}_probability.mrc") for name in ("discs", "negative"))
    np.testing.assert_array_equal(bright, dark)


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    result = _segment(tmp_path / "missing.mrc", "--out", tmp_path)
    assert result.exit_code == 1
    assert "missing.mrc" in result.output
    assert "Traceback" not in result.output
