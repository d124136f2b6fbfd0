"""CryoSPARC's ``.cs`` files, read behind a guard.

The client's ``Dataset.load`` trusts the header and the table of fields of a file, and its C code writes
outside of its memory where they are damaged. So the usual files, which are numpy's, are read by numpy, after
their header has been checked against the length of the file, and only clean columns reach the client. The
compressed files of newer jobs can be read by the client alone: that is done in a child process, which may
die, and what it read comes back as a numpy file.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.paths import exists
from cryoseg_ext.words import printable

if TYPE_CHECKING:
    from cryosparc.dataset import Dataset

_NUMPY, _COMPRESSED = b"\x93NUMPY", b"\x95CSDAT"
_NAME = re.compile(r"\w[\w.+-]*(/[\w.+-]+)*", re.ASCII)
_MOST_FIELDS = 2000
_MOST_HEADER_BYTES = 1_000_000
# Of text and numbers; a path may have more letters than a number has bytes.
_MOST_ROW_BYTES = 10_000_000
_CHILD = (
    "import sys; from cryosparc.dataset import Dataset; "
    "Dataset.load(sys.argv[1], prefixes=sys.argv[3:]).save(sys.argv[2])"
)
_CHILD_SECONDS = 600


def load_dataset(path: Path, slots: Sequence[str]) -> Dataset:
    """Read the columns ``uid`` and ``SLOT/...`` of some slots of a ``.cs`` file.

    Raises
    ------
    CryosegError
        If the file is missing, damaged, or something else.
    """
    if not exists(path, Path.is_file):
        raise CryosegError(f"{path} does not exist: copy it together with the other files of its job")
    try:
        with path.open("rb") as file:
            start = file.read(len(_NUMPY))
            if start == _COMPRESSED:
                _check_compressed(file, path.stat().st_size)
        if start == _COMPRESSED:
            return _in_child(path, slots)
        if start != _NUMPY:
            raise ValueError(f"it starts with {start!r}")
        return _dataset(_read_numpy(path), slots)
    except Exception as error:
        reason = printable(" ".join(str(error).split()))[:150] or type(error).__name__
        raise CryosegError(f"{path} is not a readable CryoSPARC file ({reason}): copy it again") from None


def _read_numpy(path: Path) -> NDArray[Any]:
    """Return the rows of a numpy file whose header fits its length."""
    formats = np.lib.format
    readers = {(1, 0): formats.read_array_header_1_0, (2, 0): formats.read_array_header_2_0}
    with path.open("rb") as file:
        version = formats.read_magic(file)
        if version not in readers:
            raise ValueError(f"its version is {version}")
        shape, _, dtype = readers[version](file, max_header_size=_MOST_HEADER_BYTES)
        left = path.stat().st_size - file.tell()
        if len(shape) != 1 or not dtype.names or dtype.hasobject:
            raise ValueError("it holds no table of columns")
        _check_fields([(name, dtype[name].itemsize) for name in dtype.names])
        (rows,) = shape
        if not 0 <= rows * dtype.itemsize <= left:
            raise ValueError(f"it ends before the last of its {rows} rows")
        offset = file.tell()
    return np.memmap(path, dtype, "r", offset, (rows,)) if rows else np.zeros(0, dtype)


def _dataset(rows: NDArray[Any], slots: Sequence[str]) -> Dataset:
    from cryosparc.dataset import Dataset

    names = [name for name in rows.dtype.names or () if name == "uid" or name.partition("/")[0] in slots]
    if "uid" not in names:
        raise ValueError("it has no uid")
    return Dataset({name: _column(name, rows[name]) for name in names})


def _column(name: str, values: NDArray[Any]) -> NDArray[Any]:
    if name == "uid" and (values.dtype != np.uint64 or values.ndim != 1):
        raise ValueError("its uid are no numbers of 64 bits")
    if values.dtype.kind not in "biufcSU" or values.ndim > 3:
        raise ValueError(f"{name} holds neither numbers nor text")
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8")
    return values.astype(object) if values.dtype.kind == "U" else values.copy()


def _check_fields(fields: Sequence[tuple[str, int]]) -> None:
    names = [name for name, _ in fields]
    bad = next((name for name in names if not _NAME.fullmatch(name) or len(name) > 200), None)
    if bad is not None:
        raise ValueError(f"{bad[:50]!r} is no name of a column")
    if len(set(names)) < len(names) or len(names) > _MOST_FIELDS:
        raise ValueError("its columns are there twice, or are too many")
    if sum(size for _, size in fields) > _MOST_ROW_BYTES:
        raise ValueError("its rows are too long")


def _check_compressed(file: IO[bytes], length: int) -> None:
    """Compare the header and the table of fields with the length of the file."""
    header_bytes = int.from_bytes(file.read(4), "little")
    if header_bytes > min(length, _MOST_HEADER_BYTES):
        raise ValueError("it ends within its header")
    header = json.loads(file.read(header_bytes))
    rows, compressed = header["length"], header["compressed_fields"]
    fields = [(str(name), _item_bytes(str(kind), *shape)) for name, kind, *shape in header["dtype"]]
    _check_fields(fields)
    # The uids are never compressed.
    if not isinstance(rows, int) or not 0 <= 8 * rows <= length:
        raise ValueError(f"it ends before the last of its {rows} rows")
    for name, item_bytes in fields if rows else []:
        size = int.from_bytes(file.read(4), "little")
        if (name not in compressed and size != rows * item_bytes) or file.tell() + size > length:
            raise ValueError(f"{name} has another length than its rows")
        file.seek(size, os.SEEK_CUR)


def _item_bytes(kind: str, shape: Sequence[Any] = ()) -> int:
    """Return the bytes of a value; texts are numbers of 8 bytes that point into a heap."""
    if kind not in ("|O", "|S") and np.dtype(kind).kind not in "biufcS":
        raise ValueError(f"{kind!r} is no type of a column")
    if len(shape) > 2 or not all(isinstance(n, int) and 0 < n < 100_000 for n in shape):
        raise ValueError(f"{shape!r} is no size of a column")
    bytes_each = 8 if kind[1:2] in ("O", "S") else np.dtype(kind).itemsize
    return bytes_each * int(np.prod(shape, dtype=np.int64))


def _in_child(path: Path, slots: Sequence[str]) -> Dataset:
    with tempfile.TemporaryDirectory(prefix="cryoseg-") as folder:
        copy = Path(folder, "read.cs")
        command = [sys.executable, "-c", _CHILD, str(path), str(copy), *slots]
        try:
            child = subprocess.run(command, capture_output=True, timeout=_CHILD_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise ValueError("its columns cannot be unpacked") from None
        if child.returncode or not copy.is_file():
            last = child.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise ValueError(" ".join(last) or "its columns cannot be unpacked")
        return _dataset(_read_numpy(copy), slots)
