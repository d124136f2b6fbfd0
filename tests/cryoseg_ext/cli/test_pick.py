"""``cryoseg pick``: a plain folder is the host of the job."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import mrcfile
import numpy as np
import pytest
import starfile
import yaml
from click.testing import CliRunner, Result
from cryosparc.dataset import Dataset

from cryoseg_ext.cli import main
from cryoseg_ext.picks import Picks
from tests.engine import filament, write_micrograph

if TYPE_CHECKING:
    from tests.engine import Engine

CANDIDATES = Picks(np.array([12.6, 30.0]), np.array([20.4, 40.0]), np.array([0.9, 0.1]))


@pytest.fixture(autouse=True)
def picked(engine: Engine) -> list[float]:
    """Let the engine always find the same candidates; return the pixel sizes that it was told."""
    engine.candidates = CANDIDATES
    return engine.pixel_sizes_A


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
    assert f"{folder}/b.mrc" in (folder / "out/review.html").read_text()


def test_the_formats_are_those_that_are_asked_for(folder: Path) -> None:
    # The header has the pixel size, without which there are no boxes.
    formats = [word for name in ("box", "cbox", "txt") for word in ("--format", name)]
    for threshold in ("0.5", "0.05"):  # picked, and taken from the first run
        result = _pick(folder / "a.mrc", "--out", folder / "out", "--threshold", threshold, *formats)
        assert result.exit_code == 0, result.output
        assert not [path for path in (folder / "out").glob("a.*") if path.suffix in (".star", ".csv")]
        # 40 Å are 26.7 px.
        x, y, width, height, *_ = (folder / "out/a.box").read_text().split()
        assert (width, height) == ("28", "28")
        assert (float(x), float(y)) == pytest.approx((12.6 - 14, 20.4 - 14), abs=0.51)
    result = _pick(folder / "a.mrc", "--out", folder / "out", "--format", "docx")
    assert result.exit_code == 1
    assert "--format docx is not known: give one of" in result.output


def test_another_threshold_keeps_more_without_picking_again(folder: Path, picked: list[float]) -> None:
    _pick(folder / "a.mrc", "--out", folder / "out")
    assert len((folder / "out/a.csv").read_text().splitlines()) == 2
    result = _pick(folder / "a.mrc", "--out", folder / "out", "--threshold", "0.05")
    assert "0 micrographs to pick, 1 finished earlier" in result.output
    assert len((folder / "out/a.csv").read_text().splitlines()) == 3
    assert len(picked) == 1


def test_another_way_of_extraction_picks_again(folder: Path, picked: list[float]) -> None:
    for n_picked, options in (
        (1, []),
        (2, ["--extraction", "watershed"]),
        (2, ["--extraction", "watershed"]),
    ):
        result = _pick(folder / "a.mrc", "--out", folder / "out", *options)
        assert result.exit_code == 0, result.output
        assert len(picked) == n_picked


def test_another_threshold_or_other_masks_load_no_torch(folder: Path, engine: Engine) -> None:
    _pick(folder / "a.mrc", "--out", folder / "out")
    mask = np.zeros((60, 80), np.int8)
    mask[:, 20:] = 1
    write_micrograph(folder / "masks/a.mrc", mask)
    code = (
        "import sys; from cryoseg_ext.cli import main;"
        "main(sys.argv[1:], standalone_mode=False); assert 'torch' not in sys.modules"
    )
    again = [sys.executable, "-c", code, "pick", folder / "a.mrc", "--particle_diameter", "40"]
    again += ["--out", folder / "out", "--model", engine.model, "--threshold", "0.05"]
    masks = ["--masks_in", str(folder / "masks")]
    for n_picks, more in ((2, []), (1, masks)):
        done = subprocess.run([*map(str, again), *more], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "0 micrographs to pick" in done.stdout
        assert len((folder / "out/a.csv").read_text().splitlines()) == 1 + n_picks


def test_filaments_also_get_their_starts_and_ends(folder: Path, engine: Engine) -> None:
    engine.candidates = filament((10, 20, 30), 5)
    helical = [folder / "a.mrc", "--out", folder / "out", "--helical_rise", "15"]
    for threshold in ("0.5", "0.6"):  # picked, and taken from the first run
        result = _pick(*helical, "--threshold", threshold)
        assert result.exit_code == 0, result.output
        star = starfile.read(folder / "out/a.star", always_dict=True)[""]
        assert star["rlnHelicalTrackLengthAngst"].tolist() == [0, 50, 100]
        tubes = starfile.read(folder / "out/a_tubes.star", always_dict=True)[""]
        assert tubes.to_numpy().tolist() == [[10, 5], [30, 5]]
        csv = (folder / "out/a.csv").read_text().splitlines()
        assert csv[0] == "x,y,score,psi_deg,tube_id,track_length_A"
        assert csv[2] == "20.00,5.00,0.900000,0.00,1,50.00"
    assert len(engine.picked) == 1
    # Neither a new run nor one that finds all finished leaves those of an earlier one.
    engine.candidates = CANDIDATES
    for stale in (False, True):
        if stale:
            (folder / "out/a_tubes.star").touch()
        assert _pick(folder / "a.mrc", "--out", folder / "out").exit_code == 0
        assert not list((folder / "out").glob("*tubes*"))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--extraction", "magic"], "magic is not known: give one of centre"),
        (["--max_picks", "0"], "0 is not a whole number, 1 or more"),
        (["--helical_rise", "5", "--extraction", "contours"], "leave out --extraction contours"),
        (["--border_distance", "nan"], "nan is not a distance"),
        (["--masks_in", "nowhere"], "nowhere is no folder"),
        (["--device", "abacus"], "--device abacus: PyTorch finds no such device"),
        (["--pick_on", "nowhere*.mrc"], "nowhere*.mrc: no file matches"),
        (["--model", "nothing.safetensors"], "nothing.safetensors: no such model file"),
    ],
)
def test_a_wrong_option_of_extraction_is_told(folder: Path, options: list[str], told: str) -> None:
    result = _pick(folder / "a.mrc", "--out", folder / "out", *options)
    assert result.exit_code != 0
    assert told in result.output
    assert "Traceback" not in result.output


def test_a_stopped_run_goes_on_and_another_diameter_begins_again(folder: Path, picked: list[float]) -> None:
    _pick(folder / "a.mrc", "--out", folder / "out", "--pixel_size", "1.5")
    _pick(f"{folder}/*.mrc", "--out", folder / "out", "--pixel_size", "1.5")
    assert len(picked) == 2
    assert (folder / "out/a.csv").read_text() == (folder / "out/b.csv").read_text()
    _pick(f"{folder}/*.mrc", "--out", folder / "out", "--pixel_size", "1.5", "--particle_diameter", "50")
    assert len(picked) == 4


def test_files_of_the_users_own_beside_the_results_stay(folder: Path) -> None:
    own = [folder / name for name in ("a.png", "a_mask.mrc", "masks/a.mrc")]
    (folder / "masks").mkdir()
    for path in own:
        path.touch()
    assert _pick(folder / "a.mrc", "--out", folder).exit_code == 0
    assert all(path.exists() for path in own)


def test_a_micrograph_of_the_same_name_from_another_folder_is_picked(
    folder: Path, picked: list[float]
) -> None:
    (folder / "other").mkdir()
    mrcfile.write(folder / "other/a.mrc", mrcfile.read(folder / "a.mrc"), voxel_size=1.5)
    for path in ("a.mrc", "other/a.mrc"):
        assert _pick(folder / path, "--out", folder / "out").exit_code == 0
    assert len(picked) == 2


def test_what_was_picked_stays_when_its_file_has_gone(folder: Path) -> None:
    _pick(folder / "a.mrc", "--out", folder / "out")
    kept = {path: path.read_bytes() for path in (folder / "out").glob("a*")}
    (folder / "a.mrc").rename(folder / "elsewhere.mrc")
    result = _pick(folder / "a.mrc", "--out", folder / "out", "--threshold", "0.05")
    assert result.exit_code == 1
    assert "a.mrc does not exist" in result.output
    assert {path: path.read_bytes() for path in (folder / "out").glob("a*")} == kept
    (folder / "elsewhere.mrc").rename(folder / "a.mrc")
    result = _pick(folder / "a.mrc", "--out", folder / "out", "--threshold", "0.05")
    assert result.exit_code == 0, result.output
    assert len((folder / "out/a.csv").read_text().splitlines()) == 3


def test_no_earlier_result_stands_for_a_file_that_is_broken_now(folder: Path) -> None:
    _pick(folder / "a.mrc", "--out", folder / "out", "--pixel_size", "1.5")
    (folder / "a.mrc").write_bytes(b"")
    assert _pick(folder / "a.mrc", "--out", folder / "out", "--pixel_size", "1.6").exit_code == 1
    assert not list((folder / "out").glob("a*"))


@pytest.fixture
def exposures(folder: Path) -> Path:
    """Return a group of exposures in a CryoSPARC project; the imported micrographs are symbolic links."""
    imported = folder / "project/J1/imported"
    imported.mkdir(parents=True)
    for name in ("a.mrc", "b.mrc"):
        (imported / f"12345678901234567_{name}").symlink_to(folder / name)
    columns = {
        "uid": np.array([7, 2**64 - 1], np.uint64),
        "micrograph_blob/path": [f">J1/imported/12345678901234567_{name}.mrc" for name in "ab"],
        "micrograph_blob/shape": np.array([[60, 80]] * 2, np.uint32),
        "micrograph_blob/psize_A": np.array([1.5, 2.0], np.float32),
        "mscope_params/exp_group_id": np.array([3, 4], np.uint32),
    }
    job = folder / "project/J12"
    job.mkdir()
    Dataset(columns).save(job / "J12_passthrough.cs")
    metafiles = {slot: {"metafile": ">J12_passthrough.cs"} for slot in ("micrograph_blob", "mscope_params")}
    (job / "J12_exposures.csg").write_text(yaml.safe_dump({"results": metafiles, "version": "v4.5.3"}))
    return job / "J12_exposures.csg"


def test_the_exposures_of_cryosparc_give_particles_to_import(
    exposures: Path, folder: Path, picked: list[float]
) -> None:
    result = _pick(exposures, "--out", folder / "out", "--threshold", "0.05")
    assert result.exit_code == 0, result.output
    assert picked == [1.5, 2.0]
    group = yaml.safe_load((folder / "out/picked_particles.csg").read_text())
    assert group["version"] == "v4.5.3"
    particles = Dataset.load(folder / "out/picked_particles.cs")
    assert particles["location/micrograph_uid"].tolist() == [7, 7, 2**64 - 1, 2**64 - 1]
    assert particles["location/exp_group_id"].tolist() == [3, 3, 4, 4]
    assert particles["location/min_dist_A"].tolist() == [16] * 4
    np.testing.assert_allclose(particles["location/center_x_frac"], [12.6 / 80, 30 / 80] * 2, rtol=1e-6)
    np.testing.assert_allclose(particles["location/center_y_frac"], [20.4 / 60, 40 / 60] * 2, rtol=1e-6)
    csv = folder / "out/12345678901234567_a.csv"
    assert csv.read_text() == "x,y,score\n12.60,20.40,0.900000\n30.00,40.00,0.100000\n"


def test_an_exposure_that_cannot_be_read_is_left_out_of_the_group(exposures: Path, folder: Path) -> None:
    (folder / "b.mrc").unlink()
    result = _pick(exposures, "--out", folder / "out")
    assert result.exit_code == 0, result.output
    assert "_b.mrc does not exist" in result.output
    particles = Dataset.load(folder / "out/picked_particles.cs")
    assert particles["location/micrograph_uid"].tolist() == [7]


def test_a_micrograph_without_a_pixel_size_is_skipped_with_the_mend(folder: Path) -> None:
    result = _pick(folder / "a.mrc", folder / "b.mrc", "--out", folder / "out")
    assert result.exit_code == 0
    assert f"{folder / 'b.mrc'}: its header has no pixel size: give --pixel_size" in result.output
    assert not (folder / "out/b.csv").exists()


@pytest.mark.parametrize(
    ("micrographs", "told"),
    [
        (["nothing*.mrc"], "no file matches"),
        (["a.mrc", "other/a.tif"], "would share the file"),
        (["c.mrc"], "c.mrc does not exist"),
        (["J12_exposures.csg"], "J12_exposures.csg cannot be read"),
        (["movies.star"], "movies.star lists movies: give the micrographs.star"),
        (["empty"], "empty holds no micrographs"),
    ],
)
def test_unusable_input_is_told_in_a_sentence(folder: Path, micrographs: list[str], told: str) -> None:
    (folder / "movies.star").write_text("data_movies\n\nloop_\n_rlnMicrographMovieName #1\na.tif\n")
    (folder / "empty").mkdir()
    result = _pick(*(folder / name for name in micrographs), "--out", folder / "out")
    assert result.exit_code == 1
    assert told in result.output
    assert "Traceback" not in result.output
