"""A small simulated RELION project, and the real programs of 3.1, 4 or 5 run in it as a user would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import starfile
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from relion_wrapper.nodes import RelionVersion
from tests.integration.pipeline import job_star, nodes_of, relion_version, statuses_of

PIXEL_SIZE_A = 4.5
PARTICLE_DIAMETER_A = 180
MICROGRAPHS_STAR = "CtfFind/job003/micrographs_ctf.star"

# Fields that are not square, so that x and y cannot be swapped unnoticed.
FIELD_SHAPES = ((512, 512), (480, 560), (560, 480))


@dataclass(frozen=True)
class RelionProject:
    """A RELION project folder; `truth_px` holds the ``(n, 2)`` centres (x, y) of each micrograph by name."""

    folder: Path
    truth_px: Mapping[str, NDArray[np.float64]]

    def environment(self) -> dict[str, str]:
        """Return the environment of a user whose PATH starts with our commands."""
        return os.environ | {"PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"}

    def run(self, *command: str, timeout_s: float = 100) -> str:
        """Run a program in the project folder and return what it printed; a non-zero exit code fails."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def add_job(self, job_type: str, options: Mapping[str, str | int]) -> str:
        """Schedule a job of a type, as RELION 4 and 5 name it; return its name, as ``External/job004/``."""
        (self.folder / "new_job.star").write_text(job_star(relion_version(), job_type, options))
        before = set(self.statuses())
        self.run("relion_pipeliner", "--addJobFromStar", "new_job.star")
        (name,) = set(self.statuses()) - before
        return name

    def add_external_job(self, **options: str | int) -> str:
        """Schedule an External job that runs ``cryoseg-relion`` on the project's micrographs."""
        defaults: dict[str, str | int] = {
            "fn_exe": "cryoseg-relion",
            "in_mic": MICROGRAPHS_STAR,
            "param1_label": "particle_diameter",
            "param1_value": PARTICLE_DIAMETER_A,
            "nr_threads": 2,
            "do_queue": "No",
        }
        return self.add_job("relion.external", defaults | options)

    def run_job(self, name: str) -> str:
        """Run a scheduled job, or continue one that has run, and return its status by name."""
        self.run("relion_pipeliner", "--RunJobs", name, "--sec_wait_after", "1")
        return self.statuses()[name]

    def extract(self, picking_job: str, micrographs_star: str, box_px: int) -> str:
        """Run RELION's Extract on the picks, with untouched pixels, and return the job's name."""
        options: dict[str, str | int] = {
            "star_mics": micrographs_star,
            "coords_suffix": f"{picking_job}coords_suffix_autopick.star",
            "extract_size": box_px,
            "do_invert": "No",
            "do_norm": "No",
            "do_queue": "No",
            "nr_mpi": 1,
        }
        if relion_version() is not RelionVersion.V3_1:
            # Half precision, their default, rounds the pixels.
            options |= {"coords_suffix": f"{picking_job}autopick.star", "do_float16": "No"}
        name = self.add_job("relion.extract", options)
        assert self.run_job(name) == "Succeeded", (self.folder / name / "run.err").read_text()
        return name

    def select(self, micrographs_star: str, label: str, lowest: int) -> str:
        """Run RELION's Subset selection by a column of a micrographs STAR file and return the job's name."""
        name = self.add_job(
            "relion.select.onvalue",
            {
                "fn_mic": micrographs_star,
                "do_select_values": "Yes",
                "select_label": label,
                "select_minval": lowest,
                "select_maxval": 9999,
                "do_queue": "No",
            },
        )
        assert self.run_job(name) == "Succeeded", (self.folder / name / "run.err").read_text()
        return name

    def statuses(self) -> dict[str, str]:
        """Return the status of each job as RELION recorded it."""
        return statuses_of(self.folder / "default_pipeline.star")

    def nodes(self) -> dict[str, str | int]:
        """Return the type of each node of the pipeline."""
        return nodes_of(self.folder / "default_pipeline.star")

    def picks_px(self, job: str) -> dict[str, NDArray[np.float64]]:
        """Return the ``(n, 2)`` picked (x, y) of each micrograph in the job's ``autopick.star``."""
        table = starfile.read(self.folder / job / "autopick.star", always_dict=True)["coordinate_files"]
        return {
            str(name): starfile.read(self.folder / path, always_dict=True)[""][
                ["rlnCoordinateX", "rlnCoordinateY"]
            ].to_numpy(float)
            for name, path in zip(table["rlnMicrographName"], table["rlnMicrographCoordinates"], strict=True)
        }

    def printed(self, job: str) -> str:
        """Return what the job wrote to its ``run.out`` and ``run.err``."""
        return "".join((self.folder / job / name).read_text() for name in ("run.out", "run.err"))


@pytest.fixture(scope="session")
def project_template(tmp_path_factory: pytest.TempPathFactory) -> RelionProject:
    """Return a pristine project with three micrographs; nobody runs anything in it."""
    folder = tmp_path_factory.mktemp("template")
    rng = np.random.default_rng(20260101)
    truth_px: dict[str, NDArray[np.float64]] = {}
    (folder / "MotionCorr/job002/Movies").mkdir(parents=True)
    for number, shape in enumerate(FIELD_SHAPES, start=1):
        name = f"MotionCorr/job002/Movies/field.{number}.mrc"
        truth_px[name] = _scattered_centres_px(shape, rng)
        mrcfile.write(folder / name, _micrograph(shape, truth_px[name], rng), voxel_size=PIXEL_SIZE_A)
    _write_micrographs_star(folder / MICROGRAPHS_STAR, list(truth_px))
    (folder / "default_pipeline.star").write_text("data_pipeline_general\n\n_rlnPipeLineJobCounter 4\n\n")
    return RelionProject(folder, truth_px)


@pytest.fixture
def project(project_template: RelionProject, tmp_path: Path) -> RelionProject:
    """Return a copy of the template for one test to work in."""
    return _copied(project_template, tmp_path / "project")


@pytest.fixture(scope="session")
def picked_project(
    project_template: RelionProject, tmp_path_factory: pytest.TempPathFactory
) -> tuple[RelionProject, str]:
    """Return a project in which an External job has run, and the job's name; read it, do not change it."""
    project = _copied(project_template, tmp_path_factory.mktemp("picked") / "project")
    job = project.add_external_job()
    assert project.run_job(job) == "Succeeded", project.printed(job)
    return project, job


def _copied(project: RelionProject, folder: Path) -> RelionProject:
    shutil.copytree(project.folder, folder)
    return RelionProject(folder, project.truth_px)


def _scattered_centres_px(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the (x, y) of one particle near the middle of each cell of a grid."""
    cell_px, jitter_px = 80, 12
    y, x = np.mgrid[cell_px : shape[0] - cell_px + 1 : cell_px, cell_px : shape[1] - cell_px + 1 : cell_px]
    centres = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float64)
    return centres + rng.uniform(-jitter_px, jitter_px, centres.shape)


def _micrograph(
    shape: tuple[int, int], centres_px: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return noise with dark solid balls, seen along the beam, at the centres."""
    radius_px = PARTICLE_DIAMETER_A / PIXEL_SIZE_A / 2
    y, x = np.mgrid[: shape[0], : shape[1]]
    thickness = np.zeros(shape)
    for x_px, y_px in centres_px:
        distance = np.hypot(x - x_px, y - y_px) / radius_px
        thickness += np.sqrt(np.clip(1 - distance**2, 0, None))
    noise = rng.normal(0, 1, shape) + gaussian_filter(rng.normal(0, 1, shape), 1.5)
    return np.asarray(100 + noise - 2 * thickness, dtype=np.float32)


def _write_micrographs_star(path: Path, names: list[str]) -> None:
    path.parent.mkdir(parents=True)
    rows = "".join(f"{name} 1 15000.0 14500.0 30.0\n" for name in names)
    path.write_text(
        "\n# version 30001\n\ndata_optics\n\nloop_\n_rlnOpticsGroupName #1\n_rlnOpticsGroup #2\n"
        "_rlnMicrographOriginalPixelSize #3\n_rlnVoltage #4\n_rlnSphericalAberration #5\n"
        "_rlnAmplitudeContrast #6\n_rlnMicrographPixelSize #7\n"
        f"opticsGroup1 1 {PIXEL_SIZE_A / 2} 300.0 2.7 0.1 {PIXEL_SIZE_A}\n\n"
        "\n# version 30001\n\ndata_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnOpticsGroup #2\n"
        f"_rlnDefocusU #3\n_rlnDefocusV #4\n_rlnDefocusAngle #5\n{rows}\n"
    )
