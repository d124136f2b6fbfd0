"""Reading of micrographs in every format, and of files that are none."""

from __future__ import annotations

import bz2
import gzip
import subprocess
import sys
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.image.reading import read_micrograph, read_shape
from tests.cryoseg_ext.image.files import IMAGE, MODES, claims, gzipped, patch, write_mrc


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


@pytest.mark.parametrize(
    ("statistics", "offset", "unsigned"),
    [
        ((0, 255), 128, True),
        ((5, 250), 128, True),
        ((0, 0), 128, True),
        ((0, 0), 0, False),
        ((0, 255), 0, False),
    ],
)
def test_unsigned_bytes_of_others_show_in_the_statistics(
    tmp_path: Path, statistics: tuple[float, float], offset: int, unsigned: bool
) -> None:
    image = np.random.default_rng(1).normal(offset, 25, (60, 70)).astype(np.int64).astype(np.int8)
    path = write_mrc(tmp_path / "a.mrc", image)
    assert not read_micrograph(path).notes
    np.testing.assert_array_equal(read_micrograph(path).image, image)
    patch(path, 76, np.array(statistics, "<f4").tobytes())
    micrograph = read_micrograph(path)
    np.testing.assert_array_equal(micrograph.image, image.view(np.uint8) if unsigned else image)
    assert ["unsigned" in note for note in micrograph.notes] == [True] * unsigned


@pytest.mark.parametrize("stamp", [b"\x44\x44", b"\x11\x11", b"\0\0"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("mode", list(MODES))
def test_the_byte_order_is_that_of_the_header_whatever_its_stamp(
    tmp_path: Path, stamp: bytes, order: str, mode: int
) -> None:
    image = IMAGE.astype(np.dtype(f"{order}{np.dtype(MODES[mode]).str[1:]}"))
    path = patch(write_mrc(tmp_path / "a.mrc", image), 212, stamp)
    np.testing.assert_array_equal(read_micrograph(path).image, IMAGE)


@settings(max_examples=50, deadline=None)
@given(cell_A=st.floats(1, 1e4, width=32), sampling=st.integers(1, 5000))
def test_the_pixel_size_is_to_the_last_digit_that_of_mrcfile(
    tmp_path_factory: pytest.TempPathFactory, cell_A: float, sampling: int
) -> None:
    path = write_mrc(tmp_path_factory.mktemp("mrc") / "a.mrc")
    with mrcfile.open(path, "r+") as mrc:
        mrc.header.mx = mrc.header.my = sampling
        mrc.header.cella.x = mrc.header.cella.y = cell_A
        expected = float(mrc.voxel_size.x)
    if read := read_micrograph(path).pixel_size_A:
        assert read == expected


@pytest.mark.parametrize(
    ("voxel_size", "sampling", "told"),
    [
        ((1.5, 1.5, 1.5), 31, ()),
        ((1.0, 1.5, 1.5), 31, ("along x",)),
        ((1.0, 1.0, 1.0), 31, ("exactly 1",)),
        ((0.15, 0.15, 0.15), 31, ("--pixel_size 1.5",)),
        ((80.0, 80.0, 80.0), 31, ("unusually",)),
        ((3.0, 3.0, 3.0), 62, (r"where the size would mean 3", "along x")),
    ],
)
def test_a_doubtful_pixel_size_is_noted(
    tmp_path: Path, voxel_size: Any, sampling: int, told: tuple[str, ...]
) -> None:
    path = tmp_path / "a.mrc"
    with mrcfile.new(path, IMAGE) as mrc:
        mrc.voxel_size = voxel_size
        mrc.header.mx = sampling
    micrograph = read_micrograph(path)
    assert len(micrograph.pixel_size_notes) == len(told)
    assert all(any(word in note for note in micrograph.pixel_size_notes) for word in told)
    assert not micrograph.notes


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_an_extended_header_that_is_absent_is_noted(tmp_path: Path, suffix: str) -> None:
    path = claims(tmp_path / f"a.mrc{suffix}", extended=4096)
    micrograph = read_micrograph(gzipped(path) if suffix else path)
    np.testing.assert_array_equal(micrograph.image, IMAGE)
    assert "4096 bytes, which is absent" in micrograph.notes[0]


@pytest.mark.parametrize("compression", ["lzw", "zstd", "zlib", "packbits", "lzma"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_compressed_tiff_is_read(tmp_path: Path, compression: str, dtype: type) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, IMAGE.astype(dtype)[::-1], compression=compression, rowsperstrip=7)
    np.testing.assert_array_equal(read_micrograph(path).image, IMAGE)


def test_the_limit_of_the_size_can_be_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_mrc(tmp_path / "a.mrc")
    monkeypatch.setenv("CRYOSEG_MAX_MEGAPIXELS", "0.001")
    with pytest.raises(CryosegError, match="31 x 48 px of 32 bits, over the limit"):
        read_micrograph(path)
    monkeypatch.setenv("CRYOSEG_MAX_MEGAPIXELS", "0.01")
    assert read_micrograph(path).image.shape == read_shape(path) == IMAGE.shape
    monkeypatch.setenv("CRYOSEG_MAX_MEGAPIXELS", "many")
    with pytest.raises(CryosegError, match="not a number"):
        read_micrograph(path)


def test_no_more_is_unpacked_than_the_header_claims(tmp_path: Path) -> None:
    path = write_mrc(tmp_path / "a.mrc.gz")
    path.write_bytes(gzip.compress(path.read_bytes() + bytes(300_000_000), 1))
    code = (
        "import sys; from pathlib import Path; from cryoseg_ext.image.reading import read_micrograph;"
        "print(read_micrograph(Path(sys.argv[1])).image.shape);"
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    shape, kilobytes = done.stdout.splitlines()
    assert shape == str(IMAGE.shape)
    assert int(kilobytes) < 150_000


@pytest.mark.parametrize("error", [MemoryError(), ValueError("two\nlines"), TypeError()])
def test_whatever_a_reader_raises_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*args: object) -> None:
        raise error

    monkeypatch.setattr("cryoseg_ext.image.mrc._read", fail)
    with pytest.raises(CryosegError, match=r"a\.mrc .*: ") as caught:
        read_micrograph(write_mrc(tmp_path / "a.mrc"))
    assert "\n" not in str(caught.value)
