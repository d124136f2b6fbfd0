"""Peaks become picks: right place, right order, apart, inside the valid area."""

from dataclasses import replace

import numpy as np

from cryoseg_ext.extract.candidates import Maps
from cryoseg_ext.extract.peaks import find_candidates
from cryoseg_ext.extract.score import Calibration
from cryoseg_ext.extract.selection import CANDIDATE_THRESHOLD, extract_picks
from cryoseg_ext.image.scale import WorkingMicrograph
from cryoseg_ext.model.checkpoint import load_model

CALIBRATION = Calibration(0.0, (1.0, 0.0, 0.0, 0.0))


def _maps(centres: list[tuple[float, float, float]], shape: tuple[int, int]) -> Maps:
    y, x = np.ogrid[: shape[0], : shape[1]]
    centre = np.zeros(shape, np.float32)
    for x_px, y_px, height in centres:
        centre = np.maximum(centre, height * np.exp(-((x - x_px) ** 2 + (y - y_px) ** 2) / (2 * 2.5**2)))
    nothing = np.zeros(shape, np.float32)
    return Maps(nothing, centre.astype(np.float32), (centre > 0.2).astype(np.float32), nothing, nothing > 0)


def _working(shape: tuple[int, int], step: int = 4) -> WorkingMicrograph:
    return WorkingMicrograph(
        np.zeros(shape, np.float32), np.ones(shape, np.bool_), (shape[0] * step, shape[1] * step)
    )


def test_peaks_are_found_to_a_tenth_of_a_pixel_and_scaled_to_the_file() -> None:
    working = _working((90, 120))
    picks = extract_picks(find_candidates(_maps([(30.3, 40.7, 0.9)], (90, 120))), working, CALIBRATION)
    assert len(picks) == 1
    assert abs(picks.x_px[0] - 4 * 30.3) < 0.4
    assert abs(picks.y_px[0] - 4 * 40.7) < 0.4


def test_the_better_of_two_close_peaks_stays() -> None:
    maps = _maps([(40, 40, 0.9), (47, 40, 0.6), (80, 40, 0.5)], (90, 120))
    picks = extract_picks(find_candidates(maps), _working((90, 120)), CALIBRATION)
    assert [round(x / 4) for x in picks.x_px] == [40, 80]
    assert picks.score[0] > picks.score[1] >= CANDIDATE_THRESHOLD
    both = extract_picks(find_candidates(maps), _working((90, 120)), CALIBRATION, min_distance_px=5.0)
    assert len(both) == 3


def test_nothing_is_picked_in_a_dead_area() -> None:
    working = _working((90, 120))
    working.valid[:, :50] = False
    maps = _maps([(40, 40, 0.9), (80, 40, 0.5)], (90, 120))
    picks = extract_picks(find_candidates(maps), working, CALIBRATION)
    assert [round(x / 4) for x in picks.x_px] == [80]


def test_a_pick_in_crystalline_ice_scores_lower() -> None:
    maps = _maps([(40, 40, 0.9), (80, 40, 0.9)], (90, 120))
    ice = np.zeros((90, 120), np.bool_)
    ice[:, :60] = True
    default = replace(load_model().calibration, consensus=None)
    picks = extract_picks(find_candidates(replace(maps, crystalline=ice)), _working((90, 120)), default)
    assert [round(x / 4) for x in picks.x_px] == [80, 40]
    assert picks.score[1] < picks.score[0] - 0.1


def test_an_empty_map_gives_no_picks() -> None:
    picks = extract_picks(find_candidates(_maps([], (64, 64))), _working((64, 64)), CALIBRATION)
    assert len(picks) == 0
