"""Simulated files with every defect at once, through the commands and RELION's own programs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import starfile
from click.testing import CliRunner

from cryoseg_ext.cli import main
from cryoseg_ext.evaluation import score_picks
from cryoseg_ext.image.reading import read_micrograph
from cryoseg_ext.picks import Picks
from relion_wrapper.cli import main as relion_main

SIZE_PX, DIAMETER_PX, BORDER_PX, PIXEL_SIZE_A = 640, 40, 64, 4.0


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a simulated project of one TIFF micrograph with all that can be wrong."""
    folder = tmp_path_factory.mktemp("spoiled")
    arguments = (
        f"simulate --out {folder} --n 1 --size {SIZE_PX} {SIZE_PX} --pixel_size {PIXEL_SIZE_A} --seed 2"
        f" --family ellipsoid --particle_diameter {DIAMETER_PX * PIXEL_SIZE_A:g} --no_contaminants"
        " --particles 80 --gain_error 0.02 --hot_pixels 300"
        f" --dead_border striped {BORDER_PX} --inverted --format tif --file_mode int16"
    )
    CliRunner().invoke(main, arguments.split(), catch_exceptions=False)
    return folder


def test_the_particles_are_found_when_told_of_the_contrast(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    particles = starfile.read("particles.star")["particles"]
    truth_xy_px = particles[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy()
    assert len(truth_xy_px) > 40
    f1 = {}
    for invert in ("Yes", "No"):
        arguments = ["--o", f"External/{invert}", "--in_mics", "micrographs.star", "--invert", invert]
        relion_main([*arguments, "--particle_diameter", f"{DIAMETER_PX * PIXEL_SIZE_A:g}"])
        assert ("give --invert" in capsys.readouterr().err) == (invert == "No")
        picked = starfile.read(f"External/{invert}/Micrographs/mic_0001_autopick.star")
        columns = ("rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit")
        picks = Picks(*(picked[column].to_numpy(np.float64) for column in columns))
        f1[invert] = score_picks([(truth_xy_px, picks)], 0.3 * DIAMETER_PX).f1
    assert f1["Yes"] > 0.85
    assert f1["No"] < 0.3


@pytest.mark.relion
def test_relion_reads_the_tiff_where_the_truth_says(project: Path) -> None:
    # RELION repeats the micrographs' folder inside that of the coordinates.
    (project / "Coordinates" / "Micrographs").symlink_to(".")
    subprocess.run(
        ["relion_preprocess", "--i", "micrographs.star", "--coord_dir", "Coordinates/", "--coord_suffix",
         ".star", "--part_star", "out.star", "--part_dir", "Boxes/", "--extract", "--extract_size", "32"],
        cwd=project, check=True, capture_output=True,
    )  # fmt: skip
    image = read_micrograph(project / "Micrographs" / "mic_0001.tif").image
    boxes = mrcfile.read(next((project / "Boxes").rglob("*.mrcs")))
    listed = starfile.read(project / "out.star", always_dict=True)["particles"]
    inside = 0
    for box, x, y in zip(boxes, listed["rlnCoordinateX"], listed["rlnCoordinateY"], strict=True):
        if min(x, y) >= 16 and max(x, y) <= SIZE_PX - 16:
            inside += 1
            np.testing.assert_array_equal(box, image[int(y) - 16 : int(y) + 16, int(x) - 16 : int(x) + 16])
    assert inside > 40
