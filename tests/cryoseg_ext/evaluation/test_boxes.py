"""Picks as boxes, against COCO's definition written out with loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoseg_ext.evaluation.boxes import IOUS, summarise_boxes
from cryoseg_ext.picks import Picks

SIDE_PX = 10.0
Point = tuple[float, float]
Scored = tuple[float, float, float]

_NUMBERS = st.integers(0, 120).map(lambda value: value / 4)
_TRUTH = st.lists(st.tuples(_NUMBERS, _NUMBERS), max_size=6, unique=True)
_PICKS = st.lists(st.tuples(_NUMBERS, _NUMBERS, st.integers(0, 10).map(lambda n: n / 10)), max_size=6)


def _iou(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    sides = [min(a, b) + SIDE_PX / 2 - (max(a, b) - SIDE_PX / 2) for a, b in zip(one, other[:2], strict=True)]
    common = max(0.0, sides[0]) * max(0.0, sides[1])
    return common / (2 * SIDE_PX**2 - common)


def _hits(truth: list[Point], picks: list[Scored], least: float) -> list[tuple[float, bool]]:
    free, hits = list(truth), []
    for pick in sorted(picks, key=lambda one: -one[2]):
        best = max(free, key=lambda one: _iou(one, pick), default=None)
        is_hit = best is not None and _iou(best, pick) >= least
        if best is not None and is_hit:
            free.remove(best)
        hits.append((pick[2], is_hit))
    return hits


def _average_precision(hits: list[tuple[float, bool]], n_truth: int) -> float:
    right, points = 0, []
    for number, (_, is_hit) in enumerate(sorted(hits, key=lambda one: -one[0]), start=1):
        right += is_hit
        points.append((right / n_truth, right / number))
    total = 0.0
    for hundredth in range(101):
        total += max((p for recall, p in points if recall >= hundredth / 100 - 1e-12), default=0.0)
    return total / 101


@given(
    fields=st.lists(st.tuples(_TRUTH, _PICKS), min_size=1, max_size=3), threshold=st.sampled_from([None, 0.5])
)
def test_the_scores_are_those_of_the_definition(
    fields: list[tuple[list[Point], list[Scored]]], threshold: float | None
) -> None:
    arrays = {
        str(number): (np.array(truth).reshape(-1, 2), Picks(*np.array(picks).reshape(-1, 3).T))
        for number, (truth, picks) in enumerate(fields)
    }
    summary = summarise_boxes(arrays, SIDE_PX, threshold)
    n_truth = sum(len(truth) for truth, _ in fields)
    for least, found in zip(IOUS.tolist(), summary.pooled.average_precision, strict=True):
        hits = [one for field in fields for one in _hits(*field, least)]
        assert found == pytest.approx(_average_precision(hits, n_truth) if n_truth else 0.0)
    kept = [one for field in fields for one in _hits(*field, 0.5) if threshold is None or one[0] >= threshold]
    right = sum(is_hit for _, is_hit in kept)
    assert (summary.pooled.tp, summary.pooled.picks, summary.pooled.truth) == (right, len(kept), n_truth)


def test_a_pick_takes_the_free_particle_that_it_shares_most_with() -> None:
    truth = np.array([[10.0, 10.0], [13.0, 10.0]])
    picks = Picks(np.array([11.0, 12.0]), np.full(2, 10.0), np.array([0.9, 0.8]))
    pooled = summarise_boxes({"a": (truth, picks)}, SIDE_PX, None).pooled
    # Both shares are 9 of 11 where each takes its own; the other way round they would be 8 of 12.
    assert pooled.average_precision == pytest.approx([1.0] * 7 + [0.0] * 3)
    assert pooled.mean_average_precision == pytest.approx(0.7)
