"""Every format of picks: what is written is read again, and what other programs make of it."""

from __future__ import annotations

import importlib.util
import json
import runpy
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.convert import ConvertOptions, convert
from cryoseg_ext.formats.picks import PICK_FORMATS, FileOptions
from cryoseg_ext.formats.reading import read_located_picks, read_picks
from cryoseg_ext.formats.table import LocatedPicks
from cryoseg_ext.formats.tubes import along_tubes
from cryoseg_ext.formats.writing import FILE_FORMATS, write_micrograph
from cryoseg_ext.picks import Picks

DATA = Path(__file__).parent / "data"
SCRIPT = runpy.run_path(str(Path(__file__).parents[3] / "benchmarks/pick_formats.py"))
PICKS: Picks = SCRIPT["PICKS"]
FILAMENTS: Picks = SCRIPT["FILAMENTS"]
BOX_PX, PIXEL_SIZE_A, PROGRAMS = SCRIPT["BOX_PX"], SCRIPT["PIXEL_SIZE_A"], SCRIPT["PROGRAMS"]
OPTIONS = FileOptions(pixel_size_A=PIXEL_SIZE_A, box_size_px=BOX_PX, decimals=2)
# Half a pixel where only whole ones are written.
WITHIN = {
    "x_px": 0.006,
    "y_px": 0.006,
    "score": 1e-6,
    "diameter_A": 0.06,
    "psi_deg": 0.01,
    "track_length_A": 0.01,
}
WITHIN["tube_id"] = 0


def _assert_same(found: Picks, expected: Picks, within_px: float = WITHIN["x_px"]) -> None:
    assert set(found.columns()) == set(expected.columns())
    for name, values in expected.columns().items():
        within = within_px if name in ("x_px", "y_px") else WITHIN[name]
        np.testing.assert_allclose(found.columns()[name], values, atol=within, rtol=1e-6, err_msg=name)


def _kept(picks: Picks, columns: frozenset[str]) -> Picks:
    """Return picks as a format with some columns gives them back."""
    kept = {name: values for name, values in picks.columns().items() if name in {"x_px", "y_px", *columns}}
    kept.setdefault("score", np.ones(len(picks)))
    return LocatedPicks(Picks(**kept)).in_order().picks


@st.composite
def _picks(draw: st.DrawFn) -> Picks:
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    n, some = draw(st.integers(1, 8)), draw(st.sets(st.sampled_from(["diameter_A", "psi_deg", "tube_id"])))
    x_px, y_px = rng.uniform(-50, 9000, (2, n)).round(2)
    columns: dict[str, Any] = {}
    if "diameter_A" in some:
        columns["diameter_A"] = rng.uniform(20, 900, n).round(1)
    if "psi_deg" in some:
        # 0 throughout would mean that it is not known.
        columns["psi_deg"] = rng.uniform(0.1, 90, n).round(2) * rng.choice([-1, 1], n)
        columns["psi_deg"][columns["psi_deg"] <= -90] = 1.0
    score = rng.uniform(0, 1, 8).round(6)
    if "tube_id" in some:
        columns["tube_id"] = np.sort(rng.integers(1, 3, n)).astype(float)
        columns["psi_deg"], track_px = along_tubes(x_px, y_px, columns["tube_id"])
        columns["track_length_A"] = PIXEL_SIZE_A * track_px
        # A filament of one segment has no direction.
        columns["psi_deg"] = np.nan_to_num(columns["psi_deg"], nan=12.0)
        score = score[columns["tube_id"].astype(int) - 1]
    return Picks(x_px, y_px, score[:n], **columns)


@pytest.mark.parametrize("name", FILE_FORMATS)
@settings(max_examples=20)
@given(picks=_picks())
def test_what_is_written_is_read_as_far_as_the_format_holds_it(
    tmp_path_factory: pytest.TempPathFactory, name: str, picks: Picks
) -> None:
    path = write_micrograph(name, tmp_path_factory.mktemp("picks") / "May08_05.55.31", picks, OPTIONS)
    located = read_located_picks(path)["May08_05.55.31"]
    columns = PICK_FORMATS[name].columns
    assert located.scored == ("score" in columns)
    # crYOLO's file has no track length, but the places of segments.
    known = columns | {"track_length_A"} if name == "cbox" and picks.tube_id is not None else columns
    within_px = 0.51 if name in ("box", "txt") else WITHIN["x_px"]
    found = located.in_angstrom(PIXEL_SIZE_A)
    if name == "cbox" and picks.tube_id is not None:
        found = replace(found, track_length_A=np.round(found.columns()["track_length_A"], 1))
        picks = replace(picks, track_length_A=np.round(picks.columns()["track_length_A"], 1))
    _assert_same(found, _kept(picks, known), within_px)


@pytest.mark.parametrize("name", FILE_FORMATS)
def test_a_micrograph_without_picks_has_a_file_without_picks(tmp_path: Path, name: str) -> None:
    path = write_micrograph(name, tmp_path / "a", Picks(*np.empty((3, 0))))
    assert len(read_picks(path)["a"]) == len(read_picks(tmp_path)["a"]) == 0


def test_boxes_need_a_size(tmp_path: Path) -> None:
    with pytest.raises(CryosegError, match="give --box_size"):
        write_micrograph("box", tmp_path / "a", replace(PICKS, diameter_A=None))
    with pytest.raises(CryosegError, match="give one of csv, star, cbox, box, txt"):
        write_micrograph("cs", tmp_path / "a", PICKS)
    path = write_micrograph("box", tmp_path / "a", PICKS, FileOptions(pixel_size_A=2.1))
    # 40 Å, the median, as an even number of pixels.
    assert path.read_text().splitlines()[0] == "340\t25\t20\t20"


def test_what_a_format_cannot_hold_is_one_sentence() -> None:
    assert PICK_FORMATS["txt"].left_out([PICKS]) == "Topaz text holds no size, psi: left out"
    assert PICK_FORMATS["cs"].left_out([PICKS, FILAMENTS]) == "CryoSPARC holds no size: left out"
    assert PICK_FORMATS["star"].left_out([PICKS, FILAMENTS]) == ""
    assert PICK_FORMATS["cbox"].left_out([PICKS]) == ""
    told = PICK_FORMATS["cbox"].left_out([PICKS], pixel_size_known=False)
    assert told == "crYOLO .cbox holds no size without --pixel_size: left out"
    told = PICK_FORMATS["box"].left_out([replace(FILAMENTS, score=np.ones(5))])
    assert told == "EMAN1 .box holds no psi, filament: left out"


@pytest.mark.parametrize(
    "name", ["topaz.box", "topaz.txt", "cryolo.box", "cryolo.cbox", "boxmanager.box", "boxmanager.cbox"]
)
def test_files_of_other_programs_are_read_with_y_along_the_stored_rows(name: str) -> None:
    (located,) = read_located_picks(DATA / name).values()
    found = located.in_angstrom(PIXEL_SIZE_A)
    columns = PICK_FORMATS[name.rpartition(".")[2]].columns & set(PICKS.columns())
    if name == "boxmanager.cbox":
        columns -= {"psi_deg"}  # not given to it
    _assert_same(found, _kept(PICKS, columns))


def test_filaments_of_cryolo_get_the_psi_and_the_track_length_that_relion_needs() -> None:
    found = read_located_picks(DATA / "cryolo_filaments.cbox")["cryolo_filaments"].in_angstrom(2.0)
    _assert_same(replace(found, track_length_A=None), FILAMENTS)
    np.testing.assert_allclose(found.columns()["track_length_A"], [0, 100, 200, 0, 2 * np.hypot(20, 20)])
    told = json.loads((DATA / "cryolo.json").read_text())
    np.testing.assert_allclose(found.columns()["psi_deg"], np.concatenate(told["psi_priors_of_filaments"]))


def test_our_files_are_those_that_the_programs_were_given(tmp_path: Path) -> None:
    options = replace(OPTIONS, decimals=0)
    for name in ("box", "cbox", "txt"):
        path = write_micrograph(name, tmp_path / "ours", PICKS, options)
        assert path.read_text() == (DATA / path.name).read_text()
    path = write_micrograph("cbox", tmp_path / "ours_filaments", FILAMENTS, options)
    assert path.read_text() == (DATA / path.name).read_text()


def _assert_understood(program: str, told: Any) -> None:
    """Check that a program read in our files what was meant."""
    xy = np.stack([PICKS.x_px, PICKS.y_px], axis=1)
    for name, found in told["read"].items():
        if name == "ours_filaments.cbox":
            continue
        places = np.array(found["yx"])[:, ::-1] if program == "boxmanager" else np.array(found)
        np.testing.assert_array_equal(places, xy, name)
    if program == "topaz":
        # The box that Topaz cuts out around a pick has the particle in its middle pixel.
        assert told["brightest_yx_in_boxes_of_ours_txt"] == [[[BOX_PX // 2, BOX_PX // 2]]] * len(PICKS)
    elif program == "boxmanager":
        assert all(all(bright) for bright in told["bright_pixels"].values())
        features = told["read"]["ours.cbox"]["features"]
        assert features["size"] == [18, 20, 22]
        assert features["confidence"] == [0.9, 0.5, 0.25]
        assert told["read"]["ours_filaments.cbox"]["features"]["fid"] == [0, 0, 0, 1, 1]
    else:
        assert told["sizes_px"] == [[18, 18], [20, 20], [22, 22]]
        np.testing.assert_allclose(
            -np.degrees(told["angles_rad"]) % 180, PICKS.columns()["psi_deg"] % 180, atol=1e-3
        )
        psi_deg = np.concatenate(told["psi_priors_of_filaments"])
        np.testing.assert_allclose(psi_deg, FILAMENTS.columns()["psi_deg"])


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_programs_understood_our_files(program: str) -> None:
    _assert_understood(program, json.loads((DATA / f"{program}.json").read_text()))


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_programs_themselves_understand_our_files(program: str, tmp_path: Path) -> None:
    module = {"boxmanager": "box_manager"}.get(program, program)
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed here; see benchmarks/pick_formats.py")
    _assert_understood(program, SCRIPT["ask"](program, Path(sys.executable), tmp_path))


@pytest.mark.relion
def test_relions_extract_reads_our_box_files(tmp_path: Path) -> None:
    image = np.zeros((300, 400), np.float32)
    image[PICKS.y_px.astype(int), PICKS.x_px.astype(int)] = [1, 2, 3]
    (tmp_path / "Movies").mkdir()
    mrcfile.write(tmp_path / "Movies/a.mrc", image, voxel_size=1)
    optics = "rlnOpticsGroup rlnMicrographPixelSize rlnVoltage rlnSphericalAberration rlnAmplitudeContrast"
    text = "".join(f"_{label} #{number}\n" for number, label in enumerate(optics.split(), start=1))
    text = (
        f"data_optics\n\nloop_\n{text}1 1 300 2.7 0.1\n\ndata_micrographs\n\nloop_\n_rlnMicrographName #1\n"
    )
    (tmp_path / "m.star").write_text(f"{text}_rlnOpticsGroup #2\nMovies/a.mrc 1\n")
    write_micrograph("box", tmp_path / "picks/Movies/a", PICKS, OPTIONS)
    command = (
        "relion_preprocess --i m.star --coord_dir picks/ --coord_suffix .box --extract --extract_size 20"
    )
    command += " --part_star Extract/particles.star --part_dir Extract/"
    (tmp_path / "Extract").mkdir()
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    (stack,) = (tmp_path / "Extract").rglob("*.mrcs")
    assert mrcfile.read(stack)[:, 10, 10].tolist() == [1, 2, 3]


def test_side_files_of_a_folder_are_no_micrographs(tmp_path: Path) -> None:
    path = write_micrograph("star", tmp_path / "a", PICKS)
    for end in ("_candidates", "_tubes"):
        shutil.copyfile(path, tmp_path / f"a{end}.star")
    assert list(read_picks(tmp_path)) == ["a"]


def test_boxes_and_topazs_tables_are_converted(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.csv").write_text("x,y,score,diameter_A,psi_deg\n30.4,40,0.5,41,30\n")
    (tmp_path / "in/b.csv").write_text("x,y,score\n1,2,0.25\n")
    options = ConvertOptions(pixel_size_A=2, format_name="box")
    brought = convert(tmp_path / "in", tmp_path / "boxes", options)
    assert brought.left_out == "EMAN1 .box holds no score, size, psi: left out"
    # 41 Å are 20.5 px: boxes of 22, also where nothing is known.
    assert (tmp_path / "boxes/a.box").read_text() == "19\t29\t22\t22\n"
    assert (tmp_path / "boxes/b.box").read_text() == "-10\t-9\t22\t22\n"
    convert(tmp_path / "in/a.csv", tmp_path / "a.cbox", ConvertOptions(pixel_size_A=2, box_size_px=10))
    (picks,) = read_located_picks(tmp_path / "a.cbox").values()
    assert picks.in_angstrom(2.0).columns()["diameter_A"].tolist() == [41]
    convert(tmp_path / "in", tmp_path / "all.txt", ConvertOptions())
    assert list(read_picks(tmp_path / "all.txt")) == ["a", "b"]
    convert(tmp_path / "all.txt", tmp_path / "topaz", ConvertOptions(format_name="txt"))
    assert (tmp_path / "topaz/b.txt").read_text().splitlines()[1] == "b\t1\t2\t0.250000"
    with pytest.raises(CryosegError, match="one micrograph and there are 2: give a folder and --format box"):
        convert(tmp_path / "in", tmp_path / "all.box", ConvertOptions(box_size_px=10))
    with pytest.raises(CryosegError, match="leave out --format star"):
        convert(tmp_path / "in", tmp_path / "all.box", ConvertOptions(format_name="star"))
