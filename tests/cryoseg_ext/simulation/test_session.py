"""A simulated session on disk: complete, readable, reproducible, and continued after any interruption."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import starfile
from click.testing import CliRunner

from cryoseg_ext.cli import main
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.masks import read_labels_star
from cryoseg_ext.formats.micrographs import read_micrographs
from cryoseg_ext.formats.poses import from_relion_angles
from cryoseg_ext.image.reading import read_micrograph
from cryoseg_ext.simulation.defects import Defects
from cryoseg_ext.simulation.session import SessionOptions, load_specimens, simulate_session_micrograph
from cryoseg_ext.simulation.session_files import as_stored, write_session

SMALL = SessionOptions(
    shape=(192, 224), pixel_size_A=6.0, family="ellipsoid", diameter_A=150.0,
    defects=Defects(gain_error=0.01, hot_pixels=20, dead_border_px=10), seed=3,
)  # fmt: skip

SMALL_ARGUMENTS = [
    *("--size", "224", "192", "--pixel_size", "6", "--seed", "3"),
    *("--family", "ellipsoid", "--particle_diameter", "150"),
    *("--gain_error", "0.01", "--hot_pixels", "20", "--dead_border", "striped", "10"),
]


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("session")
    write_session(folder, SMALL, 3)
    return folder


def test_relions_lists_and_files_hold_the_simulated_truth(session: Path) -> None:
    micrographs = starfile.read(session / "micrographs.star")
    particles = starfile.read(session / "particles.star")
    assert list(micrographs["micrographs"]["rlnMicrographName"]) == [
        f"Micrographs/mic_{number:04d}.mrc" for number in (1, 2, 3)
    ]
    assert micrographs["optics"]["rlnMicrographPixelSize"].item() == 6.0
    for index, (name, listed) in enumerate(particles["particles"].groupby("rlnMicrographName", sort=False)):
        truth = simulate_session_micrograph(SMALL, load_specimens(SMALL), index)
        stored = read_micrograph(session / name)
        np.testing.assert_array_equal(stored.image, truth.image)
        assert stored.pixel_size_A == pytest.approx(6.0)
        stem = session / "Truth" / Path(name).stem
        for kind, expected in (
            ("clean", truth.clean), ("labels", truth.labels), ("instances", truth.instances)
        ):  # fmt: skip
            np.testing.assert_array_equal(mrcfile.read(f"{stem}_{kind}.mrc"), expected)
        np.testing.assert_allclose(
            listed[["rlnCoordinateX", "rlnCoordinateY"]],
            np.stack([truth.x_px, truth.y_px], axis=1),
            atol=1e-5,
        )
        angles = listed[["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]].to_numpy()
        apart = from_relion_angles(angles) * truth.orientations.inv()
        assert apart.magnitude().max() < 1e-5
        mean_um, half_um = truth.conditions.defocus_um, truth.conditions.astigmatism_um
        np.testing.assert_allclose(listed["rlnDefocusU"], 1e4 * (mean_um + half_um), rtol=1e-6)
        np.testing.assert_allclose(listed["rlnDefocusV"], 1e4 * (mean_um - half_um), rtol=1e-6)
        assert (listed[["rlnOriginXAngst", "rlnOriginYAngst"]] == 0).all(axis=None)


def test_the_list_of_labels_is_one_to_train_on(session: Path) -> None:
    masks = read_labels_star(session / "labels.star")
    assert len(masks) == 3
    assert list(masks) == list(read_micrographs([session / "micrographs.star"]).by_name)
    for name, files in masks.items():
        assert files.labels == session / "Truth" / f"{Path(name).stem}_labels.mrc"
        assert files.labels.exists()
        assert files.instances.exists()


def test_the_map_in_the_truth_has_the_particles_scale_and_centre(session: Path) -> None:
    with mrcfile.open(session / "Truth" / "structure_1.mrc") as mrc:
        density, voxel_A = mrc.data, float(mrc.voxel_size.x)
    assert voxel_A == pytest.approx(6.0)
    axes = np.arange(len(density)) - len(density) // 2
    for axis in range(3):
        profile = density.sum(axis=tuple({0, 1, 2} - {axis}))
        assert abs((axes * profile).sum() / profile.sum()) < 0.1
    widest_A = voxel_A * max(np.ptp(np.argwhere(density > 0.1 * density.max()), axis=0))
    assert widest_A == pytest.approx(150.0, rel=0.25)


def test_the_files_are_the_same_whatever_the_number_of_workers(session: Path, tmp_path: Path) -> None:
    write_session(tmp_path, SMALL, 3, workers=2)
    assert _contents(tmp_path) == _contents(session)


def test_a_killed_simulation_goes_on_to_the_same_files(session: Path, tmp_path: Path) -> None:
    arguments = ["--out", str(tmp_path), "--n", "3", *SMALL_ARGUMENTS]
    process = subprocess.Popen(
        [sys.executable, "-c", "from cryoseg_ext.cli import main; main()", "simulate", *arguments],
        stderr=subprocess.DEVNULL,
    )
    first = tmp_path / "Truth" / "mic_0001.json"
    deadline = time.monotonic() + 150
    while not first.exists() and time.monotonic() < deadline:
        time.sleep(0.001)
    process.kill()
    process.wait()
    kept = first.stat().st_mtime_ns
    # What a write cut short leaves behind.
    (tmp_path / "Micrographs" / ".tmp-mic_0003.mrc").write_bytes(b"half a file")
    (tmp_path / "Truth" / "mic_0003.json").unlink(missing_ok=True)
    result = CliRunner().invoke(main, ["simulate", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    assert first.stat().st_mtime_ns == kept
    assert _contents(tmp_path) == _contents(session)


def test_more_micrographs_are_added_but_not_of_other_settings(session: Path, tmp_path: Path) -> None:
    write_session(tmp_path, SMALL, 1)
    write_session(tmp_path, SMALL, 3)
    assert _contents(tmp_path) == _contents(session)
    result = CliRunner().invoke(main, ["simulate", "--out", str(tmp_path), *SMALL_ARGUMENTS, "--snr", "2"])
    assert result.exit_code == 1
    assert f"{tmp_path} holds a simulation with other settings (snr)" in result.output


def test_options_override_the_preset(tmp_path: Path) -> None:
    arguments = (
        f"simulate --out {tmp_path} --n 4 --size 256 256 --pixel_size 8 --preset varied --snr 0.9"
        " --defocus 1.1 1.2 --particles 12 --no_contaminants --file_mode int16"
    )
    assert CliRunner().invoke(main, arguments.split(), catch_exceptions=False).exit_code == 0
    records = [json.loads(path.read_text()) for path in sorted((tmp_path / "Truth").glob("*.json"))]
    conditions = [record["conditions"] for record in records]
    assert [len(record["x_px"]) for record in records] == [12] * 4
    assert {c["snr"] for c in conditions} == {0.9}
    assert all(1.1 <= c["defocus_um"] <= 1.2 for c in conditions)
    assert len({c["defocus_um"] for c in conditions}) == 4
    assert not any(c["contaminated"] for c in conditions)
    with mrcfile.open(tmp_path / "Micrographs" / "mic_0001.mrc") as mrc:
        assert mrc.header.mode == 1


@pytest.mark.parametrize("file_mode", ["float16", "int16", "int8"])
def test_every_file_mode_keeps_the_picture(file_mode: str) -> None:
    image = np.random.default_rng(0).normal(5, 20, size=(64, 64)).astype(np.float32)
    stored = as_stored(image, file_mode)
    assert stored.dtype == file_mode
    assert np.corrcoef(stored.ravel().astype(float), image.ravel())[0, 1] > 0.999


def test_the_paper_decides_its_own_settings(tmp_path: Path) -> None:
    arguments = f"simulate --out {tmp_path} --preset paper --snr 1 --size 512 512"
    result = CliRunner().invoke(main, arguments.split())
    assert result.exit_code == 1
    assert "the paper's protocol decides --size and --snr: leave that out" in result.output
    assert not any(tmp_path.iterdir())


def test_too_many_particles_are_refused_in_one_sentence(tmp_path: Path) -> None:
    options = SessionOptions(shape=(128, 128), pixel_size_A=6.0, n_particles=500)
    with pytest.raises(CryosegError, match="500 particles do not fit into 128 x 128 px"):
        write_session(tmp_path, options, 1)
