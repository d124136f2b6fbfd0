"""RELION's own Extract takes segments along filaments, and filaments as start-end coordinates."""

from __future__ import annotations

import subprocess
from pathlib import Path

import mrcfile
import numpy as np
import pandas as pd
import pytest
import starfile

from cryoseg_ext.extract.extraction import extract
from cryoseg_ext.formats.coordinates import write_coordinates_star, write_tubes_star
from cryoseg_ext.formats.tubes import tube_ends
from cryoseg_ext.options.extraction import ExtractionOptions
from cryoseg_ext.picks import Picks
from tests.cryoseg_ext.extract.drawn import CALIBRATION, DIAMETER_A, PIXEL_A, STEP, tubes, working

pytestmark = pytest.mark.relion

PIXEL_SIZE_A, STEP_A = PIXEL_A / STEP, 60.0
MICROGRAPH = "Micrographs/a.mrc"
OPTICS = {
    "rlnOpticsGroupName": "opticsGroup1",
    "rlnOpticsGroup": 1,
    "rlnMicrographOriginalPixelSize": PIXEL_SIZE_A,
    "rlnMicrographPixelSize": PIXEL_SIZE_A,
    "rlnVoltage": 300.0,
    "rlnSphericalAberration": 2.7,
    "rlnAmplitudeContrast": 0.1,
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shape = (400, 640)
    picks = extract(
        tubes([[(80.0, 60.0), (500.0, 140.0)], [(560.0, 340.0), (150.0, 260.0)]], shape),
        working(shape),
        DIAMETER_A,
        CALIBRATION,
        ExtractionOptions(helical_rise_A=STEP_A / 2, helical_nr_asu=2),
    )
    (tmp_path / "Micrographs").mkdir()
    image = np.random.default_rng(0).normal(size=(STEP * shape[0], STEP * shape[1])).astype(np.float32)
    mrcfile.write(tmp_path / MICROGRAPH, image, voxel_size=PIXEL_SIZE_A)
    micrographs = pd.DataFrame({"rlnMicrographName": [MICROGRAPH], "rlnOpticsGroup": [1]})
    tables = {"optics": pd.DataFrame([OPTICS]), "micrographs": micrographs}
    starfile.write(tables, tmp_path / "micrographs.star")
    write_coordinates_star(tmp_path / "picks/Micrographs/a_autopick.star", picks)
    write_tubes_star(tmp_path / "picks/Micrographs/a_tubes.star", picks)
    np.savez(tmp_path / "picks.npz", allow_pickle=False, **picks.columns())
    return tmp_path


def _extract(project: Path, suffix: str, *options: str) -> pd.DataFrame:
    """Return the particles that RELION's Extract makes of the picks."""
    command = ["relion_preprocess", "--i", "micrographs.star", "--coord_dir", "picks/"]
    command += ["--coord_suffix", suffix, "--part_star", "out/particles.star", "--part_dir", "out/"]
    command += ["--extract", "--extract_size", "64", "--helix", "--helical_outer_diameter", str(DIAMETER_A)]
    (project / "out").mkdir()
    done = subprocess.run([*command, *options], cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return starfile.read(project / "out/particles.star", always_dict=True)["particles"]


def test_extract_takes_segments_with_their_priors(project: Path) -> None:
    picks = Picks(**np.load(project / "picks.npz"))
    columns = picks.columns()
    # As Extract's GUI does by default; without it RELION sets the flip ratio to 0 again.
    particles = _extract(project, "_autopick.star", "--helical_bimodal_angular_priors")
    assert len(particles) == len(picks) > 60
    np.testing.assert_array_equal(particles["rlnCoordinateX"], np.rint(picks.x_px))
    np.testing.assert_array_equal(particles["rlnCoordinateY"], np.rint(picks.y_px))
    np.testing.assert_array_equal(particles["rlnHelicalTubeID"], columns["tube_id"])
    np.testing.assert_allclose(particles["rlnAnglePsiPrior"], columns["psi_deg"], atol=1e-4)
    np.testing.assert_allclose(particles["rlnHelicalTrackLengthAngst"], columns["track_length_A"], atol=1e-3)
    assert set(particles["rlnAngleTiltPrior"]) == {90}
    assert set(particles["rlnAnglePsiFlipRatio"]) == {0.5}


def test_extract_cuts_the_filaments_between_starts_and_ends_as_we_do(project: Path) -> None:
    """RELION lays the segments out itself, and its priors are the judge of our angles."""
    picks = Picks(**np.load(project / "picks.npz"))
    options = ["--helical_tubes", "--helical_cut_into_segments", "--helical_bimodal_angular_priors"]
    options += ["--helical_nr_asu", "2", "--helical_rise", str(STEP_A / 2)]
    particles = _extract(project, "_tubes.star", *options)
    n_tubes = len(tube_ends(picks)) // 2
    assert n_tubes == 2
    # RELION starts a hundredth of a step behind the start, so its last segment is the one before our last.
    assert len(particles) == len(picks) - n_tubes
    for tube in (1, 2):
        ours = picks.at(picks.columns()["tube_id"] == tube)
        theirs = particles[particles["rlnHelicalTubeID"] == tube]
        np.testing.assert_allclose(theirs["rlnCoordinateX"], ours.x_px[:-1], atol=2)
        np.testing.assert_allclose(theirs["rlnCoordinateY"], ours.y_px[:-1], atol=2)
        np.testing.assert_allclose(theirs["rlnAnglePsiPrior"], ours.columns()["psi_deg"][:-1], atol=2)
        np.testing.assert_allclose(
            theirs["rlnHelicalTrackLengthAngst"], ours.columns()["track_length_A"][:-1], atol=1
        )
    assert set(particles["rlnAnglePsiFlipRatio"]) == {0.5}
