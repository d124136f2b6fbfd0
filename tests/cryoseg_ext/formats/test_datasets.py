"""Damaged ``.cs`` files end in a sentence, and sound ones are read as the client reads them."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from cryosparc.dataset import CSDAT_FORMAT, NUMPY_FORMAT, Dataset

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.datasets import load_dataset

CASES = sorted((Path(__file__).resolve().parents[3].parent / "shared/cases/mutated").glob("*.cs"))


def _write(path: Path, file_format: int) -> Path:
    columns = {
        "uid": np.arange(3, dtype=np.uint64) + 10**17,
        "location/micrograph_path": np.array(["a.mrc", "bé.mrc", ""], object),
        "location/micrograph_shape": np.full((3, 2), 30, np.uint32),
        "blob/psize_A": np.full(3, 1.5, np.float32),
    }
    Dataset(columns).save(path, format=file_format)
    return path


@pytest.mark.parametrize("file_format", [NUMPY_FORMAT, CSDAT_FORMAT])
def test_sound_files_are_read_as_the_client_reads_them(tmp_path: Path, file_format: int) -> None:
    path = _write(tmp_path / "a.cs", file_format)
    expected, found = Dataset.load(path, prefixes=["location"]), load_dataset(path, ["location"])
    assert found.descr() == expected.descr()
    for name in expected.fields():
        np.testing.assert_array_equal(np.asarray(found[name]), np.asarray(expected[name]))


@pytest.mark.parametrize("file_format", [NUMPY_FORMAT, CSDAT_FORMAT])
@pytest.mark.parametrize("keep", [5, 40, -9])
def test_a_file_that_was_cut_is_said_to_be_damaged(tmp_path: Path, file_format: int, keep: int) -> None:
    path = _write(tmp_path / "a.cs", file_format)
    content = path.read_bytes()
    # The last bytes of a compressed file are its texts.
    path.write_bytes(content[: keep if keep > 0 else keep - 30 * (file_format == CSDAT_FORMAT)])
    with pytest.raises(CryosegError, match="is not a readable CryoSPARC file") as caught:
        load_dataset(path, ["location"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_files_that_crashed_the_client_are_refused_or_read(tmp_path: Path, case: Path) -> None:
    path = Path(shutil.copy(case, tmp_path))
    with suppress(CryosegError):
        load_dataset(path, ["location"])
