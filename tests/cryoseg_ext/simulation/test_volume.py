from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import center_of_mass, gaussian_filter
from scipy.spatial.transform import Rotation

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.simulation.volume import (
    MAX_BOX_PX,
    make_projector,
    maximum_extent,
    project_volume,
    shrink_volume,
)

# Four beads on voxels (x, y, z), no three in a line: nothing else looks the same from any side.
BEADS_PX = np.array([[8, 0, 0], [-6, 4, 0], [0, -7, 5], [2, 3, -9]])


def blobs(box_px: int, spread: int = 1) -> NDArray[np.float32]:
    density = np.zeros((box_px,) * 3, np.float32)
    for weight, (x, y, z) in enumerate(box_px // 2 + spread * BEADS_PX, start=1):
        density[z, y, x] = weight
    return gaussian_filter(density, 2.0 * spread)


@given(st.integers(0, 2**31))
def test_slices_are_the_projections_of_the_beads(seed: int) -> None:
    turn = Rotation.random(1, rng=np.random.default_rng(seed))
    image = project_volume(make_projector(blobs(64), 1.5), turn)[0] / 1.5

    x_px, y_px = (turn.as_matrix()[0] @ BEADS_PX.T)[:2, :, None, None] + 32
    y, x = np.indices((64, 64))
    gaussians = np.exp(-((x - x_px) ** 2 + (y - y_px) ** 2) / (2 * 2.0**2)) / (2 * np.pi * 2.0**2)
    expected = np.tensordot(np.arange(1.0, 5.0), gaussians, 1)
    assert np.abs(image - expected).max() < 0.02 * expected.max()


@pytest.mark.parametrize("box_px", [41, 160, 161])
def test_shrinking_keeps_the_origin_the_scale_and_the_density(box_px: int) -> None:
    spread = box_px // 40
    small, size_A = shrink_volume(blobs(box_px, spread), 1.0)

    n = len(small)
    assert n <= MAX_BOX_PX
    assert n % 2 == 0
    expected_A = np.average(spread * BEADS_PX, axis=0, weights=[1, 2, 3, 4])[::-1]
    assert np.allclose((np.array(center_of_mass(small)) - n // 2) * size_A, expected_A, atol=0.02)
    assert small.sum() * size_A**3 == pytest.approx(10, rel=1e-3)


def test_the_extent_is_that_of_the_particle_and_not_of_the_dust() -> None:
    density = np.zeros((64, 64, 64), np.float32)
    density[20:30, 20:30, 10:28] = density[20:30, 20:30, 31:50] = 1
    density[2, 2, 2] = density[60, 60, 60] = 3

    assert maximum_extent(density, 2.0) == pytest.approx(2 * np.sqrt(40**2 + 10**2 + 10**2), rel=0.1)
    with pytest.raises(CryosegError, match="no particle"):
        maximum_extent(np.zeros((8, 8, 8), np.float32), 2.0)


def test_a_map_that_is_no_cube_is_refused() -> None:
    with pytest.raises(CryosegError, match="4 x 3 x 2"):
        shrink_volume(np.zeros((2, 3, 4), np.float32), 1.0)
