from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import starfile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cryoseg_ext.formats.coordinates import star_labels, star_rows, write_coordinates_star
from cryoseg_ext.formats.picks.csv_table import write_coordinates_csv
from cryoseg_ext.formats.star import format_rows, write_table
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


@given(
    arrays(np.float64, (9, 2), elements=st.floats(-500, 99999)),
    arrays(np.float64, (4, 9), elements=st.floats(-180, 5000) | st.just(np.nan)),
    st.sampled_from([0, 3, 4, 6, 7]),
    st.sampled_from(["", " a 100%s.mrc 1"]),
)
def test_rows_are_those_of_a_plain_formatter(
    xy_px: np.ndarray, more: np.ndarray, n_columns: int, end: str
) -> None:
    known = dict(zip(("diameter_A", "psi_deg", "tube_id", "track_length_A"), more, strict=True))
    known["tube_id"] = np.nan_to_num(known["tube_id"])
    x_px, y_px = xy_px.T
    picks = Picks(x_px, y_px, np.linspace(1, 0, 9), **dict(list(known.items())[: max(0, n_columns - 3)]))
    labels = star_labels([picks])
    lines = star_rows(picks, labels, 2, end).split("\n")
    for number, line in enumerate(lines):
        of_row = {name: np.nan_to_num(values[number]) for name, values in picks.columns().items()}
        psi = of_row.get("psi_deg", 0.0)
        x, y = (round(of_row[name], 2) + 0.0 for name in ("x_px", "y_px"))
        words = [f"{x:12.6f} {y:12.6f} {of_row['score']:9.6f} 0 {psi:.6f}"]
        if "diameter_A" in of_row:
            words.append(f"{of_row['diameter_A']:.1f}")
        if "tube_id" in of_row:
            length = of_row.get("track_length_A", 0.0)
            words.append(f"{of_row['tube_id']:.0f} 90.000000 {psi:.6f} {length:.6f} 0.500000")
        assert line == " ".join(words) + end


def test_nothing_is_left_between_micrographs_without_picks(tmp_path: Path) -> None:
    rows = (format_rows("%.1f", [np.arange(n, dtype=float)]) for n in (0, 2, 0, 1, 0))
    write_table(tmp_path / "a.star", "", ["rlnCoordinateX"], rows)
    text = "\ndata_\n\nloop_\n_rlnCoordinateX #1\n0.0\n1.0\n0.0\n\n"
    assert (tmp_path / "a.star").read_text() == text
