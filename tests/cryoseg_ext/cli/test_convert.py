from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import starfile
import yaml
from click.testing import CliRunner, Result
from cryosparc.dataset import Dataset

from cryoseg_ext.cli import main
from cryoseg_ext.formats.coordinates import write_coordinates_star
from cryoseg_ext.formats.picks.csv_table import write_coordinates_csv
from cryoseg_ext.formats.reading import read_picks
from cryoseg_ext.picks import Picks

UID = "001234567890123456789"


def _convert(*arguments: object) -> Result:
    result = CliRunner().invoke(main, ["convert", *map(str, arguments)])
    assert "Traceback" not in result.output
    return result


def _star(path: Path, tables: dict[str, tuple[list[str], list[str]]]) -> Path:
    text = ""
    for name, (columns, rows) in tables.items():
        loop = "".join(f"_rln{column} #{number}\n" for number, column in enumerate(columns, 1))
        text += f"\ndata_{name}\n\nloop_\n{loop}" + "".join(f"{row}\n" for row in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")
    return path


def _exposures(folder: Path, shapes: dict[str, tuple[int, int]], pixel_size_A: float = 1.0) -> Path:
    """Write exposures as CryoSPARC's patch motion correction names them."""
    n = len(shapes)
    columns = {
        "uid": np.arange(100, 100 + n, dtype=np.uint64),
        "micrograph_blob/path": [
            f"J2/motioncorrected/{UID}_{name}_patch_aligned_doseweighted.mrc" for name in shapes
        ],
        "micrograph_blob/shape": np.array(list(shapes.values()), np.uint32),
        "micrograph_blob/psize_A": np.full(n, pixel_size_A, np.float32),
        "mscope_params/exp_group_id": np.full(n, 1, np.uint32),
    }
    (folder / "J3").mkdir(parents=True)
    Dataset(columns).save(folder / "J3/J3_exposures.cs")
    results = {slot: {"metafile": ">J3_exposures.cs"} for slot in ("micrograph_blob", "mscope_params")}
    (folder / "J3/J3_exposures.csg").write_text(yaml.safe_dump({"results": results, "version": "v4.6.0"}))
    return folder / "J3/J3_exposures.csg"


def _micrographs_star(path: Path, names: list[str], pixel_size_A: float = 1.0) -> Path:
    optics = (["OpticsGroup", "OpticsGroupName", "MicrographPixelSize"], [f"3 opticsGroup3 {pixel_size_A}"])
    return _star(
        path,
        {"optics": optics, "micrographs": (["MicrographName", "OpticsGroup"], [f"{n} 3" for n in names])},
    )


def test_star_to_cs_to_star_moves_nothing_by_a_hundredth_of_a_pixel(tmp_path: Path) -> None:
    shapes = {"k2": (3838, 3710), "falcon": (4096, 4096)}
    rng = np.random.default_rng(0)
    rows = [
        f"{x:.6f} {y:.6f} {score:.6f} MotionCorr/job002/Movies/{name}.mrc 3"
        for name, (ny, nx) in shapes.items()
        for x, y, score in rng.uniform(0, (nx - 1, ny - 1, 1), (500, 3))
    ]
    columns = ["CoordinateX", "CoordinateY", "AutopickFigureOfMerit", "MicrographName", "OpticsGroup"]
    before = _star(tmp_path / "particles.star", {"particles": (columns, rows)})
    relion = _micrographs_star(
        tmp_path / "micrographs.star", [f"MotionCorr/job002/Movies/{name}.mrc" for name in shapes]
    )
    assert _convert(before, tmp_path / "p.csg", "--micrographs", _exposures(tmp_path, shapes)).exit_code == 0
    assert _convert(tmp_path / "p.csg", tmp_path / "after.star", "--micrographs", relion).exit_code == 0
    assert _convert(tmp_path / "p.cs", tmp_path / "after", "--micrographs", relion).exit_code == 0
    expected = read_picks(before)
    for after in ("after.star", "after"):
        found = read_picks(tmp_path / after)
        assert list(found) == list(expected)
        for name, picks in expected.items():
            np.testing.assert_allclose(found[name].x_px, picks.x_px, atol=0.01)
            np.testing.assert_allclose(found[name].y_px, picks.y_px, atol=0.01)
            np.testing.assert_allclose(found[name].score, picks.score, atol=1e-6)
    table = starfile.read(tmp_path / "after.star")
    assert list(table["optics"]["rlnMicrographPixelSize"]) == [1.0]
    assert set(table["particles"]["rlnOpticsGroup"]) == {3}


def test_star_to_cs_to_star_keeps_scores_angles_and_filaments(tmp_path: Path) -> None:
    rows = np.array([(10.25, 20.5, 0.9), (30, 20, 0.9), (50, 70, 0.5), (51, 90, 0.5)])
    helical = replace(
        Picks(*rows.T),
        psi_deg=np.array([30.0, 29.5, 90.0, -120.0]),
        tube_id=np.array([1.0, 1.0, 2.0, 2.0]),
        track_length_A=np.array([0.0, 60.25, 0.0, 61.0]),
        diameter_A=np.array([100.0, 100.0, 90.0, 90.0]),
    )
    single = replace(Picks(*rows[:2].T), psi_deg=np.array([-60.0, 10.0]))
    relion = _micrographs_star(tmp_path / "m.star", ["Movies/a.mrc", "Movies/b.mrc"])
    for name, picks in (("a", helical), ("b", single)):
        write_coordinates_star(tmp_path / f"picks/{name}_autopick.star", picks, decimals=2)
    exposures = _exposures(tmp_path, {"a": (300, 400), "b": (300, 400)})
    result = _convert(tmp_path / "picks", tmp_path / "p.cs", "--micrographs", exposures)
    assert "CryoSPARC holds no size: left out" in result.output
    assert _convert(tmp_path / "p.cs", tmp_path / "after", "--micrographs", relion).exit_code == 0
    found = read_picks(tmp_path / "after")
    for name, picks in (("a", helical), ("b", single)):
        back = found[f"Movies/{name}.mrc"].columns()
        for column, values in picks.columns().items():
            if column != "diameter_A":
                within = {"score": 1e-6, "psi_deg": 1e-4}.get(column, 0.01)
                np.testing.assert_allclose(back[column], values, atol=within, err_msg=column)


def test_whole_pixels_stay_whole_because_relion_truncates(tmp_path: Path) -> None:
    picks = Picks(np.arange(4096.0), np.arange(4096.0), np.ones(4096))
    write_coordinates_csv(tmp_path / "a.csv", picks)
    _convert(
        tmp_path / "a.csv", tmp_path / "p.cs", "--micrographs", _exposures(tmp_path, {"a": (4096, 4096)})
    )
    _convert(
        tmp_path / "p.cs",
        tmp_path / "out",
        "--micrographs",
        _micrographs_star(tmp_path / "m.star", ["a.mrc"]),
    )
    (found,) = read_picks(tmp_path / "out").values()
    np.testing.assert_array_equal(np.sort(found.x_px.astype(int)), np.arange(4096))


@pytest.mark.parametrize("flip", [False, True])
def test_boxes_lie_at_the_same_place_of_an_asymmetric_micrograph_in_both_programs(
    tmp_path: Path, flip: bool
) -> None:
    image = np.zeros((300, 400), np.float32)
    image[30:41, 350:361] = 1  # in the first rows, on the right
    (tmp_path / "Movies").mkdir()
    mrcfile.write(tmp_path / "Movies/a.mrc", image)
    # A viewer that shows the last stored row at the top counts y from there.
    y = 300 - 1 - 35 if flip else 35
    (tmp_path / "a.csv").write_text(f"x,y\n355,{y}\n")
    flags = ["--flip_y"] if flip else []
    relion = _micrographs_star(tmp_path / "micrographs.star", ["Movies/a.mrc"])
    _convert(
        tmp_path / "a.csv",
        tmp_path / "p.csg",
        "--micrographs",
        _exposures(tmp_path, {"a": (300, 400)}),
        *flags,
    )
    _convert(tmp_path / "a.csv", tmp_path / "out", "--micrographs", relion, *flags)
    particles = Dataset.load(tmp_path / "p.cs")
    ny, nx = particles["location/micrograph_shape"][0]
    cryosparc = particles["location/center_x_frac"][0] * nx, particles["location/center_y_frac"][0] * ny
    coordinates = starfile.read(tmp_path / "out/Movies/a_autopick.star")
    relions = coordinates["rlnCoordinateX"].iloc[0], coordinates["rlnCoordinateY"].iloc[0]
    for x_px, y_px in (cryosparc, relions):
        x, y = round(float(x_px)), round(float(y_px))
        assert image[y - 5 : y + 6, x - 5 : x + 6].all()


def test_picks_on_binned_micrographs_are_scaled(tmp_path: Path) -> None:
    binned = tmp_path / "binned.csg"
    (tmp_path / "a.csv").write_text("x,y\n10,20\n")
    _convert(tmp_path / "a.csv", binned, "--micrographs", _exposures(tmp_path / "P1", {"a": (100, 200)}, 4.0))
    # By the numbers of pixels, where both programs know them.
    _convert(
        binned, tmp_path / "full.cs", "--micrographs", _exposures(tmp_path / "P2", {"a": (400, 800)}, 0.97)
    )
    (found,) = read_picks(tmp_path / "full.cs").values()
    assert (found.x_px[0], found.y_px[0]) == pytest.approx((40, 80))
    # By the pixel sizes, where RELION's list has only these, unless they are calibrations of the same.
    for size_A, expected in ((1.0, (40, 80)), (3.9, (10, 20))):
        relion = _micrographs_star(tmp_path / "m.star", ["a.mrc"], size_A)
        _convert(binned, tmp_path / "scaled.star", "--micrographs", relion)
        assert (read_picks(tmp_path / "scaled.star")["a.mrc"].x_px[0]) == pytest.approx(expected[0])
    _convert(tmp_path / "a.csv", tmp_path / "s.star", "--micrographs", relion, "--pixel_size", 7.8)
    assert read_picks(tmp_path / "s.star")["a.mrc"].y_px[0] == pytest.approx(40)


def test_micrographs_without_a_match_or_another_shape_are_listed_and_skipped(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / "picks").mkdir(exist_ok=True)
        (tmp_path / f"picks/{name}.csv").write_text("x,y,score\n1,2,0.5\n")
    exposures = _exposures(tmp_path / "P1", {"a": (30, 40), "b": (30, 40)})
    result = _convert(tmp_path / "picks", tmp_path / "p.cs", "--micrographs", exposures)
    assert result.exit_code == 0
    assert "Skipped: c: no micrograph in" in result.output
    assert "2 picks on 2 micrographs, 1 skipped" in result.output
    turned = _exposures(tmp_path / "P2", {"a": (30, 40), "b": (40, 30)})
    result = _convert(tmp_path / "p.cs", tmp_path / "q.cs", "--micrographs", turned)
    assert "30 rows and 40 columns where it was picked and 40 and 30 now" in result.output
    assert len(read_picks(tmp_path / "q.cs")) == 1


@pytest.mark.relion
def test_relions_extract_cuts_the_right_boxes_from_picks_that_went_through_cryosparc(tmp_path: Path) -> None:
    points = {(700, 60): 5, (100, 500): 10, (400, 300): 15}
    image = np.zeros((600, 800), np.float32)
    for (x, y), grey in points.items():
        image[y - 8 : y + 8, x - 8 : x + 8] = grey
    (tmp_path / "Movies").mkdir()
    mrcfile.write(tmp_path / "Movies/a.mrc", image, voxel_size=1)
    (tmp_path / "a.csv").write_text("x,y\n" + "".join(f"{x},{y}\n" for x, y in points))
    optics = ["OpticsGroup", "MicrographPixelSize", "Voltage", "SphericalAberration", "AmplitudeContrast"]
    tables = {
        "optics": (optics, ["1 1 300 2.7 0.1"]),
        "micrographs": (["MicrographName", "OpticsGroup"], ["Movies/a.mrc 1"]),
    }
    relion = _star(tmp_path / "m.star", tables)
    _convert(tmp_path / "a.csv", tmp_path / "p.csg", "--micrographs", _exposures(tmp_path, {"a": (600, 800)}))
    _convert(tmp_path / "p.csg", tmp_path / "out", "--micrographs", relion)
    command = "relion_preprocess --i m.star --coord_dir out/ --coord_suffix _autopick.star --extract"
    command += " --extract_size 20 --part_star Extract/particles.star --part_dir Extract/"
    (tmp_path / "Extract").mkdir()
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    (stack,) = (tmp_path / "Extract").rglob("*.mrcs")
    for box, grey in zip(mrcfile.read(stack), points.values(), strict=True):
        np.testing.assert_array_equal(box, np.pad(np.full((16, 16), grey), 2))


def test_relion_finds_its_coordinate_files_below_the_folder(tmp_path: Path) -> None:
    names = ["MotionCorr/job002/one/a.mrc", "MotionCorr/job002/two/a.mrc", "../a.mrc"]
    rows = [f"{number} 2 {name}" for number, name in enumerate(names)]
    star = _star(tmp_path / "p.star", {"": (["CoordinateX", "CoordinateY", "MicrographName"], rows)})
    relion = _micrographs_star(tmp_path / "m.star", names)
    assert _convert(star, tmp_path / "out", "--micrographs", relion).exit_code == 0
    files = ["one/a_autopick.star", "two/a_autopick.star", "a_autopick.star"]
    table = starfile.read(tmp_path / "out/autopick.star")
    assert list(table["rlnMicrographName"]) == names
    assert list(table["rlnMicrographCoordinates"]) == [f"{tmp_path}/out/{file}" for file in files]
    for number, file in enumerate(files):
        assert starfile.read(tmp_path / "out" / file)["rlnCoordinateX"].tolist() == [number]
    assert (tmp_path / "out/coords_suffix_autopick.star").read_text() == f"{relion}\n"


def test_csv_files_are_written_for_each_micrograph(tmp_path: Path) -> None:
    star = _star(
        tmp_path / "particles.star",
        {"": (["CoordinateX", "CoordinateY", "MicrographName"], ["1.5 2 m/a.b.mrc"])},
    )
    result = _convert(star, tmp_path / "out", "--format", "csv")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out/a.b.csv").read_text() == "x,y,score\n1.50,2.00,1.000000\n"


@pytest.mark.parametrize(("psi_deg", "flipped"), [(30, -30), (90, 90), (-45, 45)])
def test_a_flip_turns_axes_too(tmp_path: Path, psi_deg: float, flipped: float) -> None:
    (tmp_path / "a.csv").write_text(f"x,y,score,psi_deg\n1,2,1,{psi_deg}\n")
    exposures = _exposures(tmp_path, {"a": (30, 40)})
    _convert(tmp_path / "a.csv", tmp_path / "p.cs", "--micrographs", exposures, "--flip_y")
    (found,) = read_picks(tmp_path / "p.cs").values()
    assert found.y_px[0] == pytest.approx(27)
    assert found.columns()["psi_deg"][0] == pytest.approx(flipped, abs=1e-4)


def test_particles_inherit_the_optics_and_the_ctf_of_their_micrographs(tmp_path: Path) -> None:
    tables = {
        "optics": (["OpticsGroup", "MicrographPixelSize"], ["2 1.5"]),
        "micrographs": (["MicrographName", "OpticsGroup", "DefocusU", "CtfImage"], ["a.mrc 2 9000 a.ctf"]),
    }
    relion = _star(tmp_path / "m.star", tables)
    (tmp_path / "a.csv").write_text("x,y\n1.25,2\n")
    _convert(tmp_path / "a.csv", tmp_path / "p.star", "--micrographs", relion)
    (row,) = starfile.read(tmp_path / "p.star")["particles"].to_dict("records")
    assert row["rlnCoordinateX"] == 1.25
    assert (row["rlnMicrographName"], row["rlnOpticsGroup"], row["rlnDefocusU"]) == ("a.mrc", 2, 9000)
    assert "rlnCtfImage" not in row


@pytest.mark.parametrize(
    ("out", "micrographs", "told"),
    [
        ("p.cs", None, "give its exposures (.csg) as --micrographs"),
        ("p.cs", "other.star", "none of the 1 micrographs"),
        ("p.star", "empty", "holds no micrographs"),
        ("p.box", None, "give --box_size in pixels"),
    ],
)
def test_what_cannot_be_converted_is_told(
    tmp_path: Path, out: str, micrographs: str | None, told: str
) -> None:
    (tmp_path / "picks.csv").write_text("x,y\n1,2\n")
    _micrographs_star(tmp_path / "other.star", ["other.mrc"])
    (tmp_path / "empty").mkdir()
    options = [] if micrographs is None else ["--micrographs", tmp_path / micrographs]
    result = _convert(tmp_path / "picks.csv", tmp_path / out, *options)
    assert result.exit_code == 1
    assert told in " ".join(result.output.split())
    assert not (tmp_path / out).exists()
