"""The working scale keeps positions, and the normalisation what the network relies on."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.image import scale as normalisation
from cryoseg_ext.image.repair import RepairedMicrograph
from cryoseg_ext.image.scale import normalise, to_working_scale


@settings(max_examples=15, deadline=None)
@given(
    ny=st.integers(180, 331),
    nx=st.integers(180, 331),
    diameter_px=st.floats(30, 70),
    at=st.tuples(st.floats(0.3, 0.7), st.floats(0.3, 0.7)),
)
def test_a_spot_is_found_where_it_was(ny: int, nx: int, diameter_px: float, at: tuple[float, float]) -> None:
    y_true, x_true = at[0] * ny, at[1] * nx
    y, x = np.ogrid[:ny, :nx]
    spot = np.exp(-((y - y_true) ** 2 + (x - x_true) ** 2) / (2 * (diameter_px / 6) ** 2)).astype(np.float32)
    spot += np.random.default_rng(0).normal(scale=1e-3, size=spot.shape).astype(np.float32)
    with mock.patch.object(normalisation, "CLIP_SIGMA", np.inf):
        working = to_working_scale(RepairedMicrograph(spot, np.ones(spot.shape, np.bool_)), 1.0, diameter_px)

    top = np.clip(working.image / working.image.max() - 0.3, 0, None)
    weight = top / top.sum()
    rows, columns = np.mgrid[: weight.shape[0], : weight.shape[1]]
    x_px, y_px = working.to_source_px(np.array([(weight * columns).sum()]), np.array([(weight * rows).sum()]))
    assert abs(x_px[0] - x_true) < 0.02 * diameter_px
    assert abs(y_px[0] - y_true) < 0.02 * diameter_px


def test_contrast_and_gradient_of_the_file_do_not_matter() -> None:
    rng = np.random.default_rng(1)
    image = rng.normal(size=(300, 260)).astype(np.float32)
    valid = np.ones(image.shape, np.bool_)
    slope = np.linspace(0, 5, 260, dtype=np.float32)
    np.testing.assert_allclose(normalise(image, valid), normalise(250 * image + 4000, valid), atol=1e-3)
    inner = np.s_[60:-60, 60:-60]
    difference = normalise(image, valid) - normalise(image + slope, valid)
    assert np.abs(difference[inner]).max() < 0.35


def test_a_steep_gradient_leaves_no_streak_on_the_rim() -> None:
    image = np.random.default_rng(3).normal(size=(400, 400)).astype(np.float32)
    image += np.linspace(0, 40, 400, dtype=np.float32)[:, None]
    working = to_working_scale(RepairedMicrograph(image, np.ones(image.shape, np.bool_)), 1.0, 60.0)
    rim_rows = working.image[[0, 1, -2, -1]].mean(axis=1)
    assert np.abs(rim_rows).max() < 1.0


def test_dead_areas_become_zero_and_do_not_disturb_the_rest() -> None:
    rng = np.random.default_rng(2)
    image = rng.normal(size=(300, 300)).astype(np.float32)
    valid = np.ones(image.shape, np.bool_)
    valid[:, :40] = False
    spoiled = np.where(valid, image, 1000).astype(np.float32)
    flat = normalise(spoiled, valid)
    assert not flat[~valid].any()
    assert abs(float(flat[valid].std()) - 1) < 0.05


def test_a_particle_of_a_few_pixels_is_refused() -> None:
    image = np.zeros((100, 100), np.float32)
    with pytest.raises(CryosegError, match="less than 6 px wide at 100 Å/px"):
        to_working_scale(RepairedMicrograph(image, np.ones(image.shape, np.bool_)), 100.0, 180.0)


def test_a_particle_far_too_small_for_its_field_is_refused_before_anything_is_computed() -> None:
    image = np.broadcast_to(np.float32(0), (20000, 30000))
    repaired = RepairedMicrograph(image, np.broadcast_to(np.True_, image.shape))
    with pytest.raises(CryosegError, match="20 px wide at 1 Å/px on a field of 30000 x 20000 px: check"):
        to_working_scale(repaired, 1.0, 20.0)


def test_a_field_smaller_than_a_particle_is_refused() -> None:
    image = np.zeros((100, 400), np.float32)
    with pytest.raises(CryosegError, match="smaller than one particle"):
        to_working_scale(RepairedMicrograph(image, np.ones(image.shape, np.bool_)), 1.0, 150.0)
