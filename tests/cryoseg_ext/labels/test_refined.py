from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import mrcfile
import numpy as np
import pandas as pd
import pytest
import starfile
from cryosparc.dataset import Dataset
from scipy.spatial.transform import Rotation

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.refined import read_particles
from cryoseg_ext.labels.projection import project_particles
from cryoseg_ext.simulation.volume import make_projector

if TYPE_CHECKING:
    from tests.cryoseg_ext.labels.conftest import Field, Particle

STAR = Path("Refine3D/job001/run_data.star")


def test_shifts_are_subtracted_at_the_pixel_size_of_each_optics_group(project: list[Field]) -> None:
    found = read_particles(STAR)

    for field in project:
        particles = found[field.name]
        assert particles.pixel_size_A == field.pixel_size_A
        assert np.allclose(particles.centres_px(field.pixel_size_A), field.centres_px, atol=1e-4)
        assert np.allclose((particles.orientations * field.orientations.inv()).magnitude(), 0, atol=1e-4)


def test_relion_3_0_gives_the_same_in_pixels_of_the_particle_images(project: list[Field]) -> None:
    tables = starfile.read(STAR)
    # The images were binned to 4 Å/px: a detector of 5 um at a magnification of 12500.
    table = tables["particles"].assign(rlnDetectorPixelSize=5.0, rlnMagnification=12500.0)
    for axis in "XY":
        table[f"rlnOrigin{axis}"] = table.pop(f"rlnOrigin{axis}Angst") / 4.0
    old = Path("old.star")
    starfile.write(table.drop(columns="rlnOpticsGroup"), old)

    for name, particles in read_particles(old).items():
        new = read_particles(STAR)[name]
        assert np.allclose(particles.shift_A, new.shift_A, atol=1e-4)
        assert particles.pixel_size_A is None

    starfile.write(table.drop(columns=["rlnOpticsGroup", "rlnMagnification"]), old, overwrite=True)
    with pytest.raises(CryosegError, match=r"old\.star has shifts in pixels"):
        read_particles(old)


def test_cryosparc_gives_the_same_as_the_star_file_that_pyem_makes_of_it(project: list[Field]) -> None:
    field = project[0]
    relion = read_particles(STAR)[field.name]
    count = len(relion)
    # pyem: RELION's matrix is the transpose of the pose's; shifts are copied.
    pose = Rotation.from_matrix(relion.orientations.as_matrix().transpose(0, 2, 1)).as_rotvec()
    columns = {
        "location/micrograph_path": np.array([f">{field.name}"] * count, dtype=object),
        "location/micrograph_shape": np.tile(np.array(field.shape, np.uint32), (count, 1)),
        "location/center_x_frac": (relion.extracted_px[:, 0] / field.shape[1]).astype(np.float32),
        "location/center_y_frac": (relion.extracted_px[:, 1] / field.shape[0]).astype(np.float32),
        "location/micrograph_psize_A": np.full(count, field.pixel_size_A, np.float32),
        "alignments3D/pose": pose.astype(np.float32),
        "alignments3D/shift": (relion.shift_A / 4.0).astype(np.float32),
        "alignments3D/psize_A": np.full(count, 4.0, np.float32),
    }
    Dataset(columns).save("particles.cs")

    (found,) = read_particles(Path("particles.cs")).values()

    assert found.shape == field.shape
    centres_px = found.centres_px(found.pixel_size_A or 0.0)
    assert np.allclose(centres_px, relion.centres_px(field.pixel_size_A), atol=1e-3)
    assert np.allclose((found.orientations * relion.orientations.inv()).magnitude(), 0, atol=1e-5)

    Dataset({name: columns[name] for name in columns if "shift" not in name}).save("picked.cs")
    with pytest.raises(CryosegError, match=r"picked\.cs has no alignments3D/shift"):
        read_particles(Path("picked.cs"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda table: table.drop(columns="rlnAngleTilt"), "3D refinement"),
        (lambda table: table.assign(rlnAngleRot="much"), "no number"),
        (lambda table: table.assign(rlnOriginXAngst=np.nan), "no number"),
    ],
)
def test_particles_that_cannot_be_used_are_refused(project: list[Field], change, sentence) -> None:  # type: ignore[no-untyped-def]
    tables = starfile.read(STAR)
    starfile.write({"optics": tables["optics"], "particles": change(tables["particles"])}, "bad.star")

    with pytest.raises(CryosegError, match=rf"bad\.star has .*{sentence}"):
        read_particles(Path("bad.star"))


@pytest.mark.relion
def test_projections_are_those_of_relion_project(project: list[Field], particle: Particle) -> None:
    angles = [[0.0, 0.0, 0.0, 7.0, -12.0], [10.0, 20.0, 30.0, 0.0, 0.0], [-100.0, 140.0, 55.0, -3.9, 8.2]]
    size_A, box_px = particle.pixel_size_A, len(particle.density)
    names = ["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi", "rlnOriginXAngst", "rlnOriginYAngst"]
    table = pd.DataFrame(angles, columns=names).assign(
        rlnMicrographName="mic.mrc",
        rlnCoordinateX=box_px // 2,
        rlnCoordinateY=box_px // 2,
        rlnOpticsGroup=1,
        rlnImageName=[f"{number:06d}@images.mrcs" for number in (1, 2, 3)],
    )
    optics = {"rlnOpticsGroup": 1, "rlnOpticsGroupName": "one", "rlnImagePixelSize": size_A}
    optics |= {"rlnImageSize": box_px, "rlnImageDimensionality": 2, "rlnVoltage": 300.0}
    optics |= {"rlnSphericalAberration": 2.7, "rlnAmplitudeContrast": 0.1}
    optics |= {"rlnMicrographPixelSize": size_A}
    starfile.write({"optics": pd.DataFrame([optics]), "particles": table}, "angles.star")
    command = ["relion_project", "--i", "map.mrc", "--o", "relion", "--ang", "angles.star"]
    subprocess.run([*command, "--angpix", str(size_A)], check=True, capture_output=True, timeout=60)
    with mrcfile.open("relion.mrcs") as mrc:
        relion = np.asarray(mrc.data)

    (particles,) = read_particles(Path("angles.star")).values()
    projector = make_projector(particle.density, size_A)
    centres_px = particles.centres_px(size_A)
    for index in range(3):
        single = slice(index, index + 1)
        ours = project_particles(
            projector, particles.orientations[single], centres_px[single], (box_px, box_px), size_A, 6.0
        ).density
        assert np.corrcoef(ours.ravel(), relion[index].ravel())[0, 1] > 0.999
