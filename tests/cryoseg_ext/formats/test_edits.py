"""What was decided by hand: read from files, and put in the place of the best candidates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.edits import Edits, UnmatchedError, read_edits
from cryoseg_ext.formats.micrographs import ListedMicrograph, MicrographList
from cryoseg_ext.picks import Picks
from cryoseg_ext.training.labelled import find_picks

NAMES = ["Micrographs/a.mrc", "Micrographs/b.mrc", "Micrographs/c 1.mrc"]
LISTED = MicrographList(
    Path("m.star"), {name: ListedMicrograph(name, Path(name), 1.0, (400, 400)) for name in NAMES}
)
HEAD = "_rlnMicrographName\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnAutopickFigureOfMerit\n"
EDITS = (
    "data_micrographs\n\nloop_\n_rlnMicrographName\n_rlnSelected\n_cryosegEdited\n"
    f'{NAMES[0]} 1 1\n{NAMES[1]} 0 1\n"{NAMES[2]}" 1 1\nelsewhere.mrc 0 0\n\n'
    f"data_particles\n\nloop_\n{HEAD}{NAMES[0]} 10.25 20.50 0.912345\n{NAMES[0]} 7.00 8.00 1.000000\n"
    f"{NAMES[1]} 1.00 2.00 0.500000\n\n"
)


def _places(picks: Picks) -> list[tuple[float, float, float]]:
    return list(zip(picks.x_px.tolist(), picks.y_px.tolist(), picks.score.tolist(), strict=True))


def test_a_file_of_the_page_says_what_is_selected_and_what_is_picked(tmp_path: Path) -> None:
    path = tmp_path / "edits.star"
    path.write_text(EDITS)
    edits = read_edits(path, LISTED)
    assert edits.selected == dict(zip(NAMES, (True, False, True), strict=True))
    assert [edits.rejects(name) for name in (*NAMES, "x.mrc")] == [False, True, False, False]
    assert _places(edits.picks[NAMES[0]]) == [(7.0, 8.0, 1.0), (10.25, 20.5, 0.912345)]
    assert _places(edits.picks[NAMES[2]]) == []
    # To train on, the rejected micrograph has no picks.
    picks = find_picks(path, LISTED, pytest.fail)
    assert [len(picks[name]) for name in picks] == [2, 0]
    assert NAMES[1] not in picks


def test_a_selection_alone_and_picks_alone_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "some.star"
    path.write_text(f"data_micrographs\n\nloop_\n_rlnMicrographName\n_rlnSelected\n{NAMES[1]} 0\n")
    edits = read_edits(path, LISTED)
    assert (edits.selected, edits.picks) == ({NAMES[1]: False}, {})
    path.write_text(f"data_\n\nloop_\n{HEAD}a.mrc 3 4 -999\n")
    edits = read_edits(path, LISTED)
    assert (edits.selected, _places(edits.picks[NAMES[0]])) == ({}, [(3.0, 4.0, 1.0)])


def test_a_file_that_is_of_others_or_no_picks_at_all_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.star"
    path.write_text(f"data_\n\nloop_\n{HEAD}x.mrc 3 4 0.5\n")
    with pytest.raises(
        UnmatchedError, match=r"other.star has nothing for these micrographs \(it names x.mrc;"
    ):
        read_edits(path, LISTED)
    path.write_text(f"data_micrographs\n\nloop_\n_rlnMicrographName\n{NAMES[1]}\n")
    with pytest.raises(CryosegError, match="holds no coordinates"):
        read_edits(path, LISTED)


@given(
    st.lists(st.integers(0, 19), unique=True, max_size=20),
    st.lists(st.tuples(st.integers(0, 399), st.integers(150, 399)), unique=True, max_size=5),
    st.booleans(),
)
def test_picks_by_hand_know_what_the_candidates_at_their_places_know(
    chosen: list[int], added: list[tuple[int, int]], helical: bool
) -> None:
    number = np.arange(20.0)
    tubes = {"tube_id": number // 5 + 1, "track_length_A": 10 * (number % 5)} if helical else {}
    candidates = Picks(
        20 * number + 0.25, 5 * number, np.linspace(0.9, 0.1, 20), 100 + number, number, **tubes
    )
    kept = candidates.at(np.array(chosen, np.int64))
    new = np.array(added, np.float64).reshape(-1, 2)
    by_hand = Picks(
        np.append(kept.x_px, new[:, 0]),
        np.append(kept.y_px, new[:, 1]),
        np.append(kept.score, np.ones(len(new))),
    )
    picks = Edits(picks={"a": by_hand}).picks_of("a", candidates, 0.99)
    assert sorted(_places(picks)) == sorted(_places(by_hand))
    if not len(by_hand):
        return
    is_new = picks.score == 1
    assert picks.diameter_A is not None
    assert np.isnan(picks.diameter_A[is_new]).all()
    rows = np.rint(picks.x_px[~is_new] / 20 - 0.0125).astype(int)
    for name, values in candidates.columns().items():
        np.testing.assert_array_equal(picks.columns()[name][~is_new], values[rows])
    if helical:
        assert picks.tube_id is not None
        # What was added is on no filament of the job, and the segments of one stay together and in order.
        assert len(set(picks.tube_id[is_new]) - set(range(5))) == len(new)
        for tube in set(picks.tube_id):
            at = np.flatnonzero(picks.tube_id == tube)
            assert np.array_equal(at, np.arange(at[0], at[-1] + 1))
            assert (np.diff(np.nan_to_num(picks.columns()["track_length_A"][at])) > 0).all()


def test_other_micrographs_follow_the_threshold() -> None:
    candidates = Picks(np.arange(4.0), np.arange(4.0), np.array([0.9, 0.6, 0.4, 0.1]))
    assert len(Edits().picks_of("a", candidates, 0.5)) == 2
