from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoseg_ext.errors import CryosegError
from relion_wrapper.paths import check_collisions, micrograph_files

JOB = Path("External/job016")
WORDS = st.text("abjo019._- ", min_size=1, max_size=8).filter(lambda word: word.strip(". ") != "")


@pytest.mark.parametrize(
    ("micrograph", "coordinates"),
    [
        ("MotionCorr/job077/Movies/a.mrc", "External/job016/Movies/a_autopick.star"),
        ("MotionCorr/job077/a.b.mrc", "External/job016/a.b_autopick.star"),
        ("MotionCorr/job077/Movies/job003/a.mrc", "External/job016/Movies/job003/a_autopick.star"),
        ("Micrographs/a.mrc", "External/job016/Micrographs/a_autopick.star"),
        ("Micrographs/job001.mrc", "External/job016/Micrographs/job001_autopick.star"),
        ("/data/session/a.tif", "External/job016/data/session/a_autopick.star"),
        ("a.mrc", "External/job016/a_autopick.star"),
    ],
)
def test_coordinates_lie_where_relion_looks_for_them(micrograph: str, coordinates: str) -> None:
    assert micrograph_files(JOB, micrograph).coordinates == Path(coordinates)


def test_a_job_is_known_by_its_alias(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("MotionCorr/job002").mkdir(parents=True)
    Path("MotionCorr/aligned").symlink_to("../MotionCorr/job002/")
    assert micrograph_files(JOB, "MotionCorr/aligned/Movies/a.mrc") == micrograph_files(
        JOB, "MotionCorr/job002/Movies/a.mrc"
    )


@given(st.lists(WORDS, min_size=1, max_size=4))
def test_files_stay_in_the_job_folder_and_apart(words: list[str]) -> None:
    files = micrograph_files(JOB, f"{'/'.join(words)}.mrc")
    paths = {files.coordinates, files.candidates, files.preview}
    assert len(paths) == 3
    assert all(JOB in path.parents for path in paths)


def test_a_path_out_of_the_project_is_refused() -> None:
    with pytest.raises(CryosegError, match="symbolic link"):
        micrograph_files(JOB, "../data/a.mrc")


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["MotionCorr/job002/a.mrc", "MotionCorr/job005/a.mrc"], "share the coordinate file"),
        (["Micrographs/a.mrc", "Micrographs/a.mrc"], "listed twice"),
    ],
)
def test_micrographs_that_share_a_coordinate_file_are_told(names: list[str], told: str) -> None:
    with pytest.raises(CryosegError, match=told) as caught:
        check_collisions([(name, micrograph_files(JOB, name)) for name in names])
    assert all(name in str(caught.value) for name in names)
