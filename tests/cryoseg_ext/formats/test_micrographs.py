"""Lists of micrographs, from whatever program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from cryosparc.dataset import Dataset

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.groups import Exposure, ImageCopy
from cryoseg_ext.formats.micrographs import MicrographList, read_micrographs, with_copies
from tests.cryoseg_ext.formats.stars import MODERN, RELION_3_0, SINGLE_ROW_BLOCK

A, B, C = "MotionCorr/job002/a.mrc", "MotionCorr/job002/b.mrc", "12 34.mrc"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _read_star(text: str, pixel_size_A: float | None = None) -> MicrographList:
    path = Path("micrographs.star")
    path.write_text(text)
    return read_micrographs([path], pixel_size_A)


def _sizes_A(listed: MicrographList) -> dict[str, float | None]:
    return {one.name: one.pixel_size_A for one in listed.micrographs}


def _touched(*names: str) -> list[str]:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    return list(names)


@pytest.mark.parametrize("number", ["3", "3.0"], ids=["as RELION", "as other programs"])
def test_each_micrograph_has_the_pixel_size_of_its_optics_group(number: str) -> None:
    listed = _read_star(MODERN.replace("b.mrc  3 ", f"b.mrc  {number} "))
    assert _sizes_A(listed) == {A: 0.854, B: 1.334}
    assert listed.of_relion
    assert listed.optics is not None
    assert list(listed.problems) == [C]
    assert "micrographs.star gives no pixel size for its optics group 9: add the group" in listed.problems[C]


def test_a_relion_3_0_file_gives_the_pixel_size_by_magnification() -> None:
    listed = _read_star(RELION_3_0)
    assert _sizes_A(listed) == pytest.approx({A: 5.0, B: 2.8, C: 5.0})
    assert listed.optics is None


def test_a_table_of_one_row_may_be_written_without_a_loop() -> None:
    assert _sizes_A(_read_star(SINGLE_ROW_BLOCK)) == {"a.mrc": 1.5}


@pytest.mark.parametrize("size", ["0", "-1.5", "nan", "unknown"])
@pytest.mark.parametrize(
    "text",
    [
        SINGLE_ROW_BLOCK,
        "data_\n\nloop_\n_rlnMicrographName #1\n_rlnMicrographPixelSize #2\na.mrc 1.5\n",
        "data_\n\nloop_\n_rlnMicrographName #1\n_rlnDetectorPixelSize #2\n_rlnMagnification #3\na.mrc 5 1.5",
    ],
    ids=["optics", "size", "magnification"],
)
def test_a_pixel_size_that_is_none_costs_its_micrograph_unless_it_is_given(text: str, size: str) -> None:
    listed = _read_star(text.replace("1.5", size))
    assert not listed.by_name
    assert "a.mrc: micrographs.star gives no pixel size" in listed.problems["a.mrc"]
    assert _sizes_A(_read_star(text.replace("1.5", size), pixel_size_A=2.0)) == {"a.mrc": 2.0}


def test_a_pixel_size_that_is_given_counts_for_all() -> None:
    listed = _read_star(MODERN, pixel_size_A=2.0)
    assert _sizes_A(listed) == {A: 2.0, B: 2.0, C: 2.0}
    assert not listed.problems


@pytest.mark.parametrize(
    "text",
    [
        "data_\n\nloop_\n_rlnMicrographName #1\na.mrc\n",
        MODERN.replace("_rlnMicrographPixelSize", "_rlnSomething"),
        SINGLE_ROW_BLOCK.replace("_rlnOpticsGroup #2", "_rlnSomething #2"),
    ],
    ids=["names alone", "no size", "no group"],
)
def test_without_any_pixel_size_the_header_of_each_file_counts(text: str) -> None:
    listed = _read_star(text)
    assert set(_sizes_A(listed).values()) == {None}
    assert not listed.problems


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no tables"),
        ("data_micrographs\n\n", "data_micrographs; no rlnMicrographName"),
        (
            "data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnOpticsGroup #2\n",
            "lists no micrographs: give",
        ),
        (
            "data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnX #2\na.mrc\nb.mrc 1 2\n",
            "row 1 of data_micrographs has 1 of 2",
        ),
        ("data_movies\n\nloop_\n_rlnMicrographMovieName #1\na.tif\n", "movies: give the micrographs.star of"),
        ("data_micrographs\n\nloop_\n_rlnOpticsGroup #1\n1\n", "no rlnMicrographName"),
        ("data_global\n\nloop_\n_rlnTomoName #1\n_rlnTomoTiltSeriesStarFile #2\na b.star\n", "tomograms: "),
        (
            "data_coordinate_files\n\nloop_\n_rlnMicrographName #1\n_rlnMicrographCoordinates #2\na.mrc b\n",
            "files of coordinates: give the micrographs that were picked",
        ),
        (
            "data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n1 2\n",
            "particles: give the micrographs STAR",
        ),
        (
            "data_particles\n\nloop_\n_rlnImageName #1\n_rlnMicrographName #2\n1@a.mrcs a.mrc\n",
            "particle images: give the micrographs STAR",
        ),
        (
            "data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnImageName #2\na.mrc 1@a.mrcs\n",
            "particle images: give the micrographs STAR",
        ),
        ("data_\n\nloop_\n_rlnMicrographName #1\na.mrc\nb.mrc\na.mrc\n", "a.mrc is listed twice in"),
    ],
    ids=[
        *("empty", "no loop", "no rows", "ragged", "movies", "no names", "tomograms", "coordinates"),
        *("picks", "particles", "old particles", "twice"),
    ],
)
def test_an_unusable_star_file_is_told_in_one_sentence(text: str, told: str) -> None:
    with pytest.raises(CryosegError, match=told) as caught:
        _read_star(text)
    assert "micrographs.star" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["missing.star", "folder.star"])
def test_a_star_file_that_cannot_be_opened_is_told(name: str) -> None:
    Path("folder.star").mkdir()
    with pytest.raises(CryosegError, match=name):
        read_micrographs([name])


def test_paths_start_at_the_project_folder_around_the_list() -> None:
    _touched(f"project/{A}")
    Path("project/CtfFind/job003").mkdir(parents=True)
    star = Path("project/CtfFind/job003/micrographs_ctf.star")
    star.write_text(MODERN)
    (first, _) = read_micrographs([star]).micrographs
    assert (first.name, first.path) == (A, Path(f"project/{A}").absolute())


def test_files_patterns_and_folders_are_told_by_their_paths() -> None:
    _touched("in/b.mrc", "in/a.mrc", "in/c.TIF", "in/d.mrc.bz2", "in/a.txt", "in/.hidden.mrc", "x/e.mrc")
    of_folder = ["in/a.mrc", "in/b.mrc", "in/c.TIF", "in/d.mrc.bz2"]
    assert list(read_micrographs(["in"]).by_name) == of_folder
    assert list(read_micrographs(["./in/*.mrc", "in/a.mrc", "x/*", "gone.mrc"]).by_name) == [
        *("in/a.mrc", "in/b.mrc", "x/e.mrc"),
        # Its absence is told when it is read.
        "gone.mrc",
    ]
    listed = read_micrographs([Path("in/a.mrc").absolute()], 1.25)
    assert _sizes_A(listed) == {Path("in/a.mrc").absolute().as_posix(): 1.25}
    assert not listed.of_relion


def test_a_name_with_brackets_is_a_file_where_it_exists() -> None:
    assert list(read_micrographs(_touched("a[1].mrc")).by_name) == ["a[1].mrc"]


@pytest.mark.parametrize(
    ("sources", "told"),
    [
        ([], "no micrographs are given"),
        (["x*.mrc"], "no file matches"),
        (["empty"], "empty holds no micrographs: give a folder"),
        (["missing.csg"], "missing.csg cannot be read"),
        (["missing.cs"], "missing.cs does not exist"),
    ],
)
def test_what_stands_for_nothing_is_told(sources: list[str], told: str) -> None:
    Path("empty").mkdir()
    with pytest.raises(CryosegError, match=told):
        read_micrographs(sources)


def _write_group(number: int) -> str:
    """Write a group of two exposures, the second without a known pixel size, and a denoised copy of each."""
    job = Path(f"J{number}")
    job.mkdir()
    blobs = {"micrograph_blob": (60, 80, 1.5), "micrograph_blob_denoised": (30, 40, 3.0)}
    columns: dict[str, object] = {"uid": [10 * number + 1, 10 * number + 2]}
    for slot, (ny, nx, size_A) in blobs.items():
        columns |= {
            f"{slot}/path": [f">J{number}/{name}{slot[15:]}.mrc" for name in "ab"],
            f"{slot}/shape": np.array([[ny, nx]] * 2, np.uint32),
            f"{slot}/psize_A": np.array([size_A, 0.0], np.float32),
        }
    Dataset(columns).save(job / "out.cs")
    results = {slot: {"metafile": ">out.cs"} for slot in blobs}
    (job / "out.csg").write_text(yaml.safe_dump({"results": results, "version": f"v4.{number}"}))
    _touched(f"J{number}/a.mrc", f"J{number}/a_denoised.mrc")
    return f"J{number}/out.csg"


def test_exposures_of_cryosparc_are_listed_with_their_project(folder: Path) -> None:
    for source in (_write_group(1), "J1/out.cs"):
        listed = read_micrographs([source])
        assert _sizes_A(listed) == {"J1/a.mrc": 1.5, "J1/b.mrc": None}
        first = listed.by_name["J1/a.mrc"]
        assert (first.path, first.shape, first.copy) == (folder / "J1/a.mrc", (60, 80), None)
        assert first.exposure == Exposure(11, "J1/a.mrc", (60, 80), 1.5, 0)
    assert _sizes_A(read_micrographs(["J1/out.csg"], 2.0)) == {"J1/a.mrc": 2.0, "J1/b.mrc": 2.0}


def test_a_copy_of_cryosparc_is_picked_and_the_micrograph_is_named(folder: Path) -> None:
    first, second = read_micrographs([_write_group(1)], image_slot="micrograph_blob_denoised").micrographs
    assert (first.name, first.path, first.pixel_size_A) == ("J1/a.mrc", folder / "J1/a.mrc", 1.5)
    assert first.copy == ImageCopy(folder / "J1/a_denoised.mrc", 3.0, (30, 40))
    assert second.copy is not None
    assert (first.image, second.copy.pixel_size_A) == (folder / "J1/a_denoised.mrc", None)
    with pytest.raises(CryosegError, match="has no micrograph_blob_dn/path: give the exposures"):
        read_micrographs(["J1/out.csg"], image_slot="micrograph_blob_dn")


def test_several_lists_are_one() -> None:
    listed = read_micrographs([_write_group(1), _write_group(2), *_touched("c.mrc")])
    assert list(listed.by_name) == ["J1/a.mrc", "J1/b.mrc", "J2/a.mrc", "J2/b.mrc", "c.mrc"]
    assert listed.version == "v4.1"


def test_copies_are_found_by_name_and_missing_ones_cost_their_micrographs() -> None:
    _touched("denoised/a_denoised.mrc", "denoised/other.mrc")
    listed = with_copies(_read_star(MODERN), "denoised")
    (micrograph,) = listed.micrographs
    assert (micrograph.name, micrograph.path, micrograph.pixel_size_A) == (A, Path(A), 0.854)
    assert micrograph.image == Path("denoised/a_denoised.mrc")
    assert list(listed.problems) == [C, B]
    assert listed.problems[B] == f"{B}: --pick_on denoised has no image of this name"
    with pytest.raises(CryosegError, match="none of its images has the name of a micrograph"):
        with_copies(_read_star(RELION_3_0), "denoised/other.mrc")
