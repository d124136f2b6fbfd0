"""The STAR files that a job leaves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import starfile

from cryoseg_ext.formats.coordinates import write_coordinate_lists
from cryoseg_ext.formats.micrographs import read_micrographs
from cryoseg_ext.image.areas import Verdict, assess
from cryoseg_ext.job.finished import FinishedMicrograph
from cryoseg_ext.job.result import JobResult
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.picks import Picks
from relion_wrapper.outputs import (
    with_quality,
    write_candidates_star,
    write_outputs,
)
from tests.cryoseg_ext.formats.stars import MODERN, RELION_3_0
from tests.engine import AREAS

PICKS = Picks(np.array([3.4, 1.6]), np.array([8.5, -0.2]), np.array([0.9, 0.25]))
NO_PICKS = Picks(np.zeros(0), np.zeros(0), np.zeros(0))


def _write_outputs(folder: Path, text: str, picks: dict[str, Picks]) -> None:
    """Write the outputs of a job in ``job``, whose input was `text` and that picked these micrographs."""
    in_mics = folder / "input.star"
    in_mics.write_text(text)
    listed = read_micrographs([in_mics])
    finished = {name: FinishedMicrograph("", 0.5, some, AREAS, (20, 20), 1.0) for name, some in picks.items()}
    result = JobResult(listed, finished, {}, PickingOptions(100.0), 0.2, {})
    write_outputs(folder / "job", result, lambda name, kind: Path("job") / f"{name}_{kind}.star")


def _tables(path: Path) -> dict[str, pd.DataFrame]:
    return starfile.read(path, always_dict=True, parse_as_string=["rlnMicrographName", "rlnOpticsGroupName"])


@pytest.mark.parametrize("text", [MODERN, RELION_3_0], ids=["3.1+", "3.0"])
def test_the_picked_micrographs_keep_their_columns_and_optics(tmp_path: Path, text: str) -> None:
    # The first row is that of a micrograph that was skipped.
    _write_outputs(tmp_path, text, {"MotionCorr/job002/b.mrc": PICKS, "12 34.mrc": NO_PICKS})
    before, after = _tables(tmp_path / "input.star"), _tables(tmp_path / "job/micrographs.star")
    assert list(before) == list(after)
    for name, table in after.items():
        expected = before[name] if name == "optics" else before[name][1:].reset_index(drop=True)
        pd.testing.assert_frame_equal(table[list(expected)], expected, check_dtype=False)
    for name in ("summary", "autopick"):
        (table,) = _tables(tmp_path / f"job/{name}.star").values()
        assert list(table["rlnMicrographName"]) == ["MotionCorr/job002/b.mrc", "12 34.mrc"]


def test_names_of_digits_alone_are_kept(tmp_path: Path) -> None:
    _write_outputs(tmp_path, RELION_3_0.replace("MotionCorr/job002/b.mrc", "0012"), {"0012": PICKS})
    for name in ("micrographs", "particles", "summary", "candidates", "autopick"):
        *_, table = _tables(tmp_path / f"job/{name}.star").values()
        assert set(table["rlnMicrographName"]) == {"0012"}


def test_qualities_stand_under_labels_of_relion_and_replace_older_ones() -> None:
    frame = pd.DataFrame({"rlnMicrographName": ["a.mrc", "b.mrc"], "rlnGroupNrParticles": [7, 8]})
    table = with_quality(frame, [assess(PICKS, AREAS, 100), assess(NO_PICKS, AREAS, 100)])
    assert list(table["rlnGroupNrParticles"]) == [2, 0]
    assert list(table["rlnAutopickFigureOfMerit"]) == [0.575, 0.0]
    for label, share in (
        ("rlnImageWeight", AREAS.usable),
        ("rlnClassDistribution", AREAS.contaminated),
        ("rlnParticleSelectZScore", AREAS.film),
        ("rlnMaxValueProbDistribution", AREAS.mottled),
    ):
        assert list(table[label]) == [share, share]
    assert list(table["rlnSortedIndex"]) == [Verdict.CONTAMINATED, Verdict.CONTAMINATED]
    assert list(frame["rlnGroupNrParticles"]) == [7, 8]


def test_particles_inherit_optics_and_ctf_of_their_micrograph(tmp_path: Path) -> None:
    a, b = "MotionCorr/job002/a.mrc", "MotionCorr/job002/b.mrc"
    _write_outputs(tmp_path, MODERN, {a: NO_PICKS, b: PICKS})
    tables = _tables(tmp_path / "job/particles.star")
    assert list(tables["optics"]["rlnOpticsGroupName"]) == ["fine", "007"]
    particles = tables["particles"]
    assert list(particles["rlnMicrographName"]) == [b, b]
    assert list(particles["rlnCoordinateX"]) == [3, 2]
    assert list(particles["rlnDefocusU"]) == [20234.567] * 2
    assert list(particles["rlnOpticsGroup"]) == [3, 3]
    assert "rlnCtfImage" not in particles


def test_particles_of_a_relion_3_0_file_are_in_one_unnamed_table(tmp_path: Path) -> None:
    _write_outputs(tmp_path, RELION_3_0, {"MotionCorr/job002/a.mrc": PICKS, "12 34.mrc": NO_PICKS})
    (particles,) = _tables(tmp_path / "job/particles.star").values()
    assert list(particles["rlnMagnification"]) == [10000.0] * 2
    assert list(particles["rlnDefocusU"]) == [12000.0] * 2


def test_lists_lead_to_the_coordinate_files(tmp_path: Path) -> None:
    coordinates = {"a b.mrc": Path("External/job2/a b_autopick.star"), "c.mrc": Path("External/job2/c.star")}
    write_coordinate_lists(
        tmp_path, "autopick", Path("CtfFind/job003/micrographs_ctf.star"), coordinates.items()
    )
    table = starfile.read(tmp_path / "autopick.star", always_dict=True)["coordinate_files"]
    assert list(table["rlnMicrographName"]) == list(coordinates)
    assert [Path(path) for path in table["rlnMicrographCoordinates"]] == list(coordinates.values())
    suffix = (tmp_path / "coords_suffix_autopick.star").read_text()
    assert suffix == "CtfFind/job003/micrographs_ctf.star\n"


def test_summary_and_candidates_count_every_pick(tmp_path: Path) -> None:
    _write_outputs(tmp_path, RELION_3_0, {"MotionCorr/job002/a.mrc": PICKS, "12 34.mrc": NO_PICKS})
    summary = starfile.read(tmp_path / "job/summary.star", always_dict=True)[""]
    assert list(summary["rlnGroupNrParticles"]) == [2, 0]
    assert summary["rlnAutopickFigureOfMerit"][0] == pytest.approx(0.575)
    write_candidates_star(tmp_path / "candidates.star", {"a.mrc": PICKS, "b.mrc": NO_PICKS}.items())
    candidates = starfile.read(tmp_path / "candidates.star", always_dict=True)["candidates"]
    assert list(candidates["rlnMicrographName"]) == ["a.mrc"] * 2
    assert list(candidates["rlnCoordinateX"]) == [3.4, 1.6]
