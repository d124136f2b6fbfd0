"""Files that are no micrographs, damaged or hostile: each is one sentence with its name and the remedy."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.image.reading import read_micrograph, read_shape
from tests.cryoseg_ext.image.files import IMAGE, claims, cut, gzipped, patch, write_mrc


def tiff(path: Path, data: NDArray[Any] = IMAGE, photometric: str = "minisblack") -> Path:
    tifffile.imwrite(path, data, photometric=photometric)
    return path


def false_compression(path: Path) -> Path:
    with tifffile.TiffFile(tiff(path), mode="r+") as file:
        file.pages.first.tags["Compression"].overwrite(5)
    return path


def sparse(path: Path, side_px: int) -> None:
    claims(path, side_px, side_px)
    os.truncate(path, 1024 + 4 * side_px**2)


def packed_bomb(path: Path) -> None:
    with gzip.open(path, "wb", 1) as file:
        file.write(claims(path.with_suffix(".part"), 42_000, 42_000).read_bytes()[:1024])
        for _ in range(3):
            file.write(bytes(10_000_000))


def tiff_tag(path: Path, name: str, value: int) -> Path:
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages.first.tags[name].overwrite(value)
    return path


def strips(path: Path) -> Path:
    tifffile.imwrite(path, IMAGE, rowsperstrip=8, compression="zlib")
    return path


def imagej_stack(path: Path) -> None:
    """Write a stack as ImageJ does, whose single page says in its description how many there are."""
    tifffile.imwrite(path, IMAGE, description="ImageJ=1.53\nimages=3\nslices=3\n", metadata=None)


def missing_strip(path: Path) -> None:
    with tifffile.TiffFile(strips(path), mode="r+") as file:
        tag = file.pages.first.tags["StripByteCounts"]
        tag.overwrite((*tag.value[:-1], 0))


BROKEN: dict[str, Callable[[Path], object]] = {
    "missing.mrc": str,
    "directory.mrc": Path.mkdir,
    "empty.mrc": Path.touch,
    "empty.tif": Path.touch,
    "text.mrc": lambda path: path.write_text("not a micrograph\n" * 200),
    "text.tif": lambda path: path.write_text("not a micrograph\n" * 200),
    "stack.mrcs": lambda path: write_mrc(path, np.stack([IMAGE] * 3)),
    "stack.tif": lambda path: tiff(path, np.stack([IMAGE] * 3)),
    "imagej.tif": imagej_stack,
    "colour.tif": lambda path: tiff(path, np.zeros((20, 20, 3), np.uint8), "rgb"),
    "complex.mrc": lambda path: write_mrc(path, IMAGE.astype(np.complex64)),
    "four_bit.mrc": lambda path: patch(write_mrc(path), 12, (101).to_bytes(4, "little")),
    "negative.mrc": lambda path: patch(write_mrc(path), 0, (-5).to_bytes(4, "little", signed=True)),
    "huge.mrc": lambda path: patch(write_mrc(path), 0, (2**30).to_bytes(4, "little")),
    "cut.mrc": lambda path: cut(write_mrc(path), 3000),
    "cut_header.mrc": lambda path: cut(write_mrc(path), 300),
    "cut.tif": lambda path: cut(tiff(path), 3000),
    "lzw.tif": false_compression,
    "cut.mrc.gz": lambda path: cut(gzipped(write_mrc(path)), 900),
    "damaged.mrc.gz": lambda path: patch(gzipped(write_mrc(path)), 600, bytes(200)),
    "pipe.mrc": os.mkfifo,
    "zeros.mrc": lambda path: path.write_bytes(bytes(5000)),
    "a.dm4": lambda path: path.write_bytes(
        bytes.fromhex("00000004000000000206f040000000010100") + bytes(5000)
    ),
    "a.mrc": lambda path: path.write_bytes(bytes.fromhex("000000030206f040000000010100") + bytes(5000)),
    "hdf.mrc": lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(5000)),
    "tiff.mrc": lambda path: tiff(path.with_suffix(".tif")).rename(path),
    "colour.mrc": lambda path: claims(path, mode=16),
    "complex_integers.mrc": lambda path: claims(path, mode=3),
    "four_bit_imod.mrc": lambda path: patch(claims(path, mode=0), 152, b"IMOD" + bytes([16, 0, 0, 0])),
    "1kB.mrc": lambda path: cut(claims(path, 30_000, 30_000), 1024),
    "sparse.mrc": lambda path: sparse(path, 30_000),
    "bomb.mrc.gz": packed_bomb,
    "extended.mrc": lambda path: claims(path, extended=2**31 - 1),
    "extended.mrc.gz": lambda path: gzipped(claims(path, extended=2**31 - 1)),
    "extended_cut.mrc": lambda path: cut(claims(path, extended=4096), 6000),
    "eer.eer": tiff,
    "eer.tif": lambda path: tiff_tag(tiff(path), "Compression", 65001),
    "3_bytes.tif": lambda path: path.write_bytes(b"II*"),
    "huge.tif": lambda path: tiff_tag(tiff(path), "ImageLength", 30_000_000),
    "huge_packed.tif": lambda path: tiff_tag(strips(path), "ImageLength", 30_000_000),
    "strips.tif": lambda path: cut(strips(path), 1500),
    "missing.tif": missing_strip,
    "no_rows.tif": lambda path: tiff_tag(tiff(path), "RowsPerStrip", 0),
    "empty_size.tif": lambda path: tiff_tag(tiff(path), "ImageWidth", 0),
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
        ("imagej.tif", "3 sections: run motion correction"),
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
        ("pipe.mrc", "pipe"),
        ("zeros.mrc", "holds no image"),
        ("a.dm4", "not an MRC file but .*dm2mrc"),
        ("a.mrc", "not an MRC file but .*dm2mrc"),
        ("hdf.mrc", "e2proc2d"),
        ("tiff.mrc", r"end in \.tif"),
        ("colour.mrc", "mode 16"),
        ("complex_integers.mrc", "complex"),
        ("four_bit_imod.mrc", "newstack -mode 2"),
        ("1kB.mrc", "truncated"),
        ("sparse.mrc", "CRYOSEG_MAX_MEGAPIXELS to 901"),
        ("bomb.mrc.gz", "CRYOSEG_MAX_MEGAPIXELS to 1765"),
        ("extended.mrc", "extended header"),
        ("extended.mrc.gz", "extended header"),
        ("extended_cut.mrc", "truncated"),
        ("eer.eer", "EER"),
        ("eer.tif", "EER"),
        ("3_bytes.tif", "TIFF"),
        ("huge.tif", "truncated TIFF"),
        ("huge_packed.tif", "CRYOSEG_MAX_MEGAPIXELS"),
        ("strips.tif", "truncated"),
        ("missing.tif", "1 of its 6 pieces"),
        ("no_rows.tif", "TIFF"),
        ("empty_size.tif", "holds no image"),
    ],
)
def test_an_unreadable_file_gives_one_sentence_with_its_name_and_the_remedy(
    tmp_path: Path, name: str, reason: str
) -> None:
    path = tmp_path / name
    BROKEN[name](path)
    with pytest.raises(CryosegError, match=reason) as caught:
        read_micrograph(path)
    with suppress(CryosegError):
        read_shape(path)
    message = str(caught.value)
    assert message.startswith(f"{path} ")
    assert "\n" not in message
    assert ": " in message
