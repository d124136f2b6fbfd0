"""Where RELION expects the files of a micrograph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.micrographs import ListedMicrograph
from relion_wrapper.host import RelionHost, place_of
from relion_wrapper.job import RelionJob
from tests.engine import blobs, write_micrograph

if TYPE_CHECKING:
    from tests.relion_wrapper.conftest import Project

JOB = Path("External/job016")
HOST = RelionHost(RelionJob(JOB))
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
    assert HOST.coordinates(micrograph, "autopick") == Path(coordinates)


def test_a_job_is_known_by_its_alias(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("MotionCorr/job002").mkdir(parents=True)
    Path("MotionCorr/aligned").symlink_to("../MotionCorr/job002/")
    assert place_of("MotionCorr/aligned/Movies/a.mrc") == place_of("MotionCorr/job002/Movies/a.mrc")


@given(st.lists(WORDS, min_size=1, max_size=4))
def test_files_stay_in_the_job_folder_and_apart(words: list[str]) -> None:
    name = f"{'/'.join(words)}.mrc"
    files = HOST.files(ListedMicrograph(name, Path(name)))
    paths = {HOST.coordinates(name, "autopick"), files.candidates, files.preview, files.mask}
    assert len(paths) == 4
    assert all(JOB in path.parents for path in paths)


def test_a_path_out_of_the_project_is_refused() -> None:
    with pytest.raises(CryosegError, match="symbolic link"):
        place_of("../data/a.mrc")


def test_a_path_out_of_the_project_costs_only_its_micrograph(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    outside = write_micrograph(project.folder.parent / "outside.mrc", blobs(0))
    project.write_star([f"../{outside.name}", *project.names])
    assert project.run() == 0
    assert len(project.picked) == 3
    assert "../outside.mrc: the path leaves the project folder" in capsys.readouterr().err


def test_micrographs_that_share_their_files_are_told(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [project.names[0], project.names[0].replace("job001", "job007")]
    project.write_star(names)
    assert project.run() == 1
    assert f"{names[0]} and {names[1]} would share the file External/job002/Movies/mic.0_candidates.star" in (
        capsys.readouterr().err
    )
    assert project.exit_files() == ["EXIT_FAILURE"]
