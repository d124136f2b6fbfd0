"""Boxes of single candidates in a preview."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoseg_ext.picks import Picks
from cryoseg_ext.report.particle_boxes import (
    BOX_PX,
    MOST_EVEN,
    PER_BAND,
    cut_boxes,
    even_sample,
    sample_candidates,
)
from cryoseg_ext.report.preview import GREY_LEVELS, load_preview, make_preview, save_preview, with_boxes

MIDDLE = BOX_PX // 2


def _candidates(n: int, side_px: float) -> Picks:
    rng = np.random.default_rng(0)
    x_px, y_px = rng.uniform(0, side_px, (2, n))
    return Picks(x_px, y_px, np.sort(rng.beta(1, 9, n))[::-1])


def test_boxes_show_the_surroundings_of_their_candidates_and_read_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(size=(900, 900)).astype(np.float32)
    candidates = _candidates(600, 899)
    bright = rng.permutation(600)[:300]
    rows, columns = (np.rint(at).astype(int) for at in (candidates.y_px, candidates.x_px))
    image[rows[bright], columns[bright]] = 9
    preview = with_boxes(make_preview(image, image > 2, (3600, 3600)), image, candidates)
    shown = image[rows, columns][preview.box_candidates] > 4
    np.testing.assert_array_equal(preview.boxes[:, MIDDLE, MIDDLE] == GREY_LEVELS - 1, shown)
    # Grey values tell standard deviations of the micrograph.
    sigma = (preview.boxes - 15.5) * (8 / 31)
    assert sigma[:, :8].std() == pytest.approx(1, abs=0.15)
    save_preview(tmp_path / "a_preview.npz", preview)
    back = load_preview(tmp_path / "a_preview.npz")
    assert back is not None
    np.testing.assert_array_equal(back.boxes, preview.boxes)
    np.testing.assert_array_equal(back.box_candidates, preview.box_candidates)
    assert (tmp_path / "a_preview.npz").stat().st_size < 400_000


@settings(deadline=None)
@given(
    shape=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    at=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_a_box_is_a_part_of_the_image_and_background_around_it(
    shape: tuple[int, int], at: tuple[float, float]
) -> None:
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    y_px, x_px = (share * (n - 1) for share, n in zip(at, shape, strict=True))
    (box,) = cut_boxes(image, np.array([x_px]), np.array([y_px]))
    around = np.pad(image, MIDDLE)
    y, x = round(y_px), round(x_px)
    np.testing.assert_array_equal(box, around[y : y + BOX_PX, x : x + BOX_PX])


@given(n=st.integers(0, 900), skew=st.floats(0.3, 12))
def test_the_sample_is_even_and_has_all_scores(n: int, skew: float) -> None:
    score = np.sort(np.random.default_rng(n).beta(1, skew, n))[::-1]
    chosen = sample_candidates(score)
    assert np.all(np.diff(chosen) > 0)
    assert set(even_sample(n)) <= set(chosen)
    assert len(even_sample(n)) == min(n, MOST_EVEN)
    of_band, there = (np.histogram(one, 10, (0, 1))[0] for one in (score[chosen], score))
    assert np.all(of_band >= np.minimum(there, PER_BAND))
    assert len(chosen) <= MOST_EVEN + 10 * PER_BAND


def test_a_preview_from_before_there_were_boxes_has_none(tmp_path: Path) -> None:
    grey = np.zeros((30, 40), np.uint8)
    bits = np.packbits(grey > 0)
    path = tmp_path / "a_preview.npz"
    np.savez_compressed(path, image=grey, mask=bits, contaminated=bits, source_shape=np.array((300, 400)))
    preview = load_preview(path)
    assert preview is not None
    assert (len(preview.boxes), len(preview.box_candidates)) == (0, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"boxes": np.zeros((2, BOX_PX, BOX_PX), np.uint8)},
        {"boxes": np.full((3, BOX_PX, BOX_PX), GREY_LEVELS, np.uint8)},
        {"boxes": np.zeros((3, BOX_PX, BOX_PX))},
        {"boxes": np.zeros((3, 5, 5), np.uint8)},
        {"box_candidates": np.array([0, 1, -2])},
        {"box_candidates": np.array([0.0, 1.0, 2.0])},
    ],
)
def test_boxes_that_are_none_make_no_preview(tmp_path: Path, change: dict[str, np.ndarray]) -> None:
    image, path = np.zeros((50, 60), np.float32), tmp_path / "a_preview.npz"
    save_preview(path, with_boxes(make_preview(image, image > 0, (50, 60)), image, _candidates(3, 40)))
    assert load_preview(path) is not None
    with np.load(path) as arrays:
        np.savez(path, **{**arrays, **change})
    assert load_preview(path) is None
