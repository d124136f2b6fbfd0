"""Rows, not files: what is wrong with a row is named by its line, and the others are used."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.lines import problems_of
from cryoseg_ext.formats.micrographs import read_micrographs
from cryoseg_ext.formats.reading import read_located_picks
from cryoseg_ext.formats.star_reading import read_tables

HEAD = "data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnOpticsGroup #2\n"
OPTICS = "data_optics\n\nloop_\n_rlnOpticsGroup #1\n_rlnMicrographPixelSize #2\n1 1.5\n\n"


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("b.mrc", "line 7: row 2 of data_micrographs has 1 of 2 values: complete or remove it"),
        ("b.mrc 1 7", "line 7: row 2 of data_micrographs has 3 of 2 values"),
        ("my data/b.mrc 1", "put names with spaces in quotes"),
        ("\udcff.mrc 1", "line 7 is not text in UTF-8"),
        ("b" * 5000 + " 1", "line 7: a value is longer than 4096 characters"),
        ("b" * 200_000, "line 7 is longer than 100000 characters"),
    ],
)
def test_a_bad_row_of_a_star_file_costs_only_itself(tmp_path: Path, row: str, sentence: str) -> None:
    path = tmp_path / "m.star"
    path.write_text(f"{HEAD}a.mrc 1\n{row}\n'c d.mrc' 1\n", encoding="utf-8", errors="surrogateescape")
    table = read_tables(path)["micrographs"]
    assert list(table["rlnMicrographName"]) == ["a.mrc", "c d.mrc"]
    (problem,) = problems_of(table)
    assert sentence in problem
    assert len(problem) < 1000
    assert list(read_micrographs([path]).problems.values()) == [problem]


def test_labels_that_are_there_twice_are_named_and_the_first_counts(tmp_path: Path) -> None:
    path = tmp_path / "m.star"
    path.write_text(f"{HEAD}_rlnOpticsGroup #3\na.mrc 1 2\n")
    table = read_tables(path)["micrographs"]
    assert table["rlnOpticsGroup"].tolist() == [1]
    assert "line 6: rlnOpticsGroup is there twice" in problems_of(table)[0]


def test_text_in_utf_16_is_said(tmp_path: Path) -> None:
    path = tmp_path / "m.star"
    path.write_text(f"{HEAD}a.mrc 1\n", encoding="utf-16")
    with pytest.raises(CryosegError, match="is not text in UTF-8"):
        read_tables(path)


@pytest.mark.parametrize("group", ["1", "1.0", "1.000000"])
def test_optics_groups_compare_as_numbers(tmp_path: Path, group: str) -> None:
    path = tmp_path / "m.star"
    path.write_text(f"{OPTICS}{HEAD}a.mrc {group}\n")
    (micrograph,) = read_micrographs([path]).micrographs
    assert (micrograph.pixel_size_A, micrograph.optics_group) == (1.5, "1")


def test_optics_groups_that_are_no_numbers_cost_only_their_micrographs(tmp_path: Path) -> None:
    path = tmp_path / "m.star"
    optics = OPTICS.replace("1 1.5\n", "1 1.5\nx 2\ny 3\n")
    path.write_text(f"{optics}{HEAD}a.mrc 1\nb.mrc x\n")
    found = read_micrographs([path])
    assert [one.pixel_size_A for one in found.micrographs] == [1.5]
    assert list(found.problems) == ["b.mrc"]


def test_a_line_of_a_hundred_megabytes_takes_no_time(tmp_path: Path) -> None:
    path = tmp_path / "m.star"
    with path.open("w") as file:
        file.write(HEAD + "a.mrc 1\n")
        for _ in range(100):
            file.write("x" * 1_000_000)
    start = time.monotonic()
    assert len(read_tables(path)["micrographs"]) == 1
    assert time.monotonic() - start < 5


def test_empty_coordinate_files_are_no_picks(tmp_path: Path) -> None:
    rows = "".join(f"{name}.mrc {tmp_path}/{name}_autopick.star\n" for name in "ab")
    (tmp_path / "autopick.star").write_text(
        f"data_\n\nloop_\n_rlnMicrographName #1\n_rlnMicrographCoordinates #2\n{rows}"
    )
    (tmp_path / "a_autopick.star").write_text(
        "data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n1 2\n3 nan\n"
    )
    (tmp_path / "b_autopick.star").write_text("")
    found = read_located_picks(tmp_path / "autopick.star")
    assert {name: len(one.picks) for name, one in found.items()} == {"a.mrc": 1, "b.mrc": 0}
    assert "a_autopick.star, line 7 has a coordinate" in found["a.mrc"].remarks[0]


def test_a_csv_of_many_micrographs_is_split_and_its_bad_rows_are_named(tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    path.write_text("x,y,score,micrograph\n1,2,0.5,a.mrc\n3,4\n5,6,0.25,b.mrc\n7,x,1,b.mrc\n8,9,1,a.mrc\n")
    found = read_located_picks(path)
    assert {name: one.picks.x_px.tolist() for name, one in found.items()} == {"a.mrc": [8, 1], "b.mrc": [5]}
    assert [f"line {line}" in text for line, text in zip((3, 5), found["a.mrc"].remarks, strict=True)] == [
        1,
        1,
    ]


def test_a_name_of_40_kb_is_nowhere(tmp_path: Path) -> None:
    name = "job001/" * 5000 + "a.csv"
    (micrograph,) = read_micrographs([name]).micrographs
    assert micrograph.name == name
    with pytest.raises(CryosegError, match="does not exist"):
        read_located_picks(tmp_path / name)
