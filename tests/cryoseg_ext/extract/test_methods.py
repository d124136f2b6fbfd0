"""What each method of extraction gives on drawn maps."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.extract.candidates import Maps
from cryoseg_ext.extract.extraction import extract
from cryoseg_ext.options.extraction import METHODS, ExtractionOptions, Method
from cryoseg_ext.picks import Picks
from tests.cryoseg_ext.extract.drawn import (
    CALIBRATION,
    DIAMETER_A,
    DIAMETER_PX,
    PIXEL_A,
    STEP,
    Points,
    discs,
    from_mask,
    source_px,
    working,
)

SHAPE = (200, 260)
APART = [(40.3, 50.6), (100.0, 60.0), (170.2, 150.9), (220.0, 40.0), (60.0, 150.0)]


def _picks(maps: Maps, options: ExtractionOptions = ExtractionOptions()) -> Picks:
    return extract(maps, working(maps.centre.shape), DIAMETER_A, CALIBRATION, options)


def _xy(picks: Picks) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.stack([picks.x_px, picks.y_px], axis=1)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_particles_that_stand_apart(method: Method) -> None:
    picks = _picks(discs(APART, SHAPE), ExtractionOptions(method))
    assert len(picks) == len(APART)
    off_px = cdist(source_px(APART), _xy(picks)).min(axis=1) / STEP
    assert off_px.max() < 0.03 * DIAMETER_PX


@pytest.mark.parametrize("method", METHODS)
def test_no_method_finds_anything_in_nothing(method: Method) -> None:
    assert len(_picks(discs([], SHAPE), ExtractionOptions(method))) == 0


@settings(max_examples=15)
@given(st.floats(0, np.pi), st.floats(0.85, 0.98))
def test_touching_discs_are_split_by_all_methods_that_can(angle: float, distance: float) -> None:
    middle, half = np.array([40.4, 39.7]), distance * DIAMETER_PX / 2
    arm = half * np.array([np.cos(angle), np.sin(angle)])
    pair: Points = [tuple(middle - arm), tuple(middle + arm)]
    maps = discs(pair, (80, 80))
    for method in METHODS:
        picks = _picks(maps, ExtractionOptions(method, max_area=3.0))
        if method == "contours":
            # What touches is one component, until the erosion separates it.
            assert len(picks) == 1
            picks = _picks(maps, ExtractionOptions(method, erosion_A=0.38 * DIAMETER_A))
        assert len(picks) == 2, method
        off_px = cdist(source_px(pair), _xy(picks)).min(axis=1) / STEP
        assert off_px.max() < (0.02 if method == "centre" else 0.12) * DIAMETER_PX, method


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.floats(5, 150), st.floats(5, 110)), min_size=2, max_size=12),
    st.sampled_from(METHODS),
    st.floats(40, 400),
)
def test_no_two_picks_are_nearer_than_the_minimum_distance(
    points: list[tuple[float, float]], method: Method, least_A: float
) -> None:
    picks = _picks(discs(points, (120, 160)), ExtractionOptions(method, min_distance_A=least_A))
    if method in ("centre", "gaussian_nms"):
        assert len(picks) > 0
    distance_A = cdist(_xy(picks), _xy(picks)) * PIXEL_A / STEP
    assert (distance_A[~np.eye(len(picks), dtype=bool)] >= least_A * (1 - 1e-9)).all()


@settings(max_examples=30)
@given(st.floats(-89, 89), st.floats(1.6, 3.0))
def test_size_and_relions_angle_of_an_ellipse_are_recovered(angle_deg: float, ratio: float) -> None:
    y, x = np.ogrid[: SHAPE[0], : SHAPE[1]]
    angle = np.radians(angle_deg)
    along = (x - 120) * np.cos(angle) + (y - 100) * np.sin(angle)
    across = (y - 100) * np.cos(angle) - (x - 120) * np.sin(angle)
    inside = along**2 + (ratio * across) ** 2 <= (DIAMETER_PX / 2) ** 2
    picks = _picks(from_mask(inside, discs([(120, 100)], SHAPE).centre))
    columns = picks.columns()
    assert len(picks) == 1
    assert columns["diameter_A"][0] == pytest.approx(DIAMETER_A, rel=0.08)
    # RELION's psi counts against the sense of arctan2(dy, dx) in stored pixels.
    assert (columns["psi_deg"][0] + angle_deg + 90) % 180 - 90 == pytest.approx(0, abs=4)


def test_a_round_particle_has_a_size_but_no_axis_even_where_it_touches_another() -> None:
    columns = _picks(discs([(100, 100), (123, 100)], SHAPE)).columns()
    assert np.isnan(columns["psi_deg"]).all()
    np.testing.assert_allclose(columns["diameter_A"], DIAMETER_A, rtol=0.08)


def test_limits_of_size_and_shape_drop_components() -> None:
    maps = discs(APART, SHAPE)
    maps.particle[10:16, 140:200] = 1.0
    contours = ExtractionOptions("contours")
    assert len(_picks(maps, contours)) == len(APART) + 1
    assert len(_picks(maps, replace(contours, min_area=0.9))) == len(APART)
    assert len(_picks(maps, replace(contours, max_area=0.9))) == 1
    maps.particle[50:54, 40:101] = 1.0
    # Two discs and a bar between them are far from convex.
    assert len(_picks(maps, replace(contours, min_area=0.9, max_area=5.0))) == len(APART) - 1
    assert len(_picks(maps, replace(contours, min_area=0.9, max_area=5.0, min_solidity=0.9))) == 3


@pytest.mark.parametrize("method", METHODS)
def test_picks_keep_their_distance_from_the_rim(method: Method) -> None:
    picks = _picks(discs(APART, SHAPE), ExtractionOptions(method, border_A=450.0))
    near = [x < 45 or y < 45 for x, y in APART]
    assert len(picks) == len(APART) - sum(near) == 3


def test_picks_keep_their_distance_from_contamination_and_more_from_carbon() -> None:
    maps = discs([(30, 100), (80, 100), (130, 100), (180, 100)], SHAPE)
    maps.contaminant[:, :9] = 1.0  # less than ten particles
    maps.contaminant[:, 225:] = 1.0  # more
    assert len(_picks(maps)) == 4
    for options, kept_px in (
        (ExtractionOptions(contaminant_distance_A=300.0), [80, 130, 180]),
        (ExtractionOptions(carbon_distance_A=500.0), [30, 80, 130]),
        (ExtractionOptions(contaminant_distance_A=300.0, carbon_distance_A=500.0), [80, 130]),
    ):
        assert sorted(np.rint(_picks(maps, options).x_px / STEP)) == kept_px


def test_the_best_of_a_micrograph_are_kept() -> None:
    maps = discs(APART, SHAPE)
    maps.centre[:100] *= 0.5
    best = _picks(maps, ExtractionOptions(max_picks=2))
    assert sorted(np.rint(best.x_px / STEP)) == [60, 170]


def test_trackpy_is_asked_for_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trackpy", None)
    with pytest.raises(CryosegError, match="pip install trackpy"):
        _picks(discs(APART, SHAPE), ExtractionOptions("trackpy"))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"method": "contours", "helical_rise_A": 5.0}, "leave out --extraction contours"),
        ({"helical_nr_asu": 3}, "need --helical_rise"),
        ({"border_A": float("nan")}, "border_A is nan"),
    ],
)
def test_options_that_cannot_be_are_told_in_one_sentence(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(CryosegError, match=told):
        ExtractionOptions(**wrong)
