"""Segments along simulated filaments: whether they lie on them, on all of them, and are numbered by filament.

    python benchmarks/filaments.py [--model FILE] [--fields 40] [--seed 5]

Fields of tubes, helices, ribbons and rods, straight or bent, single or in bundles, crossing each other, with
a signal of 1.5 times the noise and without contaminants; and at the conditions of the training. Told the
width, and a rise of a third of it. Places nearer than a width and a half to another filament are left out:
filaments are cut there on purpose. Prints a table and writes ``filaments.json``.

=========  =================================================================================================
precision  share of the segments that lie within a rise of an axis
recall     share of the places along the axes, a rise apart, with a segment within a rise
F1         their harmonic mean
pure       share of the segments whose tube number belongs to the filament that most of its segments lie on
tubes      tubes found for each stretch of a filament between crossings
=========  =================================================================================================
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from cryoseg_ext.arrays import FloatArray
from cryoseg_ext.image.scale import WORKING_DIAMETER_PX
from cryoseg_ext.model.checkpoint import Model, load_model
from cryoseg_ext.options.extraction import ExtractionOptions
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.picks import Picks
from cryoseg_ext.pipeline import pick_micrograph
from cryoseg_ext.simulation import Conditions, Scale, draw_conditions
from cryoseg_ext.simulation.filaments import FilamentField, simulate_filaments

FIELD_PX = 512
WIDTH_A = (70.0, 250.0)
RISE = 1 / 3
"""In widths."""
CLEAR = Conditions(snr=1.5, dose_e_A2=None, contaminated=False)
"""Filaments that the eye follows without effort."""
ALONE = 1.5
"""Distance, in widths, from another filament from which a place counts."""


@dataclass(frozen=True)
class Counts:
    """What was found in some fields.

    Parameters
    ----------
    segments, right, places, found, pure : int
        Numbers of segments, of those on an axis, of places along axes, of those found, and of segments whose
        tube is theirs.
    tubes, stretches : int
        Numbers of tubes, and of stretches of filaments between crossings.
    """

    segments: int = 0
    right: int = 0
    places: int = 0
    found: int = 0
    pure: int = 0
    tubes: int = 0
    stretches: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))

    def scores(self) -> dict[str, float]:
        """Return the columns of the table."""
        precision, recall = self.right / max(self.segments, 1), self.found / max(self.places, 1)
        return {
            "precision": precision,
            "recall": recall,
            "F1": 2 * precision * recall / max(precision + recall, 1e-9),
            "pure": self.pure / max(self.right, 1),
            "tubes": self.tubes / max(self.stretches, 1),
        }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path)
    parser.add_argument("--fields", type=int, default=40)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    args = parser.parse_args()
    model = load_model(args.model)
    rows = {}
    for name in ("clear", "varied"):
        total = Counts()
        for index in range(args.fields):
            rng = np.random.default_rng([args.seed, index])
            width_A = float(np.exp(rng.uniform(*np.log(WIDTH_A))))
            scale = Scale(width_A / WORKING_DIAMETER_PX, width_A)
            drawn = draw_conditions(rng)
            clear = replace(CLEAR, defocus_um=float(rng.uniform(0.8, 2.5)))
            conditions = clear if name == "clear" else replace(drawn, contaminated=False)
            field = simulate_filaments(rng, (FIELD_PX, FIELD_PX), scale, conditions)
            total += compare(field, pick(field, scale, model), WORKING_DIAMETER_PX)
        rows[name] = total.scores()
        print(
            f"{name:8s}" + "".join(f"  {label} {value:.3f}" for label, value in rows[name].items()),
            flush=True,
        )
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "filaments.json").write_text(json.dumps(rows, indent=1) + "\n")


def pick(field: FilamentField, scale: Scale, model: Model) -> Picks:
    """Return the segments in a field."""
    extraction = ExtractionOptions(helical_rise_A=RISE * scale.diameter_A)
    options = PickingOptions(scale.diameter_A, extraction=extraction)
    return pick_micrograph(field.image, scale.pixel_size_A, model, options).candidates.above(model.threshold)


def compare(field: FilamentField, picks: Picks, width_px: float) -> Counts:
    """Count the segments of a field that are right, and the places that are found."""
    axes = [_finer(axis, 0.05) for axis in field.axes_px]
    points = np.concatenate(axes)
    owner = np.repeat(np.arange(len(axes)), [len(axis) for axis in axes])
    rim_px = width_px
    inside = ((points >= rim_px) & (points <= FIELD_PX - 1 - rim_px)).all(axis=1)
    alone = np.array(
        [_is_alone(points[k], owner[k], axes, ALONE * width_px) for k in range(0, len(points), 20)]
    )
    alone = np.repeat(alone, 20)[: len(points)] & inside
    rise_px = RISE * width_px
    at = np.stack([picks.x_px, picks.y_px], axis=1)
    if not alone.any():
        return Counts()
    distance, nearest = cKDTree(points).query(at) if len(at) else (np.zeros(0), np.zeros(0, int))
    right = distance <= rise_px
    # A segment beside a crossing is neither right nor wrong.
    counts = ~right | alone[nearest] if len(at) else np.zeros(0, bool)
    tubes = picks.columns()["tube_id"].astype(int)
    pure = 0
    for tube in set(tubes[right & counts]):
        of_tube = owner[nearest[right & counts & (tubes == tube)]]
        pure += Counter(of_tube.tolist()).most_common(1)[0][1]
    places = points[alone][:: max(int(RISE / (0.25 * 0.05)), 1)]
    found = cKDTree(at).query(places)[0] <= rise_px if len(at) else np.zeros(len(places), bool)
    stretches = int((np.diff(np.concatenate([[0], alone.astype(int)])) == 1).sum())
    return Counts(
        int(counts.sum()), int((right & counts).sum()), len(places), int(found.sum()), pure,
        len(set(tubes[counts])), stretches,
    )  # fmt: skip


def _finer(axis: FloatArray, step: float) -> FloatArray:
    """Return points along an axis, `step` of the distance of its points apart."""
    at = np.arange(0, len(axis) - 1, step)
    return np.stack([np.interp(at, np.arange(len(axis)), line) for line in axis.T], axis=1)


def _is_alone(point: FloatArray, owner: int, axes: list[FloatArray], distance_px: float) -> bool:
    return all(
        ((axis - point) ** 2).sum(axis=1).min() > distance_px**2 for k, axis in enumerate(axes) if k != owner
    )


if __name__ == "__main__":
    main()
