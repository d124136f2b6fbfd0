from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cryosparc.dataset import Dataset
from hypothesis import given
from hypothesis import strategies as st

from cryoseg_ext.formats.groups import Exposure
from cryoseg_ext.formats.particles import PickedExposure, fill_particles, located_picks, particle_dataset
from cryoseg_ext.picks import Picks


def _exposure(uid: int, path: str, shape: tuple[int, int], pixel_size_A: float, group: int) -> Exposure:
    return Exposure(uid, path, shape, pixel_size_A, group)


EXPOSURE = _exposure(2**63 + 5, "J2/motioncorrected/a.mrc", (3838, 3710), 1.1, 7)
OTHER = _exposure(9, "J2/motioncorrected/b.mrc", (4096, 4096), 0.5, 8)
NONE = Picks(*np.empty((3, 0)))

# CRYOSPARC.md, section 1: the server checks name, type and shape of each column.
EXACT = [
    ("uid", "<u8"),
    ("location/micrograph_uid", "<u8"),
    ("location/exp_group_id", "<u4"),
    ("location/micrograph_path", "|O"),
    ("location/micrograph_shape", "<u4", (2,)),
    ("location/center_x_frac", "<f4"),
    ("location/center_y_frac", "<f4"),
    ("location/micrograph_psize_A", "<f4"),
    ("location/min_dist_A", "<f4"),
    ("pick_stats/ncc_score", "<f4"),
    ("pick_stats/power", "<f4"),
    ("pick_stats/template_idx", "<u4"),
    ("pick_stats/angle_rad", "<f4"),
]


def _picks(*rows: tuple[float, float, float]) -> Picks:
    return Picks(*np.array(rows).T)


def test_each_column_has_its_exact_type_and_value() -> None:
    picked = [
        PickedExposure(EXPOSURE, _picks((371, 0, 0.75), (1855, 1919, 0.5))),
        PickedExposure(OTHER, NONE),
        PickedExposure(OTHER, _picks((2048, 1024, 0.25))),
    ]
    particles = particle_dataset(picked, min_distance_A=90)
    assert particles.descr() == EXACT
    assert len(set(particles["uid"])) == 3
    rows = {name: particles[name].tolist() for name in particles if name != "uid"}
    assert rows == {
        "location/micrograph_uid": [2**63 + 5, 2**63 + 5, 9],
        "location/exp_group_id": [7, 7, 8],
        "location/micrograph_path": [EXPOSURE.path, EXPOSURE.path, OTHER.path],
        "location/micrograph_shape": [[3838, 3710], [3838, 3710], [4096, 4096]],
        "location/center_x_frac": pytest.approx([0.1, 0.5, 0.5]),
        "location/center_y_frac": pytest.approx([0, 0.5, 0.25]),
        "location/micrograph_psize_A": pytest.approx([1.1, 1.1, 0.5]),
        "location/min_dist_A": [90, 90, 90],
        "pick_stats/ncc_score": [0.75, 0.5, 0.25],
        "pick_stats/power": [0.75, 0.5, 0.25],
        "pick_stats/template_idx": [0, 0, 0],
        "pick_stats/angle_rad": [0, 0, 0],
    }


def test_no_picks_at_all_still_have_every_column() -> None:
    assert particle_dataset([], 90).descr() == EXACT
    assert len(particle_dataset([PickedExposure(EXPOSURE, NONE)], 90)) == 0


def test_a_data_set_that_the_server_made_keeps_its_own_columns() -> None:
    given_by_server: Dataset = Dataset.allocate(
        1, [("location/center_x_frac", "<f4"), ("location/new", "<u4")]
    )
    fill_particles(given_by_server, [PickedExposure(OTHER, _picks((1024, 1, 1)))], 90)
    assert given_by_server["location/center_x_frac"].tolist() == [0.25]
    assert given_by_server["location/new"].tolist() == [0]


@pytest.mark.parametrize("shape", [(3838, 3710), (4096, 4096)])
@given(data=st.data())
def test_a_pick_comes_back_to_a_hundredth_of_a_pixel(
    tmp_path_factory: pytest.TempPathFactory, shape: tuple[int, int], data: st.DataObject
) -> None:
    ny, nx = shape
    row = st.tuples(st.floats(0, nx), st.floats(0, ny), st.floats(0, 1, width=32))
    picks = _picks(*sorted(data.draw(st.lists(row, min_size=1, max_size=30)), key=lambda one: -one[2]))
    exposure = _exposure(1, "J1/a.mrc", shape, 1.0, 1)
    path = tmp_path_factory.mktemp("cs") / "p.cs"
    particle_dataset([PickedExposure(exposure, picks)], 90).save(path)
    back = located_picks(path, Dataset.load(path))["J1/a.mrc"]
    assert back.shape == shape
    np.testing.assert_allclose(back.picks.x_px, picks.x_px, atol=1e-3)
    np.testing.assert_allclose(back.picks.y_px, picks.y_px, atol=1e-3)
    np.testing.assert_array_equal(back.picks.score, picks.score)


def test_a_box_around_a_pick_is_the_same_in_the_file_and_in_cryosparcs_columns(tmp_path: Path) -> None:
    import mrcfile

    image = np.zeros((380, 370), np.float32)
    image[40:50, 300:310] = 1  # right, and among the first rows
    mrcfile.write(tmp_path / "a.mrc", image)
    exposure = _exposure(1, "J1/a.mrc", (380, 370), 1.0, 1)
    particles = particle_dataset([PickedExposure(exposure, _picks((305, 45, 1)))], 10)
    # What Extract does: fractions of the stored columns and rows, row 0 being the first in the file.
    ny, nx = particles["location/micrograph_shape"][0].tolist()
    x, y = (
        round(particles["location/center_x_frac"][0] * nx),
        round(particles["location/center_y_frac"][0] * ny),
    )
    assert mrcfile.read(tmp_path / "a.mrc")[y - 5 : y + 5, x - 5 : x + 5].all()


def test_filaments_have_a_slot_of_their_own(tmp_path: Path) -> None:
    helical = replace(
        _picks((10, 20, 0.9), (30, 20, 0.9), (50, 70, 0.5)),
        psi_deg=np.array([30.0, -150.0, 90.0]),
        tube_id=np.array([1.0, 1.0, 2.0]),
        track_length_A=np.array([0.0, 60.0, 0.0]),
    )
    particles = particle_dataset([PickedExposure(EXPOSURE, helical), PickedExposure(OTHER, helical)], 90)
    assert particles.descr()[len(EXACT) :] == [
        ("filament/filament_uid", "<u8"),
        ("filament/filament_pose", "<f4"),
        ("filament/position_A", "<f4"),
    ]
    assert len(set(particles["filament/filament_uid"])) == 4
    np.testing.assert_allclose(np.degrees(particles["filament/filament_pose"][:3]), [-30, 150, -90], 1e-6)
    particles.save(tmp_path / "p.cs")
    for located in located_picks("p.cs", Dataset.load(tmp_path / "p.cs")).values():
        for name in ("psi_deg", "tube_id", "track_length_A"):
            np.testing.assert_allclose(located.picks.columns()[name], helical.columns()[name], atol=1e-4)
