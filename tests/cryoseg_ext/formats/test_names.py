from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.names import SUFFIXES, match_names


@pytest.mark.parametrize(
    ("name", "micrograph"),
    [
        ("MotionCorr/job002/Movies/a.mrc", "MotionCorr/job002/Movies/a.mrc"),
        (">J3/motioncorrected/a.mrc", "J3/motioncorrected/a.mrc"),
        ("May08_05.55.31", "micrographs/May08_05.55.31.mrc.gz"),
        ("J2/imported/004512345678901234567_a_b_patch_aligned_doseweighted.mrc", "Movies/a_b_Fractions.mrc"),
        ("a_DW", "a_noDW.mrc"),
        ("20231115123456789_001.mrc", "x/20231115123456789_001_fractions.tiff"),
    ],
)
def test_names_of_the_same_micrograph_match(name: str, micrograph: str) -> None:
    others = ["other.mrc", "20231115123456790_001.tiff", "b_fractions.mrc"]
    assert match_names([name, "stranger"], [*others, micrograph]) == {name: micrograph}


@given(
    stem=st.from_regex(r"[A-Za-z][A-Za-z0-9_.]{0,12}[0-9]", fullmatch=True),
    suffixes=st.lists(st.sampled_from(SUFFIXES), max_size=3),
    uid=st.integers(10**14, 10**21 - 1),
)
def test_what_cryosparc_adds_to_a_name_is_removed(stem: str, suffixes: list[str], uid: int) -> None:
    name = f"J1/motioncorrected/{uid}_{stem}{''.join(suffixes)}.mrc"
    assert match_names([name], [f"raw/{stem}.tif"]) == {name: f"raw/{stem}.tif"}


def test_a_name_that_fits_two_micrographs_is_told_with_both() -> None:
    with pytest.raises(CryosegError, match=r"one/a\.mrc and two/a\.mrc"):
        match_names(["a"], ["one/a.mrc", "two/a.mrc"])


def test_two_names_that_fit_one_micrograph_are_told() -> None:
    with pytest.raises(CryosegError, match=r"a_DW and a_noDW fit a\.mrc"):
        match_names(["a_DW", "a_noDW"], ["a.mrc"])


def test_the_closest_comparison_decides() -> None:
    assert match_names(["x/a_DW.mrc"], ["a.mrc", "a_DW.mrc"]) == {"x/a_DW.mrc": "a_DW.mrc"}


def test_the_same_names_in_several_folders_match_by_path() -> None:
    micrographs = ["MotionCorr/job002/one/a.mrc", "MotionCorr/job002/two/a.mrc"]
    assert match_names(["two/a", "one/a"], micrographs) == {"two/a": micrographs[1], "one/a": micrographs[0]}
    # Another micrograph of the same name is not in the list.
    assert match_names(["one/a.mrc", "three/a.mrc"], ["x/one/a.mrc"]) == {"one/a.mrc": "x/one/a.mrc"}


def test_long_names_take_no_time() -> None:
    name = "a" + ".mrc" * 10_000
    assert match_names([name], ["b/a.mrc"]) == {name: "b/a.mrc"}
