"""Segments along drawn filaments, and along simulated ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation

import cryoseg_ext
from cryoseg_ext.extract.candidates import Maps
from cryoseg_ext.extract.extraction import extract
from cryoseg_ext.extract.skeleton import filament_axes
from cryoseg_ext.formats.tubes import tube_ends
from cryoseg_ext.options.extraction import ExtractionOptions
from cryoseg_ext.picks import Picks
from cryoseg_ext.simulation import Scale, Specimen, draw_conditions, simulate_at
from tests.cryoseg_ext.extract.drawn import (
    CALIBRATION,
    DIAMETER_A,
    DIAMETER_PX,
    PIXEL_A,
    STEP,
    source_px,
    tubes,
    working,
)

SHAPE = (420, 640)
LINE = [(60.0, 60.0), (500.0, 140.0)]
# A quarter of a circle of radius 240 px about (200, 400).
ARC = [(200 + 240 * np.cos(a), 400 - 240 * np.sin(a)) for a in np.linspace(0.2, np.pi / 2, 60)]
RISE_A = 50.0


def _picks(maps: Maps, **options: float) -> Picks:
    chosen = ExtractionOptions(helical_rise_A=RISE_A, helical_nr_asu=2, **options)  # type: ignore[arg-type]
    return extract(maps, working(maps.centre.shape), DIAMETER_A, CALIBRATION, chosen)


def test_segments_lie_every_step_along_a_straight_filament() -> None:
    picks = _picks(tubes([LINE], SHAPE))
    columns = picks.columns()
    start, end = source_px(LINE)
    along = (end - start) / np.hypot(*(end - start))
    offset = np.stack([picks.x_px, picks.y_px], axis=1) - start
    assert np.abs(offset @ [-along[1], along[0]]).max() < 0.04 * DIAMETER_PX * STEP
    steps_A = np.abs(np.diff(offset @ along)) * PIXEL_A / STEP
    np.testing.assert_allclose(steps_A, 2 * RISE_A, rtol=0.02)
    np.testing.assert_allclose(columns["track_length_A"], 2 * RISE_A * np.arange(len(picks)), atol=0.1)
    length_A = np.hypot(*(end - start)) * PIXEL_A / STEP
    assert len(picks) >= (length_A - 2 * DIAMETER_A) / (2 * RISE_A)
    psi_deg = -np.degrees(np.arctan2(along[1], along[0]))
    np.testing.assert_allclose((columns["psi_deg"] - psi_deg + 90) % 180 - 90, 0, atol=1.5)
    np.testing.assert_allclose(columns["diameter_A"], DIAMETER_A, rtol=0.12)
    assert set(columns["tube_id"]) == {1}


def test_a_bent_filament_is_one_tube_and_straight_pieces_for_relion() -> None:
    picks = _picks(tubes([ARC], SHAPE))
    assert set(picks.columns()["tube_id"]) == {1}
    x, y = picks.x_px - STEP * 200, picks.y_px - STEP * 400
    assert np.abs(np.hypot(x, y) - STEP * 240).max() < 0.04 * DIAMETER_PX * STEP
    tangent_deg = -np.degrees(np.arctan2(-x, y))
    np.testing.assert_allclose((picks.columns()["psi_deg"] - tangent_deg + 90) % 180 - 90, 0, atol=4)
    ends = tube_ends(picks)
    assert len(ends) % 2 == 0
    assert len(ends) > 10
    np.testing.assert_array_equal(ends[1:-1:2], ends[2::2])
    np.testing.assert_array_equal(ends[[0, -1], 0], picks.x_px[[0, -1]])


def test_filaments_are_cut_where_they_cross_and_nothing_is_picked_there() -> None:
    crossing = [(200.0, 300.0), (280.0, 20.0)]
    picks = _picks(tubes([LINE, crossing], SHAPE))
    assert len(set(picks.columns()["tube_id"])) == 4
    # Where the two lines meet.
    meeting = source_px([(255.5, 95.5)])
    assert cdist(meeting, np.stack([picks.x_px, picks.y_px], axis=1)).min() > 0.5 * DIAMETER_PX * STEP


def test_what_is_short_or_round_is_no_filament() -> None:
    short = tubes([LINE, [(300.0, 300.0), (320.0, 300.0)]], SHAPE)
    assert set(_picks(short).columns()["tube_id"]) == {1}
    assert len(_picks(short, helical_tube_length_min_A=6000.0)) == 0
    assert len(_picks(tubes([], SHAPE))) == 0


def test_a_rough_outline_does_not_cut_a_filament() -> None:
    maps = tubes([LINE], SHAPE)
    rough = np.random.default_rng(3).normal(size=SHAPE)
    maps.particle[:] = np.clip(maps.particle + 0.6 * rough, 0, 1)
    picks = _picks(maps)
    assert set(picks.columns()["tube_id"]) == {1}
    assert len(picks) > 35


def test_a_path_that_no_spline_is_as_far_from_as_asked_is_an_axis_without_a_warning() -> None:
    # Of a simulated filament: pixels to the right (e), above (u) and above to the right (n).
    steps = "nuununuununununnunnnneneennnnnenenennenenneneneennenenenenneneneneneneeneeenenennnnenene"
    steps += "nneeneeeneeeennennnnenneneneeneenenenneeeneeeneeneeneneene"
    step = np.array([{"e": (1, 0), "n": (1, -1), "u": (0, -1)}[letter] for letter in steps])
    x, y = np.concatenate([[(0, 0)], step.cumsum(axis=0)]).T + np.array([[279], [295]])
    mask = np.zeros((300, 420), np.bool_)
    mask[y, x] = True

    (axis,) = filament_axes(mask, 10)

    distance_px = cdist(np.stack([axis.x_px, axis.y_px], axis=1), np.stack([x, y], axis=1)).min(axis=1)
    assert distance_px.max() < 3


def test_a_threshold_keeps_or_drops_a_filament_as_a_whole() -> None:
    maps = tubes([LINE, ARC], SHAPE)
    maps.particle[100:] *= np.linspace(1, 0.6, SHAPE[0] - 100, dtype=np.float32)[:, None]
    picks = _picks(maps)
    scores = [set(picks.score[picks.columns()["tube_id"] == tube]) for tube in (1, 2)]
    assert [len(values) for values in scores] == [1, 1]
    assert set(picks.above(float(np.mean(picks.score))).columns()["tube_id"]) == {1}


WIDTH_A, LENGTH_WIDTHS, PIXEL_SIZE_A = 120.0, 6, 3.0
ANGLES_DEG = (0.0, 40.0, 90.0, 150.0)
CENTRES_PX = np.array([[250.0, 200.0], [700.0, 300.0], [400.0, 600.0], [900.0, 700.0]])


def _helix() -> Specimen:
    rng = np.random.default_rng(5)
    unit = 0.09 * rng.normal(size=(40, 3)) + np.array([0.3, 0, 0])
    rise = np.arange(-LENGTH_WIDTHS / 2, LENGTH_WIDTHS / 2, 0.12)
    beads = [
        Rotation.from_euler("z", 67 * k, degrees=True).apply(unit) + np.array([0, 0, z])
        for k, z in enumerate(rise)
    ]
    positions = np.concatenate(beads) / LENGTH_WIDTHS
    return Specimen(positions, np.ones(len(positions)), 0.06 / LENGTH_WIDTHS, "filament")


def test_segments_on_a_simulated_micrograph_lie_on_its_filaments(monkeypatch: pytest.MonkeyPatch) -> None:
    lying = Rotation.from_euler("yz", [(90, angle) for angle in ANGLES_DEG], degrees=True)
    monkeypatch.setattr("cryoseg_ext.simulation.micrograph.draw_orientations", lambda *_: lying)
    conditions = replace(
        draw_conditions(np.random.default_rng(0)),
        defocus_um=1.6, b_factor_A2=120.0, snr=3.0, ice_noise=0.3, noise_length_A=8.0,
        contaminated=False, low_pass=None, high_pass=None, local_contrast=None, clip=None,
    )  # fmt: skip
    rng, scale = np.random.default_rng(5), Scale(PIXEL_SIZE_A, diameter_A=LENGTH_WIDTHS * WIDTH_A)
    field = simulate_at(rng, (900, 1150), scale, _helix(), conditions, CENTRES_PX)
    picks = cryoseg_ext.pick(
        field.image,
        pixel_size_A=PIXEL_SIZE_A,
        particle_diameter_A=1.5 * WIDTH_A,
        extraction=ExtractionOptions(helical_rise_A=30.0),
    ).picks
    assert len(picks) >= 10
    for x_px, y_px, psi_deg in zip(picks.x_px, picks.y_px, picks.columns()["psi_deg"], strict=True):
        offset = np.array([x_px, y_px]) - CENTRES_PX
        nearest = int(np.hypot(*offset.T).argmin())
        angle = np.radians(ANGLES_DEG[nearest])
        across_px = offset[nearest] @ [-np.sin(angle), np.cos(angle)]
        assert abs(across_px) * PIXEL_SIZE_A < 0.2 * WIDTH_A
        assert abs((psi_deg + ANGLES_DEG[nearest] + 90) % 180 - 90) < 15
