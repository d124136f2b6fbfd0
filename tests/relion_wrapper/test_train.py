"""``cryoseg-relion-train`` is a RELION job that leaves a model."""

from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np
import pytest
import starfile

from cryoseg_ext.model.checkpoint import load_model
from cryoseg_ext.training.dataset import simulate_field
from relion_wrapper.train import main

PIXEL_SIZE_A = 7.0
STAR = "{0}\ndata_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnOpticsGroup #2\n{1}"
OPTICS = f"data_optics\n\nloop_\n_rlnOpticsGroup #1\n_rlnMicrographPixelSize #2\n1 {PIXEL_SIZE_A}\n"
REQUIRED = ["--o", "External/job009/", "--in_mics", "micrographs.star", "--particle_diameter", "168"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the job's folder in a project of two micrographs with manual picks."""
    monkeypatch.chdir(tmp_path)
    Path("Micrographs").mkdir()
    Path("ManualPick/job003/Micrographs").mkdir(parents=True)
    rows = listed = ""
    for index in range(2):
        field = simulate_field(np.random.default_rng([7, index]), 160, "shell")
        name, picks = (
            f"Micrographs/mic{index}.mrc",
            f"ManualPick/job003/Micrographs/mic{index}_manualpick.star",
        )
        mrcfile.write(name, field.image)
        points = "".join(f"{x:.2f} {y:.2f}\n" for x, y in zip(field.x_px, field.y_px, strict=True))
        Path(picks).write_text(f"data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n{points}\n")
        rows, listed = f"{rows}{name} 1\n", f"{listed}{name} {picks}\n"
    Path("micrographs.star").write_text(STAR.format(OPTICS, rows))
    columns = "_rlnMicrographName #1\n_rlnMicrographCoordinates #2\n"
    Path("ManualPick/job003/manualpick.star").write_text(
        f"data_coordinate_files\n\nloop_\n{columns}{listed}\n"
    )
    return tmp_path / "External/job009"


def _run(*more: str) -> int:
    try:
        main([*REQUIRED, *more])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _exit_files(job: Path) -> list[str]:
    return sorted(path.name.removeprefix("RELION_JOB_") for path in job.glob("RELION_JOB_*"))


def test_a_job_leaves_a_model_and_a_report(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("--in_coords", "ManualPick/job003/manualpick.star", "--steps", "1", "--complete", "Yes") == 0
    assert _exit_files(project) == ["EXIT_SUCCESS"]
    model = load_model(project / "model.safetensors")
    assert model.training["complete"] is True
    nodes = starfile.read(project / "RELION_OUTPUT_NODES.star", always_dict=True)["output_nodes"]
    assert [Path(node).name for node in nodes["rlnPipeLineNodeName"]] == ["logfile.pdf"]
    assert (project / "logfile.pdf").read_bytes().startswith(b"%PDF")
    printed = capsys.readouterr()
    assert "External/job009/model.safetensors to a cryoseg-relion job" in printed.out
    assert printed.err == ""


def test_abort_and_bad_input_leave_their_exit_files(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run() == 1
    assert "--in_coords is missing: choose the picks" in capsys.readouterr().err
    assert _exit_files(project) == ["EXIT_FAILURE"]
    (project / "RELION_JOB_ABORT_NOW").touch()
    assert _run("--in_coords", "ManualPick/job003/manualpick.star", "--steps", "2") == 2
    assert _exit_files(project) == ["EXIT_ABORTED"]
