"""Micrograph files, sound and not, for the tests of their readers."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
from numpy.typing import NDArray

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


def claims(path: Path, ny: int = 48, nx: int = 31, mode: int = 2, extended: int = 0) -> Path:
    """Write an MRC file whose header claims what the file does not have."""
    write_mrc(path)
    for offset, number in ((0, nx), (4, ny), (12, mode), (92, extended)):
        patch(path, offset, number.to_bytes(4, "little", signed=True))
    return path


def cut(path: Path, length: int) -> Path:
    path.write_bytes(path.read_bytes()[:length])
    return path


def gzipped(path: Path) -> Path:
    path.write_bytes(gzip.compress(path.read_bytes()))
    return path
