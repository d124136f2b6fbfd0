from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cryoseg_ext.report.particle_boxes import BOX_PX
from cryoseg_ext.report.preview import (
    GREY_LEVELS,
    MAX_SIDE_PX,
    N_PREVIEWS,
    Preview,
    load_preview,
    make_preview,
    save_preview,
    stretch,
)


def test_a_preview_is_small_and_reads_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(size=(900, 1100)).astype(np.float32)
    mask = np.zeros(image.shape, bool)
    mask[100:200, 300:500] = True
    preview = make_preview(image, mask, (3600, 4400), ~mask)
    save_preview(tmp_path / "Movies/a_preview.npz", preview)
    back = load_preview(tmp_path / "Movies/a_preview.npz")
    assert back is not None
    assert back.source_shape == (3600, 4400)
    np.testing.assert_array_equal(back.image, preview.image)
    np.testing.assert_array_equal(back.mask, preview.mask)
    np.testing.assert_array_equal(back.contaminated, preview.contaminated)
    assert np.mean(back.contaminated) == pytest.approx(1 - np.mean(back.mask), rel=0.05)
    assert max(back.image.shape) <= MAX_SIDE_PX
    assert back.image.max() < GREY_LEVELS
    scale = 1100 / back.image.shape[1]
    assert np.mean(back.mask) == pytest.approx(np.mean(mask), rel=0.05)
    assert back.mask[int(150 / scale), int(400 / scale)]
    assert (tmp_path / "Movies/a_preview.npz").stat().st_size < 400_000


def test_an_image_without_contrast_has_a_preview() -> None:
    preview = make_preview(np.zeros((50, 60), np.float32), np.zeros((50, 60), bool), (50, 60))
    assert len(np.unique(preview.image)) == 1


@pytest.mark.parametrize("content", [None, b"", b"PK not a zip"])
def test_what_is_no_preview_is_none(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a_preview.npz"
    if content is not None:
        path.write_bytes(content)
    assert load_preview(path) is None


def _flipped(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at % len(content)] ^= 0xFF
    path.write_bytes(content)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.integers(0, 1 << 20), min_size=1, max_size=4), length=st.integers(0, 3000))
def test_a_damaged_preview_is_absent_or_sound(tmp_path: Path, places: list[int], length: int) -> None:
    path = tmp_path / "a_preview.npz"
    grey = np.random.default_rng(0).integers(0, GREY_LEVELS, (30, 40)).astype(np.uint8)
    boxes = np.resize(grey, (3, BOX_PX, BOX_PX))
    save_preview(path, Preview(grey, grey > 20, grey < 5, (300, 400), boxes, np.arange(3)))
    for place in places:
        _flipped(path, place)
    path.write_bytes(path.read_bytes()[: length or None])
    if preview := load_preview(path):
        assert preview.image.shape == preview.mask.shape == preview.contaminated.shape
        assert preview.image.max() < GREY_LEVELS
        assert preview.boxes.shape == (len(preview.box_candidates), BOX_PX, BOX_PX)
        assert preview.boxes.max(initial=0) < GREY_LEVELS


def test_a_preview_that_unpacks_to_gigabytes_is_absent(tmp_path: Path) -> None:
    path = tmp_path / "a_preview.npz"
    large = np.zeros((3000, 3000), np.uint8)
    np.savez_compressed(path, image=large, mask=large, contaminated=large, source_shape=np.array((9, 9)))
    assert load_preview(path) is None


@pytest.mark.parametrize("total", [1, 5, 12, 100])
def test_stretches_divide_a_run_evenly(total: int) -> None:
    of_micrographs = [stretch(number, total) for number in range(total)]
    assert of_micrographs == sorted(of_micrographs)
    assert len(set(of_micrographs)) == min(total, N_PREVIEWS)
