"""A small project of CryoSPARC: three simulated micrographs, particles on them, and their map."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
from cryosparc.dataset import Dataset

from cryoseg_ext.simulation import Scale, draw_specimen, simulate_at
from cryoseg_ext.simulation.presets import TYPICAL
from tests.cryoseg_ext.cryosparc.instance import Group, Instance, Job

SERVER_VERSIONS = {"5": "v5.0.3", "4.7": "v4.7.1"}
PIXEL_SIZE_A, DIAMETER_A, SHAPE = 5.0, 120.0, (300, 260)
CENTRES_PX = ((200, 50), (60, 120), (150, 170))
"""(x, y) of the particles: most of them right and on top, so that no flip and no swap goes unseen."""


def write_project(folder: Path) -> None:
    """Write a project of three micrographs, linked into it and itself a link."""
    real, data, linked = folder / "disk/project", folder / "data", folder / "projects/CS-link"
    (real / "J2/imported").mkdir(parents=True)
    linked.parent.mkdir()
    linked.symlink_to("../disk/project")
    data.mkdir()
    for number in range(3):
        image = micrograph(number)
        mrcfile.write(data / f"{number}.mrc", image, voxel_size=PIXEL_SIZE_A)
        (real / f"J2/imported/mic{number}.mrc").symlink_to(Path("../../../..", "data", f"{number}.mrc"))
        mrcfile.write(real / f"J2/denoised{number}.mrc", binned(image), voxel_size=2 * PIXEL_SIZE_A)
    mrcfile.write(real / "J2/map.mrc", ball(), voxel_size=PIXEL_SIZE_A)


def instance_of(folder: Path, version: str) -> Instance:
    """Return what a server of a version knows of the project that `write_project` wrote to a folder."""
    linked = folder / "projects/CS-link"
    instance = Instance(linked, exposures(3), SERVER_VERSIONS[version], optional_fields=version == "5")
    outputs = {
        "particles": Group("particle", "Particles", [], dataset=particles(4)),
        "volume": Group("volume", "Volume", [], dataset=Dataset({"map/path": ["J2/map.mrc"]})),
    }
    instance.jobs["J20"] = Job("J20", "homo_refine", "Refinement", "completed", outputs=outputs)
    return instance


def micrograph(seed: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return a simulated micrograph with hollow particles in clear view."""
    rng = np.random.default_rng(seed)
    conditions = replace(TYPICAL, contaminated=False, dose_e_A2=None, snr=1.0)
    centres_px = np.array(CENTRES_PX, np.float64)
    shell = draw_specimen(rng, "shell")
    scale = Scale(PIXEL_SIZE_A, DIAMETER_A)
    return simulate_at(rng, SHAPE, scale, shell, conditions, centres_px).image


def exposures(number: int) -> Dataset[Any]:
    dataset: Dataset[Any] = Dataset.allocate(
        number,
        [
            ("micrograph_blob/path", "O"),
            ("micrograph_blob/shape", "2u4"),
            ("micrograph_blob/psize_A", "f4"),
            ("micrograph_blob_denoised/path", "O"),
            ("micrograph_blob_denoised/shape", "2u4"),
            ("micrograph_blob_denoised/psize_A", "f4"),
            ("mscope_params/exp_group_id", "u4"),
            ("ctf/df1_A", "f4"),
        ],
    )
    dataset["uid"] = np.arange(number, dtype=np.uint64) + np.uint64(2**63)
    dataset["micrograph_blob/path"] = [f"J2/imported/mic{index}.mrc" for index in range(number)]
    dataset["micrograph_blob/shape"] = np.tile(SHAPE, (number, 1))
    dataset["micrograph_blob/psize_A"] = PIXEL_SIZE_A
    dataset["micrograph_blob_denoised/path"] = [f"J2/denoised{index}.mrc" for index in range(number)]
    dataset["micrograph_blob_denoised/shape"] = np.tile(SHAPE, (number, 1)) // 2
    dataset["micrograph_blob_denoised/psize_A"] = 2 * PIXEL_SIZE_A
    dataset["mscope_params/exp_group_id"] = 7
    return dataset


def binned(image: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return a micrograph with half as many rows and columns."""
    ny, nx = image.shape
    return image.reshape(ny // 2, 2, nx // 2, 2).mean(axis=(1, 3))


def ball() -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the map of the particle, in a box of 40 voxels."""
    squared = ((np.indices((40, 40, 40)) - 20) ** 2).sum(axis=0)
    density: np.ndarray[Any, np.dtype[np.float32]] = np.zeros(squared.shape, np.float32)
    density[squared < (DIAMETER_A / PIXEL_SIZE_A / 2) ** 2] = 1
    return density


def particles(number: int) -> Dataset[Any]:
    """Return the particles of so many micrographs, refined; their images were cut 2 px to the left."""
    n = number * len(CENTRES_PX)
    dataset: Dataset[Any] = Dataset.allocate(
        n,
        [
            ("location/micrograph_path", "O"),
            ("location/micrograph_shape", "2u4"),
            ("location/micrograph_psize_A", "f4"),
            ("location/center_x_frac", "f4"),
            ("location/center_y_frac", "f4"),
            ("alignments3D/pose", "3f4"),
            ("alignments3D/shift", "2f4"),
            ("alignments3D/psize_A", "f4"),
            ("blob/psize_A", "f4"),
        ],
    )
    names = [f">J2/imported/mic{index}.mrc" for index in range(number) for _ in CENTRES_PX]
    dataset["location/micrograph_path"] = names
    dataset["location/micrograph_shape"] = np.tile(SHAPE, (n, 1))
    dataset["location/micrograph_psize_A"] = PIXEL_SIZE_A
    x_px, y_px = np.tile(CENTRES_PX, (number, 1)).T
    dataset["location/center_x_frac"] = (x_px - 2) / SHAPE[1]
    dataset["location/center_y_frac"] = y_px / SHAPE[0]
    dataset["alignments3D/shift"] = np.tile([-2, 0], (n, 1))
    dataset["alignments3D/psize_A"] = dataset["blob/psize_A"] = PIXEL_SIZE_A
    return dataset
