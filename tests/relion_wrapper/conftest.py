"""A small RELION project, and the engine of the tests in place of the network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from relion_wrapper.cli import main
from tests.engine import DIAMETER_A, PIXEL_SIZE_A, Engine, blobs, write_micrograph

if TYPE_CHECKING:
    from cryoseg_ext.image.repair import RepairedMicrograph

OPTICS = (
    "# version 30001\n\ndata_optics\n\nloop_\n_rlnOpticsGroupName #1\n_rlnOpticsGroup #2\n"
    "_rlnMicrographPixelSize #3\n_rlnMicrographOriginalPixelSize #4\n_rlnVoltage #5\n"
    "_rlnSphericalAberration #6\n_rlnAmplitudeContrast #7\n"
    f"opticsGroup1 1 {PIXEL_SIZE_A} 1.25 300.0 2.7 0.1\n\n"
)


@dataclass
class Project:
    """A RELION project folder, the current one during the test."""

    folder: Path
    names: list[str]
    engine: Engine

    @property
    def job(self) -> Path:
        return self.folder / "External/job002"

    @property
    def picked(self) -> list[RepairedMicrograph]:
        """What the engine was asked to pick in the last run."""
        return self.engine.picked

    def run(self, *more: str) -> int:
        """Run the job and return its exit code."""
        self.engine.clear()
        arguments = ["--o", "External/job002/", "--in_mics", "micrographs.star"]
        try:
            main([*arguments, "--particle_diameter", f"{DIAMETER_A:g}", *more])
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    def exit_files(self) -> list[str]:
        return sorted(path.name.removeprefix("RELION_JOB_") for path in self.job.glob("RELION_JOB_*"))

    def write_star(self, names: list[str]) -> None:
        rows = "".join(f"{name} 1 15000.5 14000.25 30.0 {name}:ctf\n" for name in names)
        (self.folder / "micrographs.star").write_text(
            f"{OPTICS}\ndata_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnOpticsGroup #2\n"
            f"_rlnDefocusU #3\n_rlnDefocusV #4\n_rlnDefocusAngle #5\n_rlnCtfImage #6\n{rows}\n"
        )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: Engine) -> Project:
    """Return a project of three micrographs in which the job has not run; blobs stand for particles."""
    monkeypatch.chdir(tmp_path)
    project = Project(tmp_path, [f"MotionCorr/job001/Movies/mic.{i}.mrc" for i in range(3)], engine)
    for seed, name in enumerate(project.names):
        write_micrograph(tmp_path / name, blobs(seed))
    project.write_star(project.names)
    return project
