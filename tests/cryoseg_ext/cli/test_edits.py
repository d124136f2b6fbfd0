"""The files of the page, in the commands that take them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from cryoseg_ext.cli import main
from cryoseg_ext.formats.reading import read_picks
from tests.engine import CENTRES_PX, DIAMETER_A, Engine, blobs, write_micrograph

EDITED = ((33.25, 80.5, 1.0), (100.0, 60.0, 0.4))


@pytest.fixture
def folder(tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, with three micrographs, and the files that the page saves."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate("abc"):
        write_micrograph(tmp_path / f"in/{name}.mrc", blobs(seed))
    Path("edits.star").write_text(
        "data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnSelected #2\n_cryosegEdited #3\n"
        "in/a.mrc 1 1\nin/b.mrc 0 0\n\ndata_particles\n\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n"
        "_rlnCoordinateY #3\n_rlnAutopickFigureOfMerit #4\n"
        + "".join(f"in/a.mrc {x:.2f} {y:.2f} {score:.6f}\n" for x, y, score in EDITED)
    )
    rows = "".join(f"in/a.mrc,{x:.2f},{y:.2f},{score:.6f}\n" for x, y, score in EDITED)
    Path("edits.csv").write_text(f"micrograph,x,y,score\n{rows}")
    return tmp_path


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(main, [*arguments])
    assert result.exit_code == 0, result.output
    return result.output


def _rows(path: str) -> list[tuple[float, float, float]]:
    (picks,) = read_picks(Path(path)).values()
    return list(zip(picks.x_px.tolist(), picks.y_px.tolist(), picks.score.tolist(), strict=True))


def test_pick_takes_them_and_its_page_shows_the_command(folder: Path, engine: Engine) -> None:
    command = (
        "pick",
        "in/*.mrc",
        "--out",
        "picks",
        "--format",
        "csv",
        "--particle_diameter",
        f"{DIAMETER_A:g}",
    )
    _run(*command)
    data = re.search(
        r'<script id="data"[^>]*>(.*?)</script>', Path("picks/review.html").read_text(), re.DOTALL
    )
    assert data
    commands = dict(json.loads(data[1])["commands"])
    ends = "--in_coords {edits} --threshold {threshold}"
    assert commands.pop("Take them into this job") == (
        f"cryoseg pick 'in/*.mrc' --out picks --format csv --particle_diameter {DIAMETER_A:g} {ends}"
    )
    assert commands == {
        "Train a model on them": "cryoseg train --in_mics 'in/*.mrc' --in_coords {edits} "
        f"--particle_diameter {DIAMETER_A:g} --out model"
    }
    engine.clear()
    for file, others in (("edits.star", {"a", "c"}), ("edits.csv", {"a", "b", "c"})):
        _run(*command, "--in_coords", file)
        assert engine.picked == []
        assert _rows("picks/a.csv") == list(EDITED)
        assert [(round(x), round(y)) for x, y, _ in _rows("picks/c.csv")] == list(CENTRES_PX[:2])
        assert {path.stem for path in Path("picks").glob("?.csv")} == others


def test_convert_and_evaluate_take_both_files(folder: Path) -> None:
    for file in ("edits.star", "edits.csv"):
        _run("convert", file, "converted")
        assert _rows("converted/a_autopick.star") == list(EDITED)
    _run(
        *("evaluate", "--truth", "edits.star", "--picks", "edits.csv", "--particle_diameter", "20"),
        *("--pixel_size", "1", "--json", "scores.json"),
    )
    assert '"f1": 1.0' in Path("scores.json").read_text()
