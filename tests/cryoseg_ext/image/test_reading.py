"""Reading of micrographs in every format, and of files that are none."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.image.reading import read_micrograph

IMAGE = np.random.default_rng(0).integers(0, 100, (48, 31)).astype(np.float32)
MODES = {0: np.int8, 1: np.int16, 2: np.float32, 6: np.uint16, 12: np.float16}


def write_mrc(path: Path, data: NDArray[Any] = IMAGE, pixel_size_A: float = 1.5) -> Path:
    with mrcfile.new(path, data) as mrc:
        mrc.voxel_size = pixel_size_A
    return path


def patch(path: Path, offset: int, content: bytes) -> Path:
    raw = bytearray(path.read_bytes())
    raw[offset : offset + len(content)] = content
    path.write_bytes(raw)
    return path


@settings(max_examples=30, deadline=None)
@given(data=st.data(), mode=st.sampled_from(list(MODES)))
def test_every_real_mode_is_read_as_stored(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, mode: int
) -> None:
    shape = hnp.array_shapes(min_dims=2, max_dims=2, max_side=20)
    values = st.integers(0, 127) if mode == 6 else st.integers(-128, 127)
    image = data.draw(hnp.arrays(MODES[mode], shape, elements=values))
    path = write_mrc(tmp_path_factory.mktemp("mrc") / "a.mrc", image)
    micrograph = read_micrograph(path)
    assert micrograph.image.dtype == np.float32
    assert micrograph.pixel_size_A == pytest.approx(1.5)
    np.testing.assert_array_equal(micrograph.image, image.astype(np.float32))


@pytest.mark.parametrize(("suffix", "compress"), [(".gz", gzip.compress), (".bz2", bz2.compress)])
def test_compressed_mrc_is_read(tmp_path: Path, suffix: str, compress: Any) -> None:
    plain = write_mrc(tmp_path / "a.mrc")
    packed = tmp_path / f"a.mrc{suffix}"
    packed.write_bytes(compress(plain.read_bytes()))
    micrograph = read_micrograph(packed)
    np.testing.assert_array_equal(micrograph.image, IMAGE)
    assert micrograph.pixel_size_A == pytest.approx(1.5)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32])
@pytest.mark.parametrize("suffix", [".tif", ".TIFF"])
def test_tiff_is_read_from_its_last_row_as_relion_does(tmp_path: Path, suffix: str, dtype: type) -> None:
    path = tmp_path / f"a{suffix}"
    tifffile.imwrite(path, IMAGE.astype(dtype)[::-1])
    micrograph = read_micrograph(path)
    assert micrograph.image.dtype == np.float32
    np.testing.assert_array_equal(micrograph.image, IMAGE)
    assert micrograph.pixel_size_A is None


def test_tiff_pixel_size_comes_from_the_resolution_unless_it_is_a_print_resolution(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", IMAGE, resolution=(1e8 / 0.8, 1e8 / 0.8), resolutionunit=3)
    tifffile.imwrite(tmp_path / "b.tif", IMAGE, resolution=(72, 72), resolutionunit=2)
    assert read_micrograph(tmp_path / "a.tif").pixel_size_A == pytest.approx(0.8)
    assert read_micrograph(tmp_path / "b.tif").pixel_size_A is None


def test_a_stack_of_one_section_and_a_symlink_are_read(tmp_path: Path) -> None:
    write_mrc(tmp_path / "a.mrcs", IMAGE[None])
    (tmp_path / "link.mrc").symlink_to(tmp_path / "a.mrcs")
    np.testing.assert_array_equal(read_micrograph(tmp_path / "link.mrc").image, IMAGE)


def test_an_extended_header_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "a.mrc"
    with mrcfile.new(path, IMAGE) as mrc:
        mrc.set_extended_header(np.zeros(768, "V1"))
        mrc.header.exttyp = b"FEI1"
    np.testing.assert_array_equal(read_micrograph(path).image, IMAGE)


@pytest.mark.parametrize(
    ("voxel_size", "expected"),
    [
        (0.0, None),
        (-1.0, None),
        ((1.0, 1.1, 0.0), 1.05),
        ((1.2, 0.0, 1.2), None),
        (1e6, None),
        (np.nan, None),
    ],
)
def test_pixel_size_is_the_mean_or_none_when_senseless(
    tmp_path: Path, voxel_size: Any, expected: float | None
) -> None:
    path = tmp_path / "a.mrc"
    with mrcfile.new(path, IMAGE) as mrc:
        mrc.voxel_size = voxel_size
    assert read_micrograph(path).pixel_size_A == (expected and pytest.approx(expected))


def test_a_header_without_sampling_has_no_pixel_size(tmp_path: Path) -> None:
    path = patch(write_mrc(tmp_path / "a.mrc"), 28, bytes(12))
    assert read_micrograph(path).pixel_size_A is None


def test_slightly_wrong_headers_are_read(tmp_path: Path) -> None:
    path = patch(write_mrc(tmp_path / "a.mrc"), 208, bytes(8))
    with path.open("ab") as file:
        file.write(b"trailing")
    np.testing.assert_array_equal(read_micrograph(path).image, IMAGE)


def test_unsigned_bytes_of_imod_are_not_taken_for_signed_ones(tmp_path: Path) -> None:
    image = np.arange(48 * 5, dtype=np.uint8).reshape(48, 5)
    path = write_mrc(tmp_path / "a.mrc", image.view(np.int8))
    patch(path, 152, b"IMOD" + (0).to_bytes(4, "little"))
    np.testing.assert_array_equal(read_micrograph(path).image, image)
    patch(path, 156, (1).to_bytes(4, "little"))
    np.testing.assert_array_equal(read_micrograph(path).image, image.view(np.int8))


def cut(path: Path, length: int) -> Path:
    path.write_bytes(path.read_bytes()[:length])
    return path


def gzipped(path: Path) -> Path:
    path.write_bytes(gzip.compress(path.read_bytes()))
    return path


def tiff(path: Path, data: NDArray[Any] = IMAGE, photometric: str = "minisblack") -> Path:
    tifffile.imwrite(path, data, photometric=photometric)
    return path


def unknown_compression(path: Path) -> Path:
    with tifffile.TiffFile(tiff(path), mode="r+") as file:
        file.pages.first.tags["Compression"].overwrite(5)
    return path


BROKEN: dict[str, Callable[[Path], object]] = {
    "missing.mrc": str,
    "directory.mrc": Path.mkdir,
    "empty.mrc": Path.touch,
    "empty.tif": Path.touch,
    "text.mrc": lambda path: path.write_text("not a micrograph\n" * 200),
    "text.tif": lambda path: path.write_text("not a micrograph\n" * 200),
    "stack.mrcs": lambda path: write_mrc(path, np.stack([IMAGE] * 3)),
    "stack.tif": lambda path: tiff(path, np.stack([IMAGE] * 3)),
    "colour.tif": lambda path: tiff(path, np.zeros((20, 20, 3), np.uint8), "rgb"),
    "complex.mrc": lambda path: write_mrc(path, IMAGE.astype(np.complex64)),
    "four_bit.mrc": lambda path: patch(write_mrc(path), 12, (101).to_bytes(4, "little")),
    "negative.mrc": lambda path: patch(write_mrc(path), 0, (-5).to_bytes(4, "little", signed=True)),
    "huge.mrc": lambda path: patch(write_mrc(path), 0, (2**30).to_bytes(4, "little")),
    "cut.mrc": lambda path: cut(write_mrc(path), 3000),
    "cut_header.mrc": lambda path: cut(write_mrc(path), 300),
    "cut.tif": lambda path: cut(tiff(path), 3000),
    "lzw.tif": unknown_compression,
    "cut.mrc.gz": lambda path: cut(gzipped(write_mrc(path)), 900),
    "damaged.mrc.gz": lambda path: patch(gzipped(write_mrc(path)), 600, bytes(200)),
}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.mrc", "does not exist"),
        ("directory.mrc", "directory"),
        ("empty.mrc", "empty"),
        ("empty.tif", "empty"),
        ("text.mrc", "not an MRC file"),
        ("text.tif", "TIFF"),
        ("stack.mrcs", "3 sections: run motion correction"),
        ("stack.tif", "3 sections: run motion correction"),
        ("colour.tif", "colour"),
        ("complex.mrc", "complex"),
        ("four_bit.mrc", "mode 101"),
        ("negative.mrc", "header"),
        ("huge.mrc", "truncated"),
        ("cut.mrc", "truncated"),
        ("cut_header.mrc", "header"),
        ("cut.tif", "TIFF"),
        ("lzw.tif", "uncompressed TIFF"),
        ("cut.mrc.gz", "truncated"),
        ("damaged.mrc.gz", "damaged"),
    ],
)
def test_an_unreadable_file_gives_one_sentence_with_its_name_and_the_mend(
    tmp_path: Path, name: str, reason: str
) -> None:
    path = tmp_path / name
    BROKEN[name](path)
    with pytest.raises(CryosegError, match=reason) as caught:
        read_micrograph(path)
    message = str(caught.value)
    assert message.startswith(f"{path} ")
    assert "\n" not in message
    assert ": " in message
