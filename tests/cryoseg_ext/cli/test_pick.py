from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mrcfile
import numpy as np
import pytest
import starfile
import yaml
from click.testing import CliRunner, Result
from cryosparc.dataset import Dataset

from cryoseg_ext.cli import main
from cryoseg_ext.image.areas import AreaShares
from cryoseg_ext.picks import Picks

CANDIDATES = Picks(np.array([12.6, 30.0]), np.array([20.4, 40.0]), np.array([0.9, 0.1]))


@pytest.fixture(autouse=True)
def picked(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Put an engine in place that always finds the same candidates; return the pixel sizes it was told."""
    sizes_A: list[float] = []

    def pick_repaired(repaired: Any, pixel_size_A: float, model: Any, options: Any) -> Any:
        sizes_A.append(pixel_size_A)
        shape = repaired.image.shape
        working = SimpleNamespace(image=repaired.image, source_shape=shape)
        nothing = np.zeros(shape, bool)
        return SimpleNamespace(
            candidates=CANDIDATES,
            working=working,
            mask=nothing,
            contaminated=nothing,
            areas=AreaShares(0.0, 0.0, 0.0),
        )

    monkeypatch.setattr("cryoseg_ext.pipeline.pick_repaired", pick_repaired)
    monkeypatch.setattr("cryoseg_ext.folder.contrast_hint", lambda *_: None)
    monkeypatch.setattr("cryoseg_ext.folder.load_model", lambda _, **__: SimpleNamespace(threshold=0.5))
    return sizes_A


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


def test_another_threshold_keeps_more_without_picking_again(folder: Path, picked: list[float]) -> None:
    _pick(folder / "a.mrc", "--out", folder / "out")
    assert len((folder / "out/a.csv").read_text().splitlines()) == 2
    result = _pick(folder / "a.mrc", "--out", folder / "out", "--threshold", "0.05")
    assert "1 of 1 micrographs were picked by an earlier run" in result.output
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


def test_filaments_also_get_their_starts_and_ends(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segments = Picks(
        np.array([10.0, 20.0, 30.0]),
        np.full(3, 5.0),
        np.full(3, 0.9),
        diameter_A=np.full(3, 41.25),
        psi_deg=np.zeros(3),
        tube_id=np.ones(3),
        track_length_A=np.array([0.0, 15.0, 30.0]),
    )
    monkeypatch.setattr(f"{__name__}.CANDIDATES", segments)
    for threshold in ("0.5", "0.6"):  # picked, and taken from the first run
        result = _pick(
            folder / "a.mrc", "--out", folder / "out", "--helical_rise", "15", "--threshold", threshold
        )
        assert result.exit_code == 0, result.output
        star = starfile.read(folder / "out/a.star", always_dict=True)[""]
        assert star["rlnHelicalTrackLengthAngst"].tolist() == [0, 15, 30]
        tubes = starfile.read(folder / "out/a_tubes.star", always_dict=True)[""]
        assert tubes.to_numpy().tolist() == [[10, 5], [30, 5]]
        csv = (folder / "out/a.csv").read_text().splitlines()
        assert csv[0] == "x,y,score,diameter_A,psi_deg,tube_id,track_length_A"
        assert csv[2] == "20.00,5.00,0.900000,41.2,0.00,1,15.00"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--extraction", "magic"], "'magic' is not one of"),
        (["--max_picks", "0"], "0 is not in the range"),
        (["--helical_rise", "5", "--extraction", "contours"], "leave out --extraction contours"),
        (["--border_distance", "nan"], "border_A is nan"),
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
    (folder / "a.mrc").unlink()
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
        (["a.mrc", "other/a.tif"], "share the output"),
        (["c.mrc"], "c.mrc"),
        (["J12_exposures.csg"], "J12_exposures.csg cannot be read"),
        (["J12_exposures.csg", "a.mrc"], "J12_exposures.csg: give a .csg or .cs file alone"),
    ],
)
def test_unusable_input_is_told_in_a_sentence(folder: Path, micrographs: list[str], told: str) -> None:
    result = _pick(*(folder / name for name in micrographs), "--out", folder / "out")
    assert result.exit_code == 1
    assert told in result.output
    assert "Traceback" not in result.output
