from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import starfile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cryoseg_ext.formats.coordinates import write_coordinates_star
from cryoseg_ext.formats.picks.csv_table import write_coordinates_csv
from cryoseg_ext.picks import Picks

PIXELS = st.floats(-0.5, 8191.4)


@given(arrays(np.float64, (5, 2), elements=PIXELS), arrays(np.float64, 5, elements=st.floats(0, 1)))
def test_relion_cuts_its_boxes_around_the_nearest_pixel(
    tmp_path_factory: pytest.TempPathFactory, xy_px: np.ndarray, score: np.ndarray
) -> None:
    path = tmp_path_factory.mktemp("job") / "Movies/a_autopick.star"
    write_coordinates_star(path, Picks(xy_px[:, 0], xy_px[:, 1], score))
    table = starfile.read(path, always_dict=True)[""]
    written = table[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy(float)
    # RELION's Extract truncates.
    assert np.array_equal(written.astype(int), written)
    assert np.abs(written - xy_px).max() <= 0.5
    np.testing.assert_allclose(table["rlnAutopickFigureOfMerit"], score, atol=1e-6)


def test_a_file_without_picks_has_the_columns_only(tmp_path: Path) -> None:
    nothing = Picks(np.zeros(0), np.zeros(0), np.zeros(0))
    write_coordinates_star(tmp_path / "a.star", nothing)
    write_coordinates_csv(tmp_path / "a.csv", nothing)
    table = starfile.read(tmp_path / "a.star", always_dict=True)[""]
    assert list(table.columns)[3:] == ["rlnClassNumber", "rlnAnglePsi"]
    assert len(table) == 0
    assert (tmp_path / "a.csv").read_text() == "x,y,score\n"


def test_csv_keeps_fractions_of_a_pixel(tmp_path: Path) -> None:
    write_coordinates_csv(tmp_path / "a.csv", Picks(np.array([3.25]), np.array([-0.4]), np.array([0.5])))
    assert (tmp_path / "a.csv").read_text().splitlines()[1] == "3.25,-0.40,0.500000"
