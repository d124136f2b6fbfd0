"""What `cryoseg pick` says about the next step, and that its command does it."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
import starfile
from click.testing import CliRunner

from cryoseg_ext.cli import main
from cryoseg_ext.picks import Picks
from tests.cryoseg_ext.cryosparc.session import exposures, write_project
from tests.engine import DIAMETER_A, PIXEL_SIZE_A, Engine, blobs, write_micrograph


@pytest.fixture
def folder(tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, a RELION project of two micrographs."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate("ab"):
        write_micrograph(tmp_path / f"Micrographs/{name}.mrc", blobs(seed))
    (tmp_path / "micrographs.star").write_text(
        "data_optics\n\nloop_\n_rlnOpticsGroup #1\n_rlnMicrographPixelSize #2\n"
        f"1 {PIXEL_SIZE_A}\n\ndata_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnOpticsGroup #2\n"
        "Micrographs/a.mrc 1\nMicrographs/b.mrc 1\n"
    )
    return tmp_path


def _said(*arguments: str) -> list[str]:
    result = CliRunner().invoke(main, [*arguments])
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def test_a_list_of_relion_leads_to_its_extraction(folder: Path) -> None:
    out = ("--out", "my picks", "--particle_diameter", f"{DIAMETER_A:g}")
    picks, box, convert, extract = _said("pick", "micrographs.star", *out)[-4:]
    assert picks.startswith("Picks per micrograph: median 2, from 2 to 2; circles of 100 Å")
    assert box.startswith("Box size: 30 px at 5 Å/px")
    command = shlex.split(convert.removeprefix("Next in RELION: "))
    assert command[0] == "cryoseg"
    _said(*command[1:])
    assert extract == (
        "Then: Particle extraction with micrograph STAR file: micrographs.star, Input coordinates: "
        "my picks_relion/autopick.star (RELION 3.1: coords_suffix_autopick.star)"
    )
    table = starfile.read("my picks_relion/autopick.star", always_dict=True)["coordinate_files"]
    assert list(table["rlnMicrographName"]) == ["Micrographs/a.mrc", "Micrographs/b.mrc"]
    for path in table["rlnMicrographCoordinates"]:
        assert len(starfile.read(folder / path, always_dict=True)[""]) == 2
    assert (folder / "my picks_relion/coords_suffix_autopick.star").is_file()


def test_loose_files_lead_to_convert(folder: Path) -> None:
    out = ("--out", "picks", "--particle_diameter", f"{DIAMETER_A:g}")
    assert _said("pick", f"{folder}/Micrographs/*.mrc", *out)[-1] == (
        "Next: bring them to RELION or CryoSPARC; `cryoseg convert --help` says how"
    )
    assert _said("pick", f"{folder}/Micrographs/*.mrc", *out, "--threshold", "1")[-1].startswith("Box size: ")


def test_exposures_of_cryosparc_lead_to_its_extraction(tmp_path: Path, engine: Engine) -> None:
    write_project(tmp_path)
    job = tmp_path / "projects/CS-link/J12"
    job.mkdir()
    exposures(3).save(job / "J12_exposures.cs")
    engine.candidates = Picks(np.array([150.0]), np.array([100.0]), np.array([0.9]))
    out = ("--out", str(job / "picks"), "--particle_diameter", "120", "--pixel_size", "2")
    assert _said("pick", str(job / "J12_exposures.cs"), *out)[-1] == (
        f"Next in CryoSPARC: Extract From Micrographs with the exposures and the particles of Import Result "
        f"Group ({job}/picks/picked_particles.csg), Extraction box size (pix): 90, Fourier-crop to box size "
        "(pix): 48; then 2D Classification"
    )
