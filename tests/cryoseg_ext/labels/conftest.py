"""A small asymmetric particle as beads and as a density map, and micrographs full of it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import pdist
from scipy.spatial.transform import Rotation

from cryoseg_ext.files import write_mrc
from cryoseg_ext.simulation.specimens import Specimen


@dataclass(frozen=True)
class Particle:
    """A particle as beads and as a ``(z, y, x)`` map."""

    specimen: Specimen
    density: NDArray[np.float32]
    pixel_size_A: float = 2.6
    diameter_A: float = 120.0


@dataclass(frozen=True)
class Field:
    """One micrograph of the project folder, and the truth about its particles."""

    name: str
    shape: tuple[int, int]
    pixel_size_A: float
    centres_px: NDArray[np.float64]
    orientations: Rotation


@pytest.fixture(scope="session")
def particle() -> Particle:
    rng = np.random.default_rng(3)
    # Three unlike arms: no rotation and no mirror image looks the same.
    arms = [
        rng.normal(size=(n, 3)) * width + place
        for n, width, place in (
            (300, 0.08, (0.0, 0.0, 0.0)),
            (200, 0.05, (0.3, 0.05, 0.0)),
            (150, 0.04, (0.0, 0.25, 0.1)),
            (100, 0.03, (-0.1, 0.0, -0.3)),
        )
    ]
    beads = np.concatenate(arms)
    beads -= beads.mean(axis=0)
    specimen = Specimen(beads * 0.9 / pdist(beads).max(), np.ones(len(beads)), 0.05, "three arms")
    return Particle(specimen, rasterise(specimen, Particle.diameter_A / Particle.pixel_size_A, 80))


def rasterise(specimen: Specimen, diameter_px: float, box_px: int) -> NDArray[np.float32]:
    """Return the ``(z, y, x)`` density of a specimen, its origin at the voxel ``box_px // 2``."""
    zyx = specimen.positions[:, ::-1] * diameter_px + box_px // 2
    corner = np.floor(zyx).astype(int)
    density = np.zeros((box_px, box_px, box_px))
    for offset in product((0, 1), repeat=3):
        share = np.abs(1 - np.array(offset) - (zyx - corner)).prod(axis=1)
        np.add.at(density, tuple((corner + offset).T), specimen.weights * share)
    return gaussian_filter(density, specimen.bead_sigma * diameter_px).astype(np.float32)


@pytest.fixture
def project(tmp_path: Path, particle: Particle, monkeypatch: pytest.MonkeyPatch) -> list[Field]:
    """A RELION project folder, entered: map.mrc, two micrographs of unlike pixel size, particles.star."""
    rng = np.random.default_rng(7)
    fields = []
    for name, shape, pixel_size_A in (("mics/a.mrc", (300, 420), 2.0), ("mics/b.mrc", (360, 280), 3.1)):
        centres_px = rng.uniform(0, shape[::-1], size=(24, 2))
        fields.append(Field(name, shape, pixel_size_A, centres_px, Rotation.random(24, rng=rng)))
    monkeypatch.chdir(tmp_path)
    write_mrc(Path("map.mrc"), particle.density, particle.pixel_size_A)
    for field in fields:
        write_mrc(Path(field.name), np.zeros(field.shape, np.float32), field.pixel_size_A)
    write_particles_star(Path("Refine3D/job001/run_data.star"), fields)
    return fields


def write_particles_star(path: Path, fields: list[Field]) -> None:
    """Write particles as RELION 3.1 does after a refinement, with shifts of up to 10 Å."""
    import pandas as pd
    import starfile

    from cryoseg_ext.formats.poses import to_relion_angles

    rng = np.random.default_rng(11)
    parts = []
    for group, field in enumerate(fields, start=1):
        shift_A = rng.uniform(-10, 10, size=field.centres_px.shape)
        columns = np.concatenate(
            [field.centres_px + shift_A / field.pixel_size_A, shift_A, to_relion_angles(field.orientations)],
            axis=1,
        )
        names = [
            "CoordinateX",
            "CoordinateY",
            "OriginXAngst",
            "OriginYAngst",
            "AngleRot",
            "AngleTilt",
            "AnglePsi",
        ]
        part = pd.DataFrame(columns, columns=[f"rln{name}" for name in names])
        parts.append(part.assign(rlnMicrographName=field.name, rlnOpticsGroup=group))
    sizes_A = [field.pixel_size_A for field in fields]
    optics = pd.DataFrame({"rlnOpticsGroup": range(1, len(fields) + 1), "rlnMicrographPixelSize": sizes_A})
    path.parent.mkdir(parents=True, exist_ok=True)
    # RELION does not keep the particles of a micrograph together.
    particles = pd.concat(parts).sort_index(kind="stable")
    starfile.write({"optics": optics, "particles": particles}, path)
