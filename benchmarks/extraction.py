"""The methods of extraction side by side, on the same maps of the same micrographs.

    python benchmarks/extraction.py [--model FILE] [--fields 12] [--only-simulated]

Simulated fields are crowded: the mean distance of a particle to its nearest neighbour is about 0.9 of its
diameter.  "drawn" has the conditions of training, from excellent to hopeless; "clear" has one moderate
condition, in which what a method does to particles that touch is not hidden by what the network misses.  The
seeds are those of no training and no calibration.  The real sets are those of ``../shared`` where it exists.

A touching pair is two particles not further apart than one diameter.  It is split where both are found at
the model's threshold; its precision is the share of such pairs of picks that are two particles.  Matches are
within 0.3 diameters.  Prints a table and writes ``extraction.json``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from real_micrographs import SHARED, unpack
from scipy.spatial import cKDTree

from cryoseg_ext.evaluation import match_picks, score_picks
from cryoseg_ext.extract.candidates import Maps
from cryoseg_ext.extract.extraction import extract
from cryoseg_ext.image.reading import read_micrograph
from cryoseg_ext.image.repair import repair
from cryoseg_ext.image.scale import WORKING_DIAMETER_PX, WorkingMicrograph, normalise, to_working_scale
from cryoseg_ext.model.checkpoint import Model, load_model
from cryoseg_ext.options.extraction import METHODS, ExtractionOptions
from cryoseg_ext.picks import Picks
from cryoseg_ext.pipeline import maps_of
from cryoseg_ext.simulation import Conditions, draw_conditions, draw_specimen, simulate_micrograph

SEED, FIELD_PX, MATCH_DIAMETERS = 7000, 384, 0.3
INSIDE_PX = (0.5 * WORKING_DIAMETER_PX,) * 2 + (FIELD_PX - 1 - 0.5 * WORKING_DIAMETER_PX,) * 2
"""(x0, y0, x1, y1) that is scored: at the rim are picks of particles whose centres lie outside."""
CROWDED = {"coverage": 1.0, "spacing": 0.82, "clustering": 0.0}
CLEAR = {
    "defocus_um": 1.6,
    "b_factor_A2": 120.0,
    "snr": 0.8,
    "ice_noise": 0.3,
    "noise_length_A": 8.0,
    "contaminated": False,
    "low_pass": None,
    "high_pass": None,
    "local_contrast": None,
    "clip": None,
}
Centres = NDArray[np.float64]
Box = tuple[float, float, float, float]
EVERYWHERE: Box = (-np.inf, -np.inf, np.inf, np.inf)


@dataclass(frozen=True)
class Task:
    """A segmented micrograph and its particles, (x, y) in pixels of the micrograph."""

    maps: Maps
    working: WorkingMicrograph
    diameter_A: float
    pixel_size_A: float
    truth_px: Centres
    inside_px: Box

    def nearest_neighbours(self) -> NDArray[np.float64]:
        """Return the distance of each particle to its nearest neighbour in particle diameters."""
        distance_px: NDArray[np.float64] = cKDTree(self.truth_px).query(self.truth_px, k=2)[0][:, 1]
        return distance_px * self.pixel_size_A / self.diameter_A

    def picked(self, model: Model, options: ExtractionOptions) -> Picks:
        """Return the candidates of a method, in the part that is scored."""
        picks = extract(self.maps, self.working, self.diameter_A, model.calibration, options)
        return picks.at(_inside(np.stack([picks.x_px, picks.y_px], axis=1), self.inside_px))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path)
    parser.add_argument("--fields", type=int, default=12, help="simulated fields of each kind")
    parser.add_argument("--only-simulated", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    args = parser.parse_args()
    model = load_model(args.model)
    sets = {
        "drawn": list(simulated(model, args.fields, {})),
        "clear": list(simulated(model, args.fields, CLEAR)),
    }
    if SHARED.is_dir() and not args.only_simulated:
        sets |= real_sets(model)
    rows = []
    print(
        f"{'set':13s} {'method':13s} {'best F1':>7s} {'F1':>6s} {'AP':>6s} {'centre error':>17s} "
        f"{'pairs split':>11s} {'precision':>9s}"
    )
    for name, tasks in sets.items():
        for method in METHODS:
            row = {"set": name, "method": method, **evaluate(tasks, model, ExtractionOptions(method))}
            rows.append(row)
            print(
                f"{name:13s} {method:13s} {row['best_f1']:7.3f} {row['f1']:6.3f} {row['ap']:6.3f} "
                f"{row['error_px']:6.2f} px {row['error_diameters']:5.3f} d {row['pair_recall']:11.3f} "
                f"{row['pair_precision']:9.3f}",
                flush=True,
            )
        nearest = np.concatenate([one.nearest_neighbours() for one in tasks])
        print(f"{name}: {len(nearest)} particles, nearest neighbour at {nearest.mean():.2f} diameters")
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "extraction.json").write_text(json.dumps(rows, indent=1) + "\n")


def simulated(model: Model, n: int, conditions: Mapping[str, object]) -> Iterator[Task]:
    """Yield crowded fields of `n` specimens, whose diameter is stated exactly."""
    for index in range(n):
        rng = np.random.default_rng([SEED, index])
        diameter_A = float(np.exp(rng.uniform(np.log(80), np.log(400))))
        pixel_size_A = diameter_A / WORKING_DIAMETER_PX
        specimen = draw_specimen(rng)
        chosen: Conditions = replace(draw_conditions(rng), **{**CROWDED, **conditions})  # type: ignore[arg-type]
        field = simulate_micrograph(rng, (FIELD_PX, FIELD_PX), pixel_size_A, specimen, diameter_A, chosen)
        valid = np.ones(field.image.shape, np.bool_)
        working = WorkingMicrograph(normalise(field.image, valid), valid, (FIELD_PX, FIELD_PX))
        truth_px = np.stack([field.x_px, field.y_px], axis=1)
        truth_px = truth_px[_inside(truth_px, INSIDE_PX)]
        yield Task(maps_of(working, model), working, diameter_A, pixel_size_A, truth_px, INSIDE_PX)


def real_sets(model: Model) -> dict[str, list[Task]]:
    """Return the shared real micrographs, with the part of them that is scored."""
    with tempfile.TemporaryDirectory() as scratch:
        unpack(Path(scratch))
        return {
            "empiar-10017": list(real(model, Path(scratch) / "empiar-10017", 190, (121, 121, 3975, 3975))),
            "empiar-10146": list(real(model, Path(scratch) / "empiar-10146", 125, EVERYWHERE)),
        }


def real(model: Model, project: Path, diameter_A: float, inside_px: Box) -> Iterator[Task]:
    """Yield the micrographs of a set with its expert picks."""
    for path in sorted((project / "Micrographs").iterdir()):
        micrograph = read_micrograph(path)
        assert micrograph.pixel_size_A is not None
        repaired = repair(micrograph.image)
        working = to_working_scale(repaired, micrograph.pixel_size_A, diameter_A)
        truth_px = pd.read_csv(project / f"coordinates/{path.stem}.csv")[["x", "y"]].to_numpy(np.float64)
        truth_px = truth_px[_inside(truth_px, inside_px)]
        yield Task(maps_of(working, model), working, diameter_A, micrograph.pixel_size_A, truth_px, inside_px)


def _inside(xy_px: Centres, box_px: Box) -> NDArray[np.bool_]:
    x0, y0, x1, y1 = box_px
    x, y = xy_px.T
    return (x >= x0) & (y >= y0) & (x <= x1) & (y <= y1)


def evaluate(tasks: Sequence[Task], model: Model, options: ExtractionOptions) -> dict[str, float]:
    """Return the scores of a method over all micrographs of a set."""
    candidates = [task.picked(model, options) for task in tasks]
    radius_px = [MATCH_DIAMETERS * task.diameter_A / task.pixel_size_A for task in tasks]
    scores = score_picks(
        # In units of the radius, which differs from one micrograph to the next.
        [
            (task.truth_px / radius, replace(picks, x_px=picks.x_px / radius, y_px=picks.y_px / radius))
            for task, picks, radius in zip(tasks, candidates, radius_px, strict=True)
        ],
        1.0,
        model.threshold,
    )
    errors_px, errors, true_pairs, picked_pairs = [], [], np.zeros(2), np.zeros(2)
    for task, found, radius in zip(tasks, candidates, radius_px, strict=True):
        picks = found.above(model.threshold)
        picked_px = np.stack([picks.x_px, picks.y_px], axis=1)
        right = match_picks(task.truth_px, picks, radius)
        particle = _particles(task.truth_px, picked_px[right])
        error_px = np.hypot(*(picked_px[right] - task.truth_px[particle]).T)
        errors_px.append(error_px)
        errors.append(MATCH_DIAMETERS * error_px / radius)
        diameter_px = radius / MATCH_DIAMETERS
        true_pairs += _pairs(task.truth_px, np.isin(np.arange(len(task.truth_px)), particle), diameter_px)
        picked_pairs += _pairs(picked_px, right, diameter_px)
    return {
        "best_f1": scores.best_f1,
        "f1": scores.f1,
        "ap": scores.average_precision,
        "error_px": float(np.median(np.concatenate(errors_px))),
        "error_diameters": float(np.median(np.concatenate(errors))),
        "pair_recall": float(true_pairs[0] / max(true_pairs[1], 1)),
        "pair_precision": float(picked_pairs[0] / max(picked_pairs[1], 1)),
    }


def _particles(truth_px: Centres, right_px: Centres) -> NDArray[np.int64]:
    """Return which particle each right pick took: the nearest that was free, the best pick first."""
    free = np.ones(len(truth_px), np.bool_)
    taken = np.zeros(len(right_px), np.int64)
    for index, pick_px in enumerate(right_px):
        taken[index] = np.where(free, np.hypot(*(truth_px - pick_px).T), np.inf).argmin()
        free[taken[index]] = False
    return taken


def _pairs(xy_px: Centres, good: NDArray[np.bool_], diameter_px: float) -> NDArray[np.float64]:
    """Return how many pairs within one diameter have two good members, and how many there are."""
    if len(xy_px) == 0:
        return np.zeros(2)
    pairs = cKDTree(xy_px).query_pairs(diameter_px, output_type="ndarray")
    return np.array([good[pairs].all(axis=1).sum(), len(pairs)], np.float64)


if __name__ == "__main__":
    main()
