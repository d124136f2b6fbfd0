"""An engine that finds dark blobs, in place of the network, for the tests of jobs and their hosts."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mrcfile
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, minimum_filter
from scipy.special import logit

from cryoseg_ext.extract.score import Calibration
from cryoseg_ext.image.areas import AreaShares
from cryoseg_ext.image.scale import WorkingMicrograph
from cryoseg_ext.picks import Picks
from cryoseg_ext.pipeline import PickedMicrograph

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cryoseg_ext.image.repair import RepairedMicrograph
    from cryoseg_ext.model.checkpoint import Model
    from cryoseg_ext.model.file import ModelFile
    from cryoseg_ext.options.picking import PickingOptions

SHAPE = (120, 200)
PIXEL_SIZE_A = 5.0
DIAMETER_A = 100.0
MODEL_THRESHOLD = 0.5
CENTRES_PX = ((40, 30), (100, 60), (150, 90))
"""(x, y) of the blobs; the scores of the first two are above the threshold."""
AREAS = AreaShares(contaminated=0.2, film=0.15, dead=0.08)
"""Of every micrograph of `SHAPE`."""


@dataclass
class Engine:
    """What is asked of the engine, and what it finds."""

    model: Path
    """The default model file."""
    candidates: Picks | None = None
    """Found on every micrograph in place of its blobs."""
    picked: list[RepairedMicrograph] = field(default_factory=list)
    """The micrographs that it was asked to pick, in order."""
    pixel_sizes_A: list[float] = field(default_factory=list)
    options: list[PickingOptions] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)
    """Where the model was loaded, each time."""

    def clear(self) -> None:
        """Forget what was asked."""
        for asked in (self.picked, self.pixel_sizes_A, self.options, self.devices):
            asked.clear()

    def load(self, file: ModelFile, device: str = "cpu", precision: str = "auto") -> Model:  # noqa: ARG002
        """Stand in for `ModelFile.load`."""
        from torch import nn

        from cryoseg_ext.model.checkpoint import Model

        assert file.content
        self.devices.append(device)
        return Model(
            nn.Identity(), {}, Calibration(0.0, (0.1, 0.1, 0.1, 0.0)), MODEL_THRESHOLD, device=device
        )

    def pick_repaired(
        self, repaired: RepairedMicrograph, pixel_size_A: float, model: Model, options: PickingOptions
    ) -> PickedMicrograph:
        """Stand in for the function of `cryoseg_ext.pipeline`."""
        assert model.threshold == MODEL_THRESHOLD
        self.picked.append(repaired)
        self.pixel_sizes_A.append(pixel_size_A)
        self.options.append(options)
        depth = -gaussian_filter(repaired.image.astype(np.float64), 3)
        contaminated, dead = (np.zeros(depth.shape, np.bool_) for _ in range(2))
        ny, nx = depth.shape
        contaminated[: ny // 2, : 3 * nx // 10] = contaminated[-ny // 10 :, : nx // 2] = True
        dead[ny // 2 : ny // 2 + ny // 10, : 4 * nx // 5] = True
        working = WorkingMicrograph(
            repaired.image, ~dead, depth.shape, options.particle_diameter_A / pixel_size_A
        )
        probability = np.where(depth > 0.3, 0.9, 0.1).astype(np.float32)
        candidates = _found(depth) if self.candidates is None else replace(self.candidates)
        nowhere = np.zeros_like(dead)
        return PickedMicrograph(candidates, working, probability, logit(probability), contaminated, nowhere)


def replace_network(model: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Put an engine in the place of the network during a test; `model` is the default model file."""
    engine = Engine(model)
    model.write_bytes(b"weights")
    for room in ("run", "unchanged"):
        monkeypatch.setattr(f"cryoseg_ext.job.{room}.DEFAULT_MODEL", engine.model)
    monkeypatch.setattr(
        "cryoseg_ext.model.file.ModelFile.load",
        lambda file, device="cpu", precision="auto": engine.load(file, device, precision),
    )
    # Looked up when it is asked, because tests replace it.
    threshold = property(lambda _: MODEL_THRESHOLD)
    monkeypatch.setattr("cryoseg_ext.model.file.ModelFile.threshold", threshold)
    monkeypatch.setattr("cryoseg_ext.pipeline.pick_repaired", engine.pick_repaired)
    monkeypatch.setattr("cryoseg_ext.job.contrast.contrast_hint", lambda *_: None)
    # Blobs of so high contrast would be crystals.
    monkeypatch.setattr("cryoseg_ext.image.mottle.is_mottled", lambda image, *_: np.zeros(image.shape, bool))
    # Half a second each, and tested elsewhere.
    monkeypatch.setattr("cryoseg_ext.job.reports.write_report", lambda path, _: path.write_bytes(b"%PDF"))
    return engine


def blobs(seed: int) -> NDArray[np.float32]:
    """Return a micrograph with three dark blobs of falling depth in weak noise."""
    image = np.zeros(SHAPE)
    for weight, (x, y) in zip((3.0, 2.0, 1.0), CENTRES_PX, strict=True):
        image[y, x] -= weight
    noise = np.random.default_rng(seed).normal(0, 0.03, image.shape)
    return np.asarray(100 * gaussian_filter(image, 5) + noise, dtype=np.float32)


def filament(x_px: tuple[float, ...], y_px: float) -> Picks:
    """Return the segments of one filament along x, 5 Å/px."""
    x, n = np.array(x_px), len(x_px)
    return Picks(
        x,
        np.full(n, y_px),
        np.full(n, 0.9),
        psi_deg=np.zeros(n),
        tube_id=np.ones(n),
        track_length_A=PIXEL_SIZE_A * (x - x[0]),
    )


def write_micrograph(path: Path, image: NDArray[Any], pixel_size_A: float = PIXEL_SIZE_A) -> Path:
    """Write a micrograph as MRC into a folder that is made, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Data array contains NaN")
        mrcfile.write(path, image, voxel_size=pixel_size_A, overwrite=True)
    return path


def _found(depth: NDArray[np.float64]) -> Picks:
    y, x = np.nonzero((minimum_filter(-depth, 21) == -depth) & (depth > 0.2))
    order = np.argsort(-depth[y, x])
    y_px, x_px = y[order].astype(np.float64), x[order].astype(np.float64)
    # Not whole pixels, so that it shows who rounds.
    return Picks(x_px + 0.3, y_px - 0.3, np.minimum(depth[y, x][order] / 1.6, 1))
