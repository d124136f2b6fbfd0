"""``cryoseg evaluate``: its numbers against an oracle that tries every matching, and its files."""

from __future__ import annotations

import json
import math
import runpy
from collections.abc import Callable
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cryoseg_ext.cli import main
from cryoseg_ext.formats.coordinates import write_coordinates_star
from cryoseg_ext.picks import Picks

SCORER = Path(__file__).resolve().parents[3].parent / "shared/score_picks.py"
DIAMETER_PX = 10.0

Point = tuple[float, float, float]
Field = tuple[list[Point], list[Point]]


def _evaluate(*arguments: object) -> str:
    result = CliRunner().invoke(main, ["evaluate", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.output


def _write(folder: Path, fields: list[Field]) -> None:
    for kind, number in (("truth", 0), ("picks", 1)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for name, field in enumerate(fields):
            rows = [",".join(f"{value:g}" for value in row[: 2 + number]) for row in field[number]]
            head = "x,y,score" if number else "x,y"
            (folder / kind / f"m{name}.csv").write_text("\n".join([head, *rows]) + "\n")


def _distance(one: Point, other: Point) -> float:
    return math.hypot(one[0] - other[0], one[1] - other[1])


def _best_matching(truth: list[Point], picks: list[Point], radius_px: float) -> tuple[int, float]:
    """Return the number of pairs and the least total distance, by trying all matchings."""
    for n in range(min(len(truth), len(picks)), 0, -1):
        totals = [
            sum(distances)
            for some in combinations(truth, n)
            for others in permutations(picks, n)
            if max(distances := [_distance(*pair) for pair in zip(some, others, strict=True)]) <= radius_px
        ]
        if totals:
            return n, min(totals)
    return 0, 0.0


def _greedy_hits(truth: list[Point], picks: list[Point], radius_px: float) -> list[tuple[float, bool]]:
    free, hits = list(truth), []
    for pick in sorted(picks, key=lambda point: -point[2]):
        near = [point for point in free if _distance(point, pick) <= radius_px]
        if near:
            free.remove(min(near, key=lambda point: _distance(point, pick)))
        hits.append((pick[2], bool(near)))
    return hits


_NUMBERS = st.integers(0, 300).map(lambda value: value / 10)
_POINTS = st.lists(st.tuples(_NUMBERS, _NUMBERS, st.integers(0, 20).map(lambda n: n / 20)), max_size=4)
FIELDS = st.lists(st.tuples(_POINTS, _POINTS), min_size=1, max_size=3)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=FIELDS, threshold=st.sampled_from([None, 0.5]))
def test_the_numbers_are_those_of_trying_every_matching(
    tmp_path_factory: pytest.TempPathFactory, fields: list[Field], threshold: float | None
) -> None:
    folder = tmp_path_factory.mktemp("fields")
    _write(folder, fields)
    arguments = ["--truth", folder / "truth", "--picks", folder / "picks", "--diameter", DIAMETER_PX]
    if threshold is not None and any(picks for _, picks in fields):
        arguments += ["--threshold", threshold]
    _evaluate(*arguments, "--match", 0.3, 0.75, "--json", folder / "report.json")
    report = json.loads((folder / "report.json").read_text())
    assert list(report) == ["0.3", "0.75"]
    for fraction, found in report.items():
        radius_px = float(fraction) * DIAMETER_PX
        kept = [(t, [p for p in picks if threshold is None or p[2] >= threshold]) for t, picks in fields]
        pairs = [_best_matching(truth, picks, radius_px) for truth, picks in kept]
        tp, total = sum(n for n, _ in pairs), sum(distance for _, distance in pairs)
        n_picks, n_truth = sum(len(picks) for _, picks in kept), sum(len(truth) for truth, _ in fields)
        fixed = found["fixed"]
        assert (fixed["tp"], fixed["picks"], fixed["truth"]) == (tp, n_picks, n_truth)
        assert fixed["precision"] == pytest.approx(tp / n_picks if n_picks else 0)
        assert fixed["recall"] == pytest.approx(tp / n_truth if n_truth else 0)
        assert fixed["f1"] == pytest.approx(2 * tp / (n_picks + n_truth) if n_picks + n_truth else 0)
        if tp == 1:
            assert fixed["median_distance"] == pytest.approx(total)
        hits = [hit for truth, picks in fields for hit in _greedy_hits(truth, picks, radius_px)]
        if n_truth and hits:
            _assert_curve(found, hits, n_truth)
        else:
            assert "average_precision" not in found


def _assert_curve(found: dict[str, Any], hits: list[tuple[float, bool]], n_truth: int) -> None:
    area = before = best = 0.0
    for threshold in sorted({score for score, _ in hits}, reverse=True):
        above = [hit for score, hit in hits if score >= threshold]
        recall = sum(above) / n_truth
        area, before = area + (recall - before) * sum(above) / len(above), recall
        best = max(best, 2 * sum(above) / (len(above) + n_truth))
    assert found["average_precision"] == pytest.approx(area, abs=1e-9)
    assert found["best_f1"] == pytest.approx(best, abs=1e-9)
    assert found["max_recall"] == pytest.approx(before)
    bins = found["calibration"]
    assert sum(bins["count"]) == len(hits)
    error = 0.0
    for number in range(10):
        inside = [one for one in hits if min(int(one[0] * 10), 9) == number]
        error += abs(sum(score for score, _ in inside) - sum(hit for _, hit in inside))
    assert bins["expected_error"] == pytest.approx(error / len(hits), abs=1e-9)


@pytest.mark.skipif(not SCORER.exists(), reason=f"the judges' scorer is not here: no {SCORER}")
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10**6),
    options=st.sampled_from(
        [[], ["--matching", "greedy"], ["--threshold", "0.4"], ["--inside", "10", "5", "70", "90"]]
    ),
    stars=st.booleans(),
)
def test_the_judges_scorer_says_the_same(
    tmp_path_factory: pytest.TempPathFactory, seed: int, options: list[str], stars: bool
) -> None:
    folder, rng = tmp_path_factory.mktemp("fields"), np.random.default_rng(seed)
    fields: list[Field] = []
    for _ in range(4):
        n, m = rng.integers(0, 60, 2)
        truth, picks = rng.uniform(0, 100, (n, 3)), rng.uniform(0, 100, (m, 3))
        shared = min(n, m) // 2
        picks[:shared, :2] = truth[:shared, :2] + rng.normal(0, 2, (shared, 2))
        picks[:, 2] = np.round(picks[:, 2] / 100, int(rng.integers(1, 5)))
        fields.append((truth.round(2).tolist(), picks.round(4).tolist()))
    _write(folder, fields)
    if stars:
        for number, (_, rows) in enumerate(fields):
            starred = Picks(*np.array(rows).reshape(-1, 3).T)
            write_coordinates_star(folder / f"picks/Movies/m{number}_autopick.star", starred)
            (folder / f"picks/m{number}.csv").unlink()
    (folder / "picks/m3.csv").unlink(missing_ok=True)
    common = ["--truth", folder / "truth", "--picks", folder / "picks", "--diameter", "10", *options]
    common += ["--match", "0.3", "0.5", "1.2", "--json"]
    scorer: Callable[[list[str]], None] = runpy.run_path(str(SCORER))["main"]
    scorer([str(word) for word in [*common, folder / "theirs.json"]])
    _evaluate(*common, folder / "ours.json")
    theirs, ours = (json.loads((folder / f"{who}.json").read_text()) for who in ("theirs", "ours"))
    assert list(theirs) == list(ours)
    _assert_says(ours, theirs)


def _assert_says(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Check that every value of `theirs` stands at the same place of `ours`."""
    for key, value in theirs.items():
        if isinstance(value, dict):
            _assert_says(ours[key], value)
        else:
            assert ours[key] == pytest.approx(value, abs=1e-6, nan_ok=True), key


def test_intervals_hold_the_number_and_a_pdf_is_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    fields: list[Field] = []
    for missing in (0, 5, 10, 15):
        truth = [(x, y, 0.0) for x, y in rng.uniform(0, 1000, (20, 2))]
        fields.append((truth, [(x, y, 0.9) for x, y, _ in truth[missing:]]))
    _write(tmp_path, fields)
    output = _evaluate(
        *("--truth", tmp_path / "truth", "--picks", tmp_path / "picks", "--diameter", 10),
        *("--match", 0.3, "--per_micrograph", "--json", tmp_path / "a.json", "--pdf", tmp_path / "a.pdf"),
    )
    assert output.count("truth 20") == 4
    report = json.loads((tmp_path / "a.json").read_text())["0.3"]
    low, high = report["confidence_95"]["recall"]
    assert low < report["fixed"]["recall"] == 50 / 80 < high
    assert 0.3 < low < 0.5
    assert 0.75 < high < 0.95
    assert report["count_error"] == pytest.approx(-30 / 80)
    assert [one["recall"] for one in report["micrographs"].values()] == [1, 0.75, 0.5, 0.25]
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_boxes_are_scored_as_worked_out_by_hand(tmp_path: Path) -> None:
    # Boxes of 10 px: the second pick is 2 px off, which is an IoU of 8/12.
    first: Field = ([(10, 10, 0), (50, 10, 0)], [(10, 10, 0.9), (52, 10, 0.8), (100, 10, 0.7)])
    _write(tmp_path, [first, ([(10, 10, 0)], [(90, 90, 0.95)])])
    common = ("--truth", tmp_path / "truth", "--picks", tmp_path / "picks", "--diameter", 10, "--boxes")
    output = _evaluate(*common, "--json", tmp_path / "a.json", "--pdf", tmp_path / "a.pdf")
    found = json.loads((tmp_path / "a.json").read_text())["boxes"]
    assert (found["precision"], found["recall"]) == (2 / 4, 2 / 3)
    # By score the picks are wrong, right, right and wrong: precision 2/3 up to a recall of 2/3. From an IoU
    # of 0.7 on only the second one is right: precision 1/2 up to a recall of 1/3.
    assert found["average_precision"] == pytest.approx([67 * (2 / 3) / 101] * 4 + [34 * 0.5 / 101] * 6)
    assert found["mean_average_precision"] == pytest.approx((4 * 67 * 2 / 3 + 6 * 34 / 2) / 1010)
    # Of the first micrograph alone: all found, then one of two; of the second one nothing.
    assert found["micrograph_means"]["mean_average_precision"] == pytest.approx((4 + 6 * 51 / 101) / 20)
    assert "mAP 0.2779 over IoU 0.50 to 0.95  AP at 0.5 0.4422, at 0.75 0.1683" in output
    assert "boxes of one diameter = 10.0 px" in output
    assert (tmp_path / "a.pdf").stat().st_size > 0
    _evaluate(*common, "--threshold", 0.75, "--json", tmp_path / "b.json")
    above = json.loads((tmp_path / "b.json").read_text())["boxes"]
    assert (above["precision"], above["recall"]) == (2 / 3, 2 / 3)
    assert above["average_precision"] == found["average_precision"]


def test_masks_are_scored_by_class_and_their_instances_are_a_truth_for_picks(tmp_path: Path) -> None:
    truth = np.zeros((40, 60), np.int8)
    truth[10:20, 10:20], truth[30:34, 40:44] = 1, 2
    said = np.zeros_like(truth)
    said[10:20, 10:25] = 1
    for folder, kind, mask in (
        ("sim", "labels", truth), ("sim", "instances", (truth == 1).astype(np.int8)), ("out", "mask", said)
    ):  # fmt: skip
        (tmp_path / folder).mkdir(exist_ok=True)
        mrcfile.write(tmp_path / f"{folder}/m_{kind}.mrc", mask)
    (tmp_path / "m.csv").write_text("x,y\n14.5,14.5\n")
    output = _evaluate(
        *("--truth", tmp_path / "sim", "--masks", tmp_path / "out", "--json", tmp_path / "a.json"),
        *("--picks", tmp_path / "m.csv", "--diameter", 10, "--boundary_tolerance", 1),
    )
    report = json.loads((tmp_path / "a.json").read_text())
    assert report["0.3"]["fixed"]["median_distance"] == 0
    particle = report["pixels"]["classes"]["particle"]
    assert "contaminant" not in output
    assert particle["scores"]["precision"] == pytest.approx(100 / 150)
    assert particle["scores"]["recall"] == 1
    assert particle["scores"]["iou"] == pytest.approx(100 / 150)
    assert particle["accuracy"] == pytest.approx(1 - 50 / 2400)
    # Of the 46 pixels on the boundary that is said, and of the 36 on the true one, 30 are near the other.
    near, true = 30 / 46, 30 / 36
    assert particle["boundary_f1"] == pytest.approx(2 * near * true / (near + true))


@pytest.mark.parametrize(
    ("truth_A", "picks_A", "option", "expected"),
    [
        (2.0, None, [], "= 30.0 px"),
        (2.0, 4.0, [], "= 30.0 px"),
        (None, 1.5, [], "= 40.0 px"),
        (None, None, ["--pixel_size", 3], "= 20.0 px"),
        (None, None, [], "give --pixel_size, or --diameter in pixels of --truth"),
        (2.0, None, ["--diameter", 5], "give either --particle_diameter"),
    ],
)
def test_a_diameter_in_angstrom_becomes_pixels_of_the_truth(
    tmp_path: Path, truth_A: float | None, picks_A: float | None, option: list[object], expected: str
) -> None:
    for name, size_A in (("truth", truth_A), ("picks", picks_A)):
        labels = ["rlnCoordinateX", "rlnCoordinateY", "rlnMicrographName", "rlnOpticsGroup"]
        head = "".join(f"_{label} #{number}\n" for number, label in enumerate(labels, start=1))
        optics = "data_optics\n\nloop_\n_rlnOpticsGroup #1\n_rlnMicrographPixelSize #2\n"
        text = f"data_particles\n\nloop_\n{head}10 20 a.mrc 1\n"
        (tmp_path / f"{name}.star").write_text(f"{optics}1 {size_A}\n\n{text}" if size_A else text)
    paths = ["--truth", tmp_path / "truth.star", "--picks", tmp_path / "picks.star"]
    arguments = [*paths, "--particle_diameter", 60, "--match", 1, *option]
    result = CliRunner().invoke(main, ["evaluate", *map(str, arguments)])
    assert expected in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--picks", "{}/extra"], "--ignore_extra"),
        (["--picks", "{}/picks", "--threshold", "0.5"], "no scores"),
        (["--masks", "{}/picks"], "masks"),
        (["--masks", "{}/picks", "--boxes"], "--boxes scores picks"),
        ([], "nothing to compare"),
    ],
)
def test_what_cannot_be_compared_is_told_in_a_sentence(
    tmp_path: Path, arguments: list[str], told: str
) -> None:
    for name in ("truth/a", "picks/a", "extra/b"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.csv").write_text("x,y\n1,2\n")
    command = ["evaluate", "--truth", f"{tmp_path}/truth", "--diameter", "10"]
    result = CliRunner().invoke(main, [*command, *(word.format(tmp_path) for word in arguments)])
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert told in result.output
