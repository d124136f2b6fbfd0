"""A small RELION project and an engine that finds dark blobs, in place of the network."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import mrcfile
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, minimum_filter

from cryoseg_ext.image.areas import AreaShares
from cryoseg_ext.picks import Picks
from relion_wrapper.cli import main

if TYPE_CHECKING:
    from numpy.typing import NDArray

PIXEL_SIZE_A = 5.0
DIAMETER_A = 100.0
MODEL_THRESHOLD = 0.5
AREAS = AreaShares(contaminated=0.2, film=0.15, dead=0.08)
CENTRES_PX = ((40, 30), (100, 60), (150, 90))

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
    picked: list[str] = field(default_factory=list)
    """The micrographs that the engine was asked to segment."""

    @property
    def job(self) -> Path:
        return self.folder / "External/job002"

    def run(self, *more: str) -> int:
        """Run the job and return its exit code."""
        self.picked.clear()
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

    def write_micrograph(self, name: str, image: NDArray[Any]) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Data array contains NaN")
            mrcfile.write(path, image, voxel_size=PIXEL_SIZE_A, overwrite=True)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a project of three micrographs in which the job has not run; blobs stand for particles."""
    monkeypatch.chdir(tmp_path)
    project = Project(tmp_path, [f"MotionCorr/job001/Movies/mic.{i}.mrc" for i in range(3)])
    for seed, name in enumerate(project.names):
        project.write_micrograph(name, blobs(seed))
    project.write_star(project.names)
    model_file = tmp_path / "model.safetensors"
    model_file.write_bytes(b"weights")
    monkeypatch.setattr("relion_wrapper.run.DEFAULT_MODEL", model_file)
    monkeypatch.setattr("cryoseg_ext.model.checkpoint.load_model", _load_model)
    monkeypatch.setattr("cryoseg_ext.pipeline.pick_repaired", _segmenting(project))
    monkeypatch.setattr("cryoseg_ext.job.contrast.contrast_hint", lambda *_: None)
    return project


def blobs(seed: int) -> NDArray[np.float32]:
    """Return a micrograph of 200 x 120 px with three dark blobs of falling depth in weak noise."""
    image = np.zeros((120, 200))
    for weight, (x, y) in zip((3.0, 2.0, 1.0), CENTRES_PX, strict=True):
        image[y, x] -= weight
    noise = np.random.default_rng(seed).normal(0, 0.03, image.shape)
    return np.asarray(100 * gaussian_filter(image, 5) + noise, dtype=np.float32)


def _load_model(path: Path, device: str, architecture: str | None = None) -> SimpleNamespace:
    return SimpleNamespace(threshold=MODEL_THRESHOLD)


def _segmenting(project: Project) -> Any:
    def pick_repaired(repaired: Any, pixel_size_A: float, model: Any, options: Any) -> SimpleNamespace:
        project.picked.append(str(len(project.picked)))
        depth = -gaussian_filter(repaired.image.astype(np.float64), 3)
        y, x = np.nonzero((minimum_filter(-depth, 21) == -depth) & (depth > 0.2))
        order = np.argsort(-depth[y, x])
        score = depth[y, x] / 1.6
        x_px, y_px = x[order].astype(np.float64), y[order].astype(np.float64)
        candidates = Picks(x_px + 0.3, y_px - 0.3, score[order])
        working = SimpleNamespace(image=repaired.image, source_shape=repaired.image.shape)
        return SimpleNamespace(
            candidates=candidates, working=working, mask=depth > 0.3, contaminated=depth > 1, areas=AREAS
        )

    return pick_repaired
