from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cryosparc.dataset import Dataset
from hypothesis import given
from hypothesis import strategies as st

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.coordinates import write_coordinates_star
from cryoseg_ext.formats.picks.csv_table import write_coordinates_csv
from cryoseg_ext.formats.reading import read_located_picks, read_picks
from cryoseg_ext.picks import Picks

PICKS = Picks(np.array([100.0, 7.0]), np.array([20.0, 3000.0]), np.array([0.9, 0.25]))


def _same(found: Picks, expected: Picks, within_px: float = 1e-6) -> None:
    np.testing.assert_allclose(found.x_px, expected.x_px, atol=within_px)
    np.testing.assert_allclose(found.y_px, expected.y_px, atol=within_px)
    np.testing.assert_allclose(found.score, expected.score, atol=1e-6)


def _star(path: Path, table: str, columns: list[str], rows: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    loop = "".join(f"_{column} #{number}\n" for number, column in enumerate(columns, 1))
    with path.open("a") as file:
        file.write(f"\ndata_{table}\n\nloop_\n{loop}" + "".join(f"{row}\n" for row in rows) + "\n")
    return path


@pytest.fixture
def relion_job(tmp_path: Path) -> Path:
    """Return the folder of a picking job in a RELION project, without a list."""
    job = tmp_path / "External/job016"
    for name in ("a.b", "c"):
        write_coordinates_star(job / f"Movies/{name}_autopick.star", PICKS)
    return job


def test_our_csv_is_read_by_its_stem(tmp_path: Path) -> None:
    write_coordinates_csv(tmp_path / "May08_05.55.31.csv", PICKS)
    _same(read_picks(tmp_path / "May08_05.55.31.csv")["May08_05.55.31"], PICKS)


def test_a_csv_without_scores_gets_ones(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x, y\n1,2\n")
    _same(read_picks(tmp_path / "a.csv")["a"], Picks(np.array([1.0]), np.array([2.0]), np.array([1.0])))


@pytest.mark.parametrize("content", ["1,2\n3, 4\n", "1,2,0.5\n3,4,0.25\n", ""])
def test_a_csv_needs_no_names_where_it_starts_with_numbers(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    rows = np.array([[float(word) for word in line.split(",")] for line in content.splitlines()])
    located = read_located_picks(tmp_path / "a.csv")["a"]
    assert located.scored == (rows.ndim == 2 and rows.shape[1] == 3)
    assert located.picks.x_px.tolist() == [row[0] for row in rows]
    assert located.picks.y_px.tolist() == [row[1] for row in rows]


def test_a_coordinate_file_is_read_by_its_stem_without_the_pickers_suffix(relion_job: Path) -> None:
    _same(read_picks(relion_job / "Movies/a.b_autopick.star")["a.b"], PICKS)


def test_the_list_of_relion_4_and_5_finds_its_files_from_the_project_folder(relion_job: Path) -> None:
    rows = [
        f"MotionCorr/job002/Movies/{n}.mrc External/job016/Movies/{n}_autopick.star" for n in ("a.b", "c")
    ]
    columns = ["rlnMicrographName", "rlnMicrographCoordinates"]
    path = _star(relion_job / "autopick.star", "coordinate_files", columns, rows)
    found = read_picks(path)
    assert list(found) == ["MotionCorr/job002/Movies/a.b.mrc", "MotionCorr/job002/Movies/c.mrc"]
    _same(found["MotionCorr/job002/Movies/c.mrc"], PICKS)
    assert list(read_picks(relion_job)) == list(found), "the folder of a list is read by the list"


def test_the_suffix_file_of_relion_3_finds_the_files_below_it(relion_job: Path) -> None:
    (relion_job / "coords_suffix_autopick.star").write_text("CtfFind/job003/micrographs_ctf.star\n")
    found = read_picks(relion_job / "coords_suffix_autopick.star")
    assert list(found) == ["Movies/a.b", "Movies/c"]
    _same(found["Movies/c"], PICKS)


def test_a_folder_of_star_files_is_read_and_the_others_in_it_are_not(relion_job: Path) -> None:
    _star(relion_job / "summary.star", "", ["rlnMicrographName", "rlnGroupNrParticles"], ["c.mrc 2"])
    assert list(read_picks(relion_job)) == ["Movies/a.b", "Movies/c"]


def test_a_folder_with_both_is_read_from_the_csv_files_which_are_not_rounded(tmp_path: Path) -> None:
    exact = Picks(np.array([1.37]), np.array([2.2]), np.array([0.5]))
    write_coordinates_star(tmp_path / "a.star", exact)
    write_coordinates_csv(tmp_path / "a.csv", exact)
    _same(read_picks(tmp_path)["a"], exact)


def test_particles_know_the_pixel_size_of_their_micrographs(tmp_path: Path) -> None:
    path = tmp_path / "particles.star"
    _star(path, "optics", ["rlnOpticsGroup", "rlnMicrographPixelSize"], ["1 1.25", "2 0.5"])
    columns = [
        "rlnCoordinateX",
        "rlnCoordinateY",
        "rlnAutopickFigureOfMerit",
        "rlnMicrographName",
        "rlnOpticsGroup",
    ]
    _star(path, "particles", columns, ["1 2 -999 a.mrc 1", "3 4 0.5 b.mrc 2", "5 6 0.75 a.mrc 1"])
    found = read_located_picks(path)
    assert {name: one.pixel_size_A for name, one in found.items()} == {"a.mrc": 1.25, "b.mrc": 0.5}
    # -999 is what RELION's manual picker writes for "no score".
    _same(found["a.mrc"].picks, Picks(np.array([1.0, 5.0]), np.array([2.0, 6.0]), np.array([1.0, 0.75])))


@pytest.mark.parametrize(
    ("labels", "rows", "column", "expected"),
    [
        # Of a dummy nothing is known; where one angle is not 0, the others are angles too.
        ("rlnAnglePsi", ["0", "0"], "psi_deg", None),
        ("rlnAnglePsi", ["-999", "-999"], "psi_deg", None),
        ("rlnAnglePsi", ["0", "30"], "psi_deg", [0, 30]),
        ("rlnAnglePsi rlnAnglePsiPrior", ["5 0", "6 0"], "psi_deg", [0, 0]),
        ("rlnParticleDiameter", ["0", "0"], "diameter_A", None),
        ("rlnParticleDiameter", ["0", "180.5"], "diameter_A", [np.nan, 180.5]),
        ("cryosegDiameter", ["170", "nan"], "diameter_A", [170, np.nan]),
        ("rlnHelicalTubeID rlnHelicalTrackLengthAngst", ["1 0", "1 60"], "track_length_A", [0, 60]),
    ],
)
def test_a_star_file_says_what_it_knows_of_each_pick(
    tmp_path: Path, labels: str, rows: list[str], column: str, expected: list[float] | None
) -> None:
    columns = ["rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit", *labels.split()]
    rows = [f"1 2 {score} {row}" for score, row in zip((0.9, 0.5), rows, strict=True)]
    found = read_picks(_star(tmp_path / "a.star", "", columns, rows))["a"].columns().get(column)
    assert (found is None) == (expected is None)
    if expected is not None:
        np.testing.assert_array_equal(found, expected)


def test_track_lengths_of_relion_3_0_are_pixels(tmp_path: Path) -> None:
    columns = ["rlnCoordinateX", "rlnCoordinateY", "rlnMicrographName", "rlnHelicalTubeID"]
    columns += ["rlnHelicalTrackLength", "rlnMagnification", "rlnDetectorPixelSize"]
    path = _star(tmp_path / "p.star", "", columns, ["1 2 a.mrc 1 100 10000 1.5"])
    assert read_picks(path)["a.mrc"].columns()["track_length_A"].tolist() == [150]


def test_the_best_score_comes_first_and_filaments_stay_together(tmp_path: Path) -> None:
    rows = ["1,1,0.2,1,60", "2,2,0.9,2,0", "3,3,0.8,1,0", "4,4,0.1,2,30", "5,5,0.85,,"]
    (tmp_path / "a.csv").write_text("\n".join(["x,y,score,tube_id,track_length_A", *rows]))
    found = read_picks(tmp_path / "a.csv")["a"]
    assert found.x_px.tolist() == [2, 4, 5, 3, 1]


def _particles(paths: list[str], x_frac: list[float], y_frac: list[float]) -> Dataset:
    columns = {
        "location/micrograph_path": paths,
        "location/micrograph_shape": np.array([[3838, 3710]] * len(paths), np.uint32),
        "location/center_x_frac": np.array(x_frac, np.float32),
        "location/center_y_frac": np.array(y_frac, np.float32),
        "location/micrograph_psize_A": np.full(len(paths), 1.1, np.float32),
        "pick_stats/ncc_score": np.linspace(1, 0.5, len(paths)).astype(np.float32),
    }
    return Dataset(columns)


def test_cryosparc_particles_are_read_without_a_flip_or_swap(tmp_path: Path) -> None:
    _particles([">J1/a.mrc", "J1/b.mrc"], [0.5, 0.25], [0.1, 0.2]).save(tmp_path / "p.cs")
    found = read_located_picks(tmp_path / "p.cs")
    assert list(found) == ["J1/a.mrc", "J1/b.mrc"]
    _same(found["J1/a.mrc"].picks, Picks(np.array([1855.0]), np.array([383.8]), np.array([1.0])), 1e-3)
    assert found["J1/a.mrc"].shape == (3838, 3710)
    assert found["J1/a.mrc"].pixel_size_A == pytest.approx(1.1)


@given(
    picks=st.lists(
        st.tuples(st.floats(-50, 9000), st.floats(-50, 9000), st.floats(0, 1)), min_size=0, max_size=20
    ).map(lambda rows: Picks(*np.array(sorted(rows, key=lambda row: -row[2])).reshape(-1, 3).T))
)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, picks: Picks) -> None:
    folder = tmp_path_factory.mktemp("picks")
    write_coordinates_csv(folder / "a.csv", picks)
    write_coordinates_star(folder / "b_autopick.star", picks)
    for path, name, within_px in (("a.csv", "a", 0.0051), ("b_autopick.star", "b", 0.51)):
        found = read_picks(folder / path)[name]
        np.testing.assert_allclose(np.sort(found.score), np.sort(picks.score), atol=1e-6)
        np.testing.assert_allclose(np.sort(found.x_px), np.sort(picks.x_px), atol=within_px)
        np.testing.assert_allclose(np.sort(found.y_px), np.sort(picks.y_px), atol=within_px)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.csv", "a,b\n3,4\n", "no columns x and y"),
        ("a.csv", "1,2,3,4\n", "no columns x and y"),
        ("a.csv", "x,y,score\n1,2\n1\n", r"line 2 has 2 of 3 values.*\(and 1 more"),
        ("a.csv", "x,y\n1,two\n", "line 2 has a coordinate or score that is no finite number"),
        ("a.csv", "x,y\n\n1,2,3\n", "line 3 has 3 of 2 values"),
        ("a.csv", "x,y\n1,\n", "no finite number"),
        ("a.star", "hello\n", "no coordinates"),
        ("a.star", "data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n1 abc\n", "no finite number"),
        (
            "a.star",
            "data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n1 2 3\n4\n",
            "line 6: row 1 of data_ has 3 of 2 values",
        ),
        ("a.cs", "hello", "not a readable CryoSPARC file"),
        ("a.csg", "hello", "not a results group"),
        ("a.txt", "1 2", "no table of Topaz"),
        ("a.pdf", "1 2", r"a file of picks \(.csv, .star, .cbox"),
        ("a.box", "1 2\n", "line 1 is no box"),
        ("a.box", "1 2 20 20 -1\n", "holds filaments"),
        ("a.box", "x y w h\n", "no EMAN1 box file"),
        ("a.cbox", "data_a\n\n_b 1\n", "no table cryolo"),
        (
            "autopick.star",
            "data_\nloop_\n_rlnMicrographName #1\n_rlnMicrographCoordinates #2\na b\n",
            "lists b",
        ),
    ],
)
def test_a_file_without_picks_is_told_in_a_sentence(
    tmp_path: Path, name: str, content: str, told: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(CryosegError, match=told) as caught:
        read_picks(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_an_empty_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(CryosegError, match="does not exist"):
        read_picks(tmp_path / "none.star")
    with pytest.raises(CryosegError, match="no files with coordinates"):
        read_picks(tmp_path)


def test_cryosparc_particles_without_locations_are_told(tmp_path: Path) -> None:
    Dataset({"blob/idx": np.arange(3)}).save(tmp_path / "p.cs")
    with pytest.raises(CryosegError, match=r"give the \.csg"):
        read_picks(tmp_path / "p.cs")
