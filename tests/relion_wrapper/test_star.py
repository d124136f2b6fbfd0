from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import starfile

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.image.areas import AreaShares, assess
from cryoseg_ext.picks import Picks
from relion_wrapper.star import (
    MicrographsStar,
    pixel_sizes,
    read_micrographs_star,
    with_quality,
    write_candidates_star,
    write_coordinate_lists,
    write_micrographs_star,
    write_particles_star,
    write_summary_star,
)

MODERN = """
# version 50001

data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMicrographOriginalPixelSize #3
_rlnMicrographPixelSize #4
_rlnVoltage #5
fine 1 0.427000 0.854000 300.000000
007  3 0.667000 1.334000 200.000000


# version 50001

data_micrographs

loop_
_rlnMicrographName #1
_rlnOpticsGroup #2
_rlnCtfImage #3
_rlnDefocusU #4
_rlnDefocusV #5
_rlnDefocusAngle #6
_rlnCtfMaxResolution #7
MotionCorr/job002/a.mrc  1 a.ctf:mrc 10234.567 10001.25 45.1 3.5
MotionCorr/job002/b.mrc  3 b.ctf:mrc 20234.567 20001.25 -5.1 4.5
"12 34.mrc" 9 c.ctf:mrc 1 2 3 nan
"""

RELION_3_0 = """
data_

loop_
_rlnMicrographName #1
_rlnMagnification #2
_rlnDetectorPixelSize #3
_rlnDefocusU #4
a.mrc 10000.0 5.0 12000.0
b.mrc 50000.0 14.0 13000.0
"""

SINGLE_ROW_BLOCK = """
data_optics

_rlnOpticsGroup 1
_rlnMicrographPixelSize 1.5

data_micrographs

loop_
_rlnMicrographName #1
_rlnOpticsGroup #2
a.mrc 1
"""

PICKS = Picks(np.array([3.4, 1.6]), np.array([8.5, -0.2]), np.array([0.9, 0.25]))
AREAS = AreaShares(contaminated=0.25, film=0.125, dead=0.05)
NO_PICKS = Picks(np.zeros(0), np.zeros(0), np.zeros(0))


def _write(folder: Path, text: str) -> Path:
    path = folder / "micrographs.star"
    path.write_text(text)
    return path


def test_each_micrograph_has_the_pixel_size_of_its_optics_group(tmp_path: Path) -> None:
    star = read_micrographs_star(_write(tmp_path, MODERN))
    assert star.names == ["MotionCorr/job002/a.mrc", "MotionCorr/job002/b.mrc", "12 34.mrc"]
    *known, unknown = pixel_sizes(star)
    assert known == [0.854, 1.334]
    assert isinstance(unknown, CryosegError)
    assert "12 34.mrc" in str(unknown)
    assert "optics group 9" in str(unknown)


def test_a_relion_3_0_file_gives_the_pixel_size_by_magnification(tmp_path: Path) -> None:
    star = read_micrographs_star(_write(tmp_path, RELION_3_0))
    assert pixel_sizes(star) == pytest.approx([5.0, 2.8])


def test_a_table_of_one_row_may_be_written_without_a_loop(tmp_path: Path) -> None:
    assert pixel_sizes(read_micrographs_star(_write(tmp_path, SINGLE_ROW_BLOCK))) == [1.5]


@pytest.mark.parametrize("size", ["0", "-1.5", "nan", "unknown"])
def test_a_pixel_size_that_is_none_is_told_with_the_micrograph(tmp_path: Path, size: str) -> None:
    star = read_micrographs_star(_write(tmp_path, SINGLE_ROW_BLOCK.replace("1.5", size)))
    (wrong,) = pixel_sizes(star)
    assert isinstance(wrong, CryosegError)
    assert "a.mrc" in str(wrong)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no tables"),
        ("data_micrographs\n\n", "not a readable STAR file"),
        ("data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnOpticsGroup #2\n", "lists no micrographs"),
        ("data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnX #2\na.mrc\nb.mrc 1 2\n", "not a readable"),
        ("data_movies\n\nloop_\n_rlnMicrographMovieName #1\na.tif\n", "data_movies"),
        ("data_micrographs\n\nloop_\n_rlnOpticsGroup #1\n1\n", "no column rlnMicrographName"),
        ("data_\n\nloop_\n_rlnMicrographName #1\na.mrc\n", "no pixel size"),
        (MODERN.replace("_rlnMicrographPixelSize", "_rlnSomething"), "no pixel size"),
        (SINGLE_ROW_BLOCK.replace("_rlnOpticsGroup #2", "_rlnSomething #2"), "rlnOpticsGroup"),
    ],
    ids=[
        "empty",
        "no loop",
        "no rows",
        "ragged",
        "movies",
        "no names",
        "no size",
        "no size group",
        "no group",
    ],
)
def test_an_unusable_star_file_is_told_in_one_sentence(tmp_path: Path, text: str, told: str) -> None:
    path = _write(tmp_path, text)
    with pytest.raises(CryosegError, match=told) as caught:
        read_micrographs_star(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["missing.star", "."])
def test_a_star_file_that_cannot_be_opened_is_told(
    tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CryosegError, match=path):
        read_micrographs_star(Path(path))


@pytest.mark.parametrize("text", [MODERN, RELION_3_0], ids=["3.1+", "3.0"])
def test_the_processed_micrographs_keep_their_columns_and_optics(tmp_path: Path, text: str) -> None:
    star = read_micrographs_star(_write(tmp_path, text))
    out = tmp_path / "out.star"
    write_micrographs_star(out, star.kept(star.names[1:]))
    before, after = (
        starfile.read(tmp_path / "micrographs.star", always_dict=True),
        starfile.read(out, always_dict=True),
    )
    assert list(before) == list(after)
    for table in after:
        expected = before[table] if table == "optics" else before[table][1:].reset_index(drop=True)
        pd.testing.assert_frame_equal(after[table], expected, check_dtype=False)


def test_qualities_stand_under_labels_of_relion_and_replace_older_ones(tmp_path: Path) -> None:
    frame = pd.DataFrame({"rlnMicrographName": ["a.mrc", "b.mrc"], "rlnGroupNrParticles": [7, 8]})
    qualities = [assess(PICKS, AREAS), assess(NO_PICKS, AREAS)]
    write_micrographs_star(
        tmp_path / "micrographs.star", with_quality(MicrographsStar(Path("m.star"), frame, None), qualities)
    )
    table = starfile.read(tmp_path / "micrographs.star", always_dict=True)[""]
    assert list(table["rlnGroupNrParticles"]) == [2, 0]
    assert list(table["rlnAutopickFigureOfMerit"]) == [0.575, 0.0]
    for label, share in (
        ("rlnImageWeight", AREAS.usable),
        ("rlnClassDistribution", AREAS.contaminated),
        ("rlnParticleSelectZScore", AREAS.film),
    ):
        assert list(table[label]) == [share, share]
    assert list(frame["rlnGroupNrParticles"]) == [7, 8]


def test_particles_inherit_optics_and_ctf_of_their_micrograph(tmp_path: Path) -> None:
    star = read_micrographs_star(_write(tmp_path, MODERN))
    out = tmp_path / "particles.star"
    write_particles_star(out, star, {star.names[0]: NO_PICKS, star.names[1]: PICKS, star.names[2]: PICKS})
    tables = starfile.read(out, always_dict=True, parse_as_string=["rlnOpticsGroupName"])
    assert list(tables["optics"]["rlnOpticsGroupName"]) == ["fine", "007"]
    particles = tables["particles"]
    assert list(particles["rlnMicrographName"]) == [star.names[1]] * 2 + [star.names[2]] * 2
    assert list(particles["rlnCoordinateX"]) == [3, 2, 3, 2]
    assert list(particles["rlnDefocusU"][:2]) == [20234.567] * 2
    assert list(particles["rlnOpticsGroup"]) == [3, 3, 9, 9]
    assert "rlnCtfImage" not in particles


def test_particles_of_a_relion_3_0_file_are_in_one_unnamed_table(tmp_path: Path) -> None:
    star = read_micrographs_star(_write(tmp_path, RELION_3_0))
    out = tmp_path / "particles.star"
    write_particles_star(out, star, {"a.mrc": PICKS, "b.mrc": NO_PICKS})
    (table,) = starfile.read(out, always_dict=True).values()
    assert list(table["rlnMagnification"]) == [10000.0] * 2
    assert list(table["rlnDefocusU"]) == [12000.0] * 2


def test_lists_lead_to_the_coordinate_files(tmp_path: Path) -> None:
    coordinates = {"a b.mrc": Path("External/job2/a b_autopick.star"), "c.mrc": Path("External/job2/c.star")}
    write_coordinate_lists(tmp_path, "autopick", Path("CtfFind/job003/micrographs_ctf.star"), coordinates)
    table = starfile.read(tmp_path / "autopick.star", always_dict=True)["coordinate_files"]
    assert list(table["rlnMicrographName"]) == list(coordinates)
    assert [Path(path) for path in table["rlnMicrographCoordinates"]] == list(coordinates.values())
    suffix = (tmp_path / "coords_suffix_autopick.star").read_text()
    assert suffix == "CtfFind/job003/micrographs_ctf.star\n"


def test_summary_and_candidates_count_every_pick(tmp_path: Path) -> None:
    write_summary_star(
        tmp_path / "summary.star", {"a.mrc": assess(PICKS, AREAS), "b.mrc": assess(NO_PICKS, AREAS)}
    )
    summary = starfile.read(tmp_path / "summary.star", always_dict=True)[""]
    assert list(summary["rlnGroupNrParticles"]) == [2, 0]
    assert summary["rlnAutopickFigureOfMerit"][0] == pytest.approx(0.575)
    write_candidates_star(tmp_path / "candidates.star", {"a.mrc": PICKS, "b.mrc": NO_PICKS})
    candidates = starfile.read(tmp_path / "candidates.star", always_dict=True)["candidates"]
    assert list(candidates["rlnMicrographName"]) == ["a.mrc"] * 2
    assert list(candidates["rlnCoordinateX"]) == [3.4, 1.6]
