"""``cryoseg select`` on a small simulated session, and ``--settings`` in the commands that pick."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
import starfile
from click.testing import CliRunner

from cryoseg_ext.cli import main
from cryoseg_ext.formats.micrographs import read_micrographs
from cryoseg_ext.formats.reading import read_picks
from cryoseg_ext.options.extraction import ExtractionOptions
from cryoseg_ext.options.size import ParticleSize
from cryoseg_ext.simulation.session import SessionOptions
from cryoseg_ext.simulation.session_files import write_session
from cryoseg_ext.tuning.select import true_picks
from relion_wrapper.command import parse_picking

SESSION = SessionOptions(shape=(256, 288), pixel_size_A=6.0, family="ellipsoid", diameter_A=150.0, seed=3)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("session")
    write_session(folder, SESSION, 2)
    return folder


def _run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result.output


def _write(path: Path, settings: Any) -> Path:
    path.write_text(json.dumps({"settings": settings}))
    return path


def _select(session: Path, out: Path, *arguments: object) -> tuple[dict[str, Any], set[str], str]:
    output = _run("select", session / "Micrographs", "--particle_diameter", 150, "--out", out, *arguments)
    found = json.loads(out.read_text())
    tried = {effect["name"] for effect in found["search"]["effects"] if not effect["chosen"]}
    return found["settings"], tried, output


def test_the_settings_found_are_taken_by_the_command_that_picks(session: Path, tmp_path: Path) -> None:
    out, micrograph = tmp_path / "settings.json", session / "Micrographs/mic_0001.mrc"
    settings, tried, output = _select(session, out, "--truth", session / "Coordinates")
    assert tried == {"diameter", "crf", "method", "min_distance", "threshold"}
    assert "precision" in output
    assert "Trying settings on micrographs: 0 of 2\n" in output
    _run("pick", micrograph, "--settings", out, "--out", tmp_path / "by_file")
    given = [word for name in settings if name != "no_crf" for word in (f"--{name}", settings[name])]
    given += ["--no_crf"] if "no_crf" in settings else []
    _run("pick", micrograph, *given, "--out", tmp_path / "by_options")
    by_file, by_options = (
        (tmp_path / folder / "mic_0001.csv").read_text() for folder in ("by_file", "by_options")
    )
    assert by_file == by_options
    assert by_file.count("\n") > 3


def test_truth_of_another_binning_is_brought_to_the_micrographs_and_remarked_on(
    session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = read_micrographs([session / "micrographs.star"])
    expected = true_picks(session / "particles.star", listed)
    tables = starfile.read(session / "particles.star")
    tables["optics"]["rlnMicrographPixelSize"] = SESSION.pixel_size_A / 2
    particles = tables["particles"]
    for axis in "XY":
        particles[f"rlnOrigin{axis}Angst"] = 12.0
        particles[f"rlnCoordinate{axis}"] = 2 * particles[f"rlnCoordinate{axis}"] + 4
    starfile.write(tables, tmp_path / "unbinned.star")
    capsys.readouterr()
    found = true_picks(tmp_path / "unbinned.star", listed)
    assert capsys.readouterr().err.startswith("Note: ")
    for name, picks in expected.items():
        np.testing.assert_allclose(found[name].x_px, picks.x_px, atol=1e-3)
        np.testing.assert_allclose(found[name].y_px, picks.y_px, atol=1e-3)


def test_without_truth_neither_distance_nor_precision_is_spoken_of(session: Path, tmp_path: Path) -> None:
    settings, tried, output = _select(session, tmp_path / "settings.json")
    assert tried == {"diameter", "crf", "method"}
    assert settings["min_distance"] == 60
    assert "agreement" in output
    assert "precision" not in output


def test_a_file_that_cannot_be_written_is_named_before_anything_is_tried(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    out = tmp_path / "file/settings.json"
    output = _run("select", tmp_path / "absent", "--particle_diameter", 150, "--out", out, code=1)
    assert output.startswith(f"Error: {out.parent}: ")
    assert "correct this and run the command again" in output


def test_bright_protein_is_chosen_for_as_its_negative(session: Path, tmp_path: Path) -> None:
    dark, _, _ = _select(session, tmp_path / "dark.json", "--most", 1)
    negative = tmp_path / "negative" / "Micrographs"
    negative.mkdir(parents=True)
    for path in (session / "Micrographs").glob("*.mrc"):
        with mrcfile.new(negative / path.name, -mrcfile.read(path).astype(np.float32)) as mrc:
            mrc.voxel_size = SESSION.pixel_size_A
    settings = tmp_path / "bright.json"
    bright, _, _ = _select(negative.parent, settings, "--invert", "--most", 1)
    assert bright == dark | {"invert": True}
    for folder, file in ((session, "dark.json"), (negative.parent, "bright.json")):
        micrograph = folder / "Micrographs/mic_0001.mrc"
        _run("pick", micrograph, "--settings", tmp_path / file, "--out", tmp_path / f"by_{file}")
    one, other = ((tmp_path / f"by_{file}/mic_0001.csv").read_text() for file in ("dark.json", "bright.json"))
    assert one == other
    required = ["--o", "o", "--in_mics", "m.star", "--settings", str(settings)]
    assert parse_picking(required).options.invert


def test_an_option_that_is_given_wins_over_the_file(session: Path, tmp_path: Path) -> None:
    file = _write(tmp_path / "a.json", {"particle_diameter": 150, "threshold": 0.1, "no_crf": True})
    micrograph = session / "Micrographs/mic_0001.mrc"
    _run("pick", micrograph, "--settings", file, "--threshold", 0.9, "--out", tmp_path / "given")
    _run("pick", micrograph, "--settings", file, "--out", tmp_path / "file")
    (given,), (of_file,) = (
        read_picks(tmp_path / folder / "mic_0001.csv").values() for folder in ("given", "file")
    )
    assert given.score.min() >= 0.9
    assert 0.1 <= of_file.score.min() < 0.5
    required = ["--o", "o", "--in_mics", "m.star", "--settings", str(file)]
    options = parse_picking([*required, "--threshold", "0.3"]).options
    assert (options.size, options.threshold, options.crf.solver) == (ParticleSize(150.0), 0.3, "none")
    assert parse_picking([*required, "--crf_solver", "frank_wolfe"]).options.crf.solver == "frank_wolfe"
    a_range = ["--min_diameter", "100", "--max_diameter", "200"]
    assert parse_picking([*required, *a_range]).options.size == ParticleSize(None, 100.0, 200.0)
    _run("pick", micrograph, "--settings", file, *a_range, "--out", tmp_path / "range")
    method = _write(tmp_path / "b.json", {"particle_diameter": 90.5, "extraction": "contours"})
    options = parse_picking([*required[:-1], str(method)]).options
    assert options.extraction == ExtractionOptions("contours")


@pytest.mark.parametrize("command", ["pick x.mrc --out o", "segment x.mrc --out o", "select x.mrc --out o"])
@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"particle_diameter": 150, "treshold": 0.3}, "treshold is no setting"),
        ({"particle_diameter": -1}, "particle_diameter: "),
        ({"particle_diameter": [150]}, "give a word or a number"),
        ([], "no 'settings'"),
    ],
)
def test_a_file_with_something_else_in_it_is_told_in_a_sentence(
    tmp_path: Path, command: str, settings: Any, told: str
) -> None:
    file = _write(tmp_path / "a.json", settings)
    output = _run(*command.split(), "--settings", file, code=1)
    assert output.count("\n") == 1
    assert str(file) in output
    assert told in output
