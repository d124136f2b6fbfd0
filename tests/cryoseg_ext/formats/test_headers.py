"""What headers say about pixel sizes is judged by one rule, for picking and for scaling coordinates."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
import tifffile

from cryoseg_ext.formats.headers import read_header
from cryoseg_ext.image.reading import read_micrograph

IMAGE = np.random.default_rng(0).normal(size=(40, 50)).astype(np.float32)


@pytest.mark.parametrize(
    ("voxel_A", "size_A"),
    [
        (1.5, 1.5),
        ((1.5, 1.5, 0.0), 1.5),
        # Of two values the mean is picked with.
        ((1.2, 1.25, 1.2), 1.225),
        (0.0, None),
        (3.5e6, None),
        # Programs write it that do not know.
        (1.0, None),
    ],
)
def test_a_header_means_for_coordinates_what_it_means_for_picking(
    voxel_A: Any, size_A: float | None, tmp_path: Path
) -> None:
    path = tmp_path / "a.mrc"
    with mrcfile.new(path, IMAGE) as mrc:
        mrc.voxel_size = voxel_A
    header, used_A = read_header(path), read_micrograph(path).pixel_size_A
    assert header.shape == IMAGE.shape
    assert header.pixel_size_A == (None if size_A is None else pytest.approx(size_A))
    assert header.pixel_size_A == (None if used_A == 1 else used_A)


def test_the_resolution_of_a_tiff_file_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, IMAGE, resolution=(5e7, 5e7), resolutionunit="CENTIMETER")
    size_A = read_header(path).pixel_size_A
    assert size_A is not None
    assert math.isclose(size_A, 2.0)


def test_a_file_that_is_no_image_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.mrc").write_bytes(b"x" * 2000)
    for name in ("a.mrc", "absent.mrc"):
        header = read_header(tmp_path / name)
        assert (header.shape, header.pixel_size_A) == (None, None)
