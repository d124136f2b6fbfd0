"""Repair of micrographs with known defects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from cryoseg_ext.arrays import FloatArray, Image, Mask
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.image.repair import repair


def noise(shape: tuple[int, int] = (260, 300), seed: int = 0) -> Image:
    return np.random.default_rng(seed).normal(100, 5, shape).astype(np.float32)


def particles_on_ice() -> Image:
    """Noise, a strong ice gradient, dark particles that touch the rim and a carbon edge."""
    image = noise()
    y, x = np.indices(image.shape)
    image += 0.3 * x + 0.1 * y
    for cy, cx in ((0, 50), (100, 0), (259, 200), (130, 299), (120, 150)):
        image -= 15 * (np.hypot(y - cy, x - cx) < 14)
    image -= 60 * (y + x < 90)
    return image


def spoil_side(image: NDArray[Any], side: str, width: int, kind: str) -> Mask:
    """Replace a border in place, and return where."""
    view = {"top": image, "bottom": image[::-1], "left": image.T, "right": image.T[::-1]}[side]
    if kind == "zero":
        view[:width] = 0
    elif kind == "striped":
        view[:width] = view[width]
    elif kind == "nan":
        view[:width] = np.nan
    else:
        view[:width] = view[:width].mean(axis=1, keepdims=True)
    dead = np.zeros(image.shape, np.bool_)
    {"top": dead, "bottom": dead[::-1], "left": dead.T, "right": dead.T[::-1]}[side][:width] = True
    return dead


@pytest.mark.parametrize("image", [noise(), particles_on_ice()], ids=["noise", "particles on ice"])
def test_a_sound_micrograph_stays_as_it_is(image: Image) -> None:
    repaired = repair(image)
    np.testing.assert_array_equal(repaired.image, image)
    assert repaired.valid.all()


@pytest.mark.parametrize("shape", [(16, 16), (17, 300), (33, 17)])
def test_a_very_small_field_is_repaired_too(shape: tuple[int, int]) -> None:
    assert repair(noise(shape)).valid.all()


def test_a_low_passed_micrograph_stays_as_it_is() -> None:
    image = ndimage.gaussian_filter(noise((700, 600)), 4).astype(np.float32)
    repaired = repair(image)
    np.testing.assert_array_equal(repaired.image, image)
    assert repaired.valid.all()


def test_a_low_dose_counting_micrograph_stays_as_it_is() -> None:
    image = np.random.default_rng(0).poisson(0.3, (300, 300)).astype(np.float32)
    repaired = repair(image)
    np.testing.assert_array_equal(repaired.image, image)
    assert repaired.valid.all()


@pytest.mark.parametrize("kind", ["zero", "striped", "constant lines", "nan"])
@pytest.mark.parametrize("side", ["top", "bottom", "left", "right"])
@pytest.mark.parametrize("width", [5, 70])
def test_a_dead_border_on_one_side_is_found_to_the_pixel(kind: str, side: str, width: int) -> None:
    image = particles_on_ice()
    dead = spoil_side(image, side, width, kind)
    np.testing.assert_array_equal(repair(image).valid, ~dead)


@pytest.mark.parametrize("kind", ["zero", "striped", "constant lines"])
@pytest.mark.parametrize("side", ["top", "bottom", "left", "right"])
def test_one_dead_line_at_the_rim_is_found(kind: str, side: str) -> None:
    image = particles_on_ice()
    dead = spoil_side(image, side, 1, kind)
    np.testing.assert_array_equal(repair(image).valid, ~dead)


def test_a_missing_line_is_filled_from_its_neighbours() -> None:
    image = noise()
    image[0] = image[:, 120] = np.nan
    repaired = repair(image)
    assert repaired.valid.all()
    assert np.abs(repaired.image - 100).max() < 30


def test_dead_borders_of_different_kinds_on_all_sides_are_found() -> None:
    image = noise()
    dead = np.zeros(image.shape, np.bool_)
    for side, width, kind in (("top", 20, "striped"), ("right", 33, "zero"), ("bottom", 3, "zero")):
        dead |= spoil_side(image, side, width, kind)
    dead |= spoil_side(image, "left", 64, "striped")
    repaired = repair(image)
    np.testing.assert_array_equal(repaired.valid, ~dead)
    assert np.abs(repaired.image[dead] - 100).max() < 3


def test_striped_borders_survive_a_low_pass_filter_that_wraps_around() -> None:
    """The borders of EMPIAR-10017: stripes, then low-passed, so that the outermost lines are sound again."""
    image = noise((1000, 900))
    inner = np.zeros(image.shape, np.bool_)
    inner[75:-95, 60:-105] = True
    for side, width in (("top", 75), ("bottom", 95), ("left", 60), ("right", 105)):
        spoil_side(image, side, width, "striped")
    image = ndimage.gaussian_filter(image, 5, mode="wrap").astype(np.float32)
    valid = repair(image).valid
    assert not valid[ndimage.binary_dilation(inner, iterations=12) ^ True].any()
    assert valid[ndimage.binary_erosion(inner, iterations=12)].all()


def test_isolated_hot_dead_and_missing_pixels_are_replaced_and_stay_valid() -> None:
    image = particles_on_ice()
    clean = image.copy()
    defects = np.zeros(image.shape, np.bool_)
    for y, x, value in ((0, 0, 9e3), (50, 299, 9e3), (120, 150, -4e3), (200, 77, np.nan), (201, 180, np.inf)):
        image[y, x], defects[y, x] = value, True
    image[30:32, 200:202], defects[30:32, 200:202] = 4e4, True
    repaired = repair(image)
    assert repaired.valid.all()
    np.testing.assert_array_equal(repaired.image[~defects], clean[~defects])
    assert np.abs(repaired.image - clean)[defects].max() < 30


def test_dense_grains_are_not_hot_pixels() -> None:
    """Gold beads and ice crystals are extreme too, but as wide as the optics make them."""
    image = noise()
    y, x = np.indices(image.shape)
    image += (800 * np.exp(-0.5 * ((y - 100) ** 2 + (x - 150) ** 2) / 1.5**2)).astype(np.float32)
    np.testing.assert_array_equal(repair(image).image, image)


@pytest.mark.parametrize("value", [0, np.nan], ids=["zero", "nan"])
def test_a_dead_panel_inside_is_marked_to_the_pixel(value: float) -> None:
    image = noise((400, 420))
    dead = np.zeros(image.shape, np.bool_)
    dead[100:190, 203:310] = True
    image[dead] = value
    repaired = repair(image)
    np.testing.assert_array_equal(repaired.valid, ~dead)
    assert np.abs(repaired.image[dead] - 100).max() < 3


def test_the_input_is_not_changed() -> None:
    image = noise()
    image[:9] = 0
    before = image.copy()
    repair(image)
    np.testing.assert_array_equal(image, before)


def test_an_image_that_may_be_overwritten_is_repaired_without_a_copy() -> None:
    image = noise()
    image[:30] = 0
    expected = repair(image, invert=True)
    repaired = repair(image, invert=True, overwrite=True)
    assert repaired.image is image
    np.testing.assert_array_equal(repaired.image, expected.image)
    image.setflags(write=False)
    assert repair(image, overwrite=True).image is not image


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (np.full((50, 50), np.nan), "finite"),
        (np.where(np.arange(2500).reshape(50, 50) < 60, 1.0, np.inf), "finite"),
        (np.full((50, 50), 7), "constant"),
        (np.pad(noise((40, 40)), 200), "usable"),
        (noise((50, 8)), "50 x 8"),
        (np.zeros((2, 50, 50)), "2 x 50 x 50"),
        (np.zeros((0, 0)), "0 x 0"),
    ],
    ids=["nan", "nearly nan", "constant", "nearly constant", "thin", "stack", "empty"],
)
def test_hopeless_images_are_refused_with_the_reason(image: FloatArray, reason: str) -> None:
    with pytest.raises(CryosegError, match=reason):
        repair(image)


@st.composite
def damaged_micrographs(draw: st.DrawFn) -> FloatArray:
    shape = draw(st.tuples(st.integers(64, 150), st.integers(64, 150)))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    scale = draw(st.sampled_from([1e-6, 1.0, 1e6]))
    image = scale * (rng.normal(size=shape) + draw(st.sampled_from([0.0, 50.0])))
    for side in ("top", "bottom", "left", "right"):
        width = draw(st.sampled_from([0, *range(2, 13)]))
        kind = draw(st.sampled_from(["zero", "striped", "constant lines", "nan"]))
        if width:
            spoil_side(image, side, width, kind)
    defects = rng.choice(image.size, draw(st.integers(0, 10)), replace=False)
    image.ravel()[defects] = scale * draw(st.sampled_from([np.nan, np.inf, -np.inf, 1e4, -1e4, 1e300]))
    return image


@settings(max_examples=40, deadline=None, derandomize=True)
@given(image=damaged_micrographs())
def test_repair_is_finite_shaped_and_idempotent(image: FloatArray) -> None:
    once = repair(image)
    assert once.image.dtype == np.float32
    assert once.valid.dtype == np.bool_
    assert once.image.shape == once.valid.shape == image.shape
    assert np.isfinite(once.image).all()
    assert once.valid[20:-20, 20:-20].all()
    twice = repair(once.image)
    np.testing.assert_array_equal(twice.valid, once.valid)
    np.testing.assert_allclose(twice.image, once.image, rtol=1e-5, atol=1e-6 * np.abs(once.image).max())
