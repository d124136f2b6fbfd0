"""Choosing settings: the counting, the caution of the choice, and the halves that stand in for truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cryoseg_ext.evaluation import score_picks
from cryoseg_ext.image.repair import RepairedMicrograph, repair
from cryoseg_ext.model.checkpoint import load_model
from cryoseg_ext.options.crf import CrfChoice
from cryoseg_ext.options.extraction import ExtractionOptions
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.picks import Picks
from cryoseg_ext.pipeline import pick_repaired
from cryoseg_ext.simulation.session import SessionOptions, load_specimens, simulate_session_micrograph
from cryoseg_ext.tuning.choose import THRESHOLDS, Counts, choose, count_micrograph
from cryoseg_ext.tuning.consistency import agreement, expected_f1, noise_halves, surest_agreement
from cryoseg_ext.tuning.grid import Setting, grid_of, pick_grid


def _points(rng: np.random.Generator, n: int) -> Picks:
    x_px, y_px = rng.uniform(0, (1000, 600), (n, 2)).T
    return Picks(x_px, y_px, np.sort(rng.uniform(0.02, 1, n))[::-1])


def test_counts_of_all_blocks_are_those_of_the_whole_micrograph() -> None:
    rng = np.random.default_rng(0)
    truth, tried = _points(rng, 200), [_points(rng, 300), _points(rng, 50)]
    xy_px = np.stack([truth.x_px, truth.y_px], axis=1)
    counts = count_micrograph(xy_px, tried, 20.0, (600, 1000))
    for setting, picks in enumerate(tried):
        for number, threshold in enumerate(THRESHOLDS):
            scores = score_picks([(xy_px, picks)], 20.0, threshold)
            assert counts.f1()[setting, number] == pytest.approx(scores.f1)
            assert counts.precision()[setting, number] == pytest.approx(scores.precision)
            assert counts.recall()[setting, number] == pytest.approx(scores.recall)


@pytest.mark.parametrize(
    ("more", "chosen"),
    [
        ([1, -1, 1, -1, 1, -1, 1, -1, 1], 0),  # one particle in 180, and from block to block up and down
        ([2, 3, 2, 3, 2, 3, 2, 3, 2], 1),
    ],
)
def test_the_default_stays_unless_the_gain_is_plain(more: list[int], chosen: int) -> None:
    correct = np.array([[np.full(9, 15.0)], [15.0 + np.array(more)]])
    choice = choose(Counts(correct, correct, np.full(9, 20.0)), (0, 0), [0, 1])
    assert choice.setting == chosen
    assert (choice.gain > 0) == bool(chosen)


def test_a_setting_is_tried_as_the_commands_would_use_it() -> None:
    session = SessionOptions(shape=(384, 384), pixel_size_A=6.0, family="ellipsoid", diameter_A=150.0)
    repaired = repair(simulate_session_micrograph(session, load_specimens(session), 0).image)
    model, other = load_model(), Setting(diameter=0.9, crf=False, method="watershed", min_distance=0.8)
    limited, crf = ExtractionOptions(border_A=200.0, max_picks=12), CrfChoice(iterations=3)
    watershed = ExtractionOptions("watershed", min_distance_A=120.0)
    limited_watershed = replace(limited, method="watershed", min_distance_A=120.0)
    for base, as_other in (
        (PickingOptions(150.0), PickingOptions(135.0, watershed, crf=None)),
        (PickingOptions(150.0, limited, crf), PickingOptions(135.0, limited_watershed, crf=None)),
    ):
        picked = pick_grid(repaired, 6.0, model, base, [Setting(), other])
        for found, options in zip(picked, (base, as_other), strict=True):
            expected = pick_repaired(repaired, 6.0, model, options).candidates
            assert len(found) > 5
            np.testing.assert_array_equal(found.score, expected.score)
            np.testing.assert_array_equal(found.x_px, expected.x_px)


@pytest.mark.parametrize(
    "base",
    [
        PickingOptions(170.0, smallest_diameter_A=120.0),
        PickingOptions(60.0, ExtractionOptions(helical_rise_A=60.0)),
    ],
    ids=["mixture", "filaments"],
)
def test_mixtures_and_filaments_are_tried_by_the_whole_pipeline(base: PickingOptions) -> None:
    session = SessionOptions(shape=(384, 384), pixel_size_A=6.0, family="ellipsoid", diameter_A=150.0)
    repaired = repair(simulate_session_micrograph(session, load_specimens(session), 0).image)
    model, grid = load_model(), grid_of(base)
    assert {setting.method for setting in grid.settings} == {"centre"}
    (found,) = pick_grid(repaired, 6.0, model, base, [grid.default])
    expected = pick_repaired(repaired, 6.0, model, base).candidates
    for name, values in expected.columns().items():
        np.testing.assert_array_equal(found.columns()[name], values)


def test_what_the_user_gives_is_not_tried_otherwise() -> None:
    base = PickingOptions(150.0, ExtractionOptions("contours", 90.0), CrfChoice("frank_wolfe"))
    grid = grid_of(base)
    assert grid.default == Setting(1.0, True, "contours", 0.6)
    assert {(one.crf, one.method, one.min_distance) for one in grid.settings} == {(True, "contours", 0.6)}
    assert grid.n_changes.count(0) == 1


def test_the_halves_share_the_particles_and_not_the_noise() -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:201, :300]
    particle = np.exp(-((x - 150.5) ** 2 + (y - 80.5) ** 2) / 200).astype(np.float32)
    noise = rng.normal(size=particle.shape).astype(np.float32)
    valid = np.ones(particle.shape, bool)
    for half in noise_halves(RepairedMicrograph(particle, valid)):
        row, column = np.unravel_index(half.image.argmax(), half.image.shape)
        assert half.image.shape == (100, 150)
        assert [int(row), int(column)] == [40, 75]
    first, second = noise_halves(RepairedMicrograph(noise, valid))
    assert abs(np.corrcoef(first.image.ravel(), second.image.ravel())[0, 1]) < 0.03


def test_agreement_is_of_equally_many_picks() -> None:
    rng = np.random.default_rng(0)
    picks = _points(rng, 40)
    shifted = replace(picks, x_px=picks.x_px + np.where(np.arange(40) < 10, 1, 500))
    same, few = agreement([picks, picks.at(np.arange(5))], [shifted, shifted], 3.0, 20)
    assert same == pytest.approx(10 / 20, abs=0.051)
    assert few == pytest.approx(5 / 20, abs=0.051), "few picks that agree are no merit"
    gains = np.array([[0.5, 0.6, 0.52], [0.5, 0.6, 0.40], [0.5, 0.61, 0.7]])
    assert surest_agreement(gains, 0, [0, 1, 1]) == 1
    assert surest_agreement(gains[:, [0, 2]], 0, [0, 1]) == 0
    assert surest_agreement(gains[:1], 0, [0, 1, 1]) == 0, "one micrograph has no standard error"


def test_the_threshold_without_truth_is_best_if_the_scores_are_right() -> None:
    score = np.array([0.9, 0.8, 0.4, 0.1])
    f1 = dict(zip(THRESHOLDS.tolist(), expected_f1(score).tolist(), strict=True))
    assert f1[0.5] == pytest.approx(2 * 1.7 / (2 + 2.2))
    assert f1[0.4] == pytest.approx(2 * 2.1 / (3 + 2.2))
    assert max(f1, key=f1.__getitem__) <= 0.41
