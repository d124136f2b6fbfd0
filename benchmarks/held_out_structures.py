"""Picks and masks on simulated 300 kV micrographs of molecules that the default model has never seen.

    python benchmarks/held_out_structures.py [--model FILE] [--micrographs 2] [--size 1536] [--dose 40]

One row for each atomic model left out of the training and for each procedural family: micrographs of the
preset `typical` of ``cryoseg simulate`` (300 kV, 40 e/Å^2, 0.8 to 2.5 µm underfocus), as many without
contaminants as with them, picked with the true diameter; then the processor time of a training field of
1024 x 1024 px on one core. The atomic models are those of ``../shared`` of the project's workplace; where
they are missing only the families are scored. Prints a table and writes ``held_out_structures.json``.

========  ==================================================================================================
snr       signal over noise inside the particles, in pixels of 1/24 of the diameter
F1, best  of the picks at the default threshold, and at the best one; without contaminants
IoU       of the particle class at the working scale; without contaminants
F1+       at the default threshold, with contaminants
on_cont   share of the picks at the default threshold that lie on a contaminant, with contaminants
no_part   the same without those that lie on a particle too, which the truth leaves out, as under ice
at_.8     share of the picks with a score of 0.8 or more that are right, and how many there are
========  ==================================================================================================
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cryoseg_ext.evaluation import match_picks, score_picks
from cryoseg_ext.evaluation.pixels import count_pixels, score_class
from cryoseg_ext.model.checkpoint import Model, load_model
from cryoseg_ext.network.classes import CONTAMINANT, PARTICLE
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.picks import Picks
from cryoseg_ext.pipeline import pick_micrograph
from cryoseg_ext.simulation import SimulatedMicrograph
from cryoseg_ext.simulation.session import SessionOptions, load_specimens, simulate_session_micrograph
from cryoseg_ext.simulation.specimens import FAMILIES
from cryoseg_ext.training.dataset import simulate_field

STRUCTURES = Path(__file__).resolve().parents[2] / "shared" / "data" / "structures"
HELD_OUT = ("1u19", "1igy", "3d2f", "3cf3", "5gjv", "4v4r", "2buk")
SEED = 1000
DIAMETER_PX = 64.0
"""Pixels are this fraction of the diameter, so that a small field holds enough particles."""
MATCH_DIAMETERS = 0.3
SURE = 0.8


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path)
    parser.add_argument("--micrographs", type=int, default=2, help="without contaminants, and as many with")
    parser.add_argument("--size", type=int, default=1536, help="width and height in pixels")
    parser.add_argument("--dose", type=float, help="e/Å^2; default: the preset's")
    parser.add_argument("--structures", type=Path, default=STRUCTURES, help="folder of the atomic models")
    parser.add_argument("--j", type=int, default=1, help="processor threads")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    args = parser.parse_args()
    torch.set_num_threads(args.j)
    model = load_model(args.model)
    options = SessionOptions(shape=(args.size, args.size), dose_e_A2=args.dose)
    rows: dict[str, dict[str, float]] = {}
    for name, session in sessions(options, args.structures).items():
        plain, contaminated = (
            [pick_simulated(session, k, contaminants, model) for k in range(args.micrographs)]
            for contaminants in (False, True)
        )
        rows[name] = describe(plain, contaminated, model.threshold)
        if len(rows) == 1:
            print(f"{'':10s}" + "".join(f"{column:>9s}" for column in rows[name]))
        print(f"{name:10s}" + "".join(f"{value:9.3g}" for value in rows[name].values()), flush=True)
    seconds = time_training_field()
    print(f"a training field of 1024 x 1024 px: {seconds:.2f} s of one core (median)")
    args.out.mkdir(parents=True, exist_ok=True)
    results = {"rows": rows, "training_field_s": seconds}
    (args.out / "held_out_structures.json").write_text(json.dumps(results, indent=1) + "\n")


def sessions(options: SessionOptions, folder: Path) -> dict[str, SessionOptions]:
    """Return what to simulate: the atomic models that are there, then the families."""
    paths = {name: sorted(folder.glob(f"{name}*")) for name in HELD_OUT}
    if missing := [name for name, found in paths.items() if not found]:
        print(f"not in {folder}, and so not scored: {', '.join(missing)}")
    structures = {name: replace(options, structures=tuple(found)) for name, found in paths.items() if found}
    every = structures | {family: replace(options, family=family) for family in FAMILIES}
    # Seeds of its own for each, with room for those of its micrographs.
    return {name: replace(one, seed=SEED + 100 * k) for k, (name, one) in enumerate(every.items())}


@dataclass(frozen=True)
class Picked:
    """A simulated micrograph, its candidates, and the confusion of the mask with the truth."""

    simulated: SimulatedMicrograph
    candidates: Picks
    confusion: NDArray[np.int64]

    @property
    def truth_xy_px(self) -> NDArray[np.float64]:
        """``(n, 2)`` centres of the particles."""
        return np.stack([self.simulated.x_px, self.simulated.y_px], axis=1)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which candidates are right."""
        return match_picks(self.truth_xy_px, self.candidates, MATCH_DIAMETERS * DIAMETER_PX)


def pick_simulated(session: SessionOptions, index: int, contaminants: bool, model: Model) -> Picked:
    """Simulate micrograph `index`, with a molecule of its own where the session has a family, and pick it."""
    session = replace(session, contaminants=contaminants, seed=session.seed + index)
    specimens = load_specimens(session)
    diameter_A = specimens[0][1]
    session = replace(session, pixel_size_A=diameter_A / DIAMETER_PX)
    simulated = simulate_session_micrograph(session, specimens, 0)
    result = pick_micrograph(simulated.image, session.pixel_size_A, model, PickingOptions(diameter_A))
    rows, columns = (np.arange(n, dtype=np.float64) for n in result.mask.shape)
    x_px, y_px = result.working.to_source_px(columns, rows)
    truth = simulated.labels[np.ix_(as_index(y_px, session.shape[0]), as_index(x_px, session.shape[1]))]
    confusion = count_pixels((truth == PARTICLE).astype(int), result.mask.astype(int), 2)
    return Picked(simulated, result.candidates, confusion)


def as_index(at_px: NDArray[np.float64], n: int) -> NDArray[np.intp]:
    """Return the nearest of `n` pixels."""
    return np.rint(at_px).astype(np.intp).clip(0, n - 1)


def describe(plain: Sequence[Picked], contaminated: Sequence[Picked], threshold: float) -> dict[str, float]:
    """Return the columns of the table."""
    radius_px = MATCH_DIAMETERS * DIAMETER_PX
    scores, scores_contaminated = (
        score_picks([(one.truth_xy_px, one.candidates) for one in part], radius_px, threshold)
        for part in (plain, contaminated)
    )
    every = [*plain, *contaminated]
    sure = np.concatenate([one.right[one.candidates.score >= SURE] for one in every])
    on_contaminant = np.concatenate([labels_of_picks(one, threshold) == CONTAMINANT for one in contaminated])
    on_particle = np.concatenate([is_on_particle(one, threshold) for one in contaminated])
    return {
        "snr": float(np.mean([one.simulated.conditions.snr for one in every])),
        "n": scores.n_truth,
        "F1": scores.f1,
        "best": scores.best_f1,
        "IoU": score_class(np.sum([one.confusion for one in plain], axis=0), 1).iou,
        "F1+": scores_contaminated.f1,
        "on_cont": float(on_contaminant.mean()) if len(on_contaminant) else 0.0,
        "no_part": float((on_contaminant & ~on_particle).mean()) if len(on_contaminant) else 0.0,
        "at_.8": float(sure.mean()) if len(sure) else float("nan"),
        "n_at_.8": len(sure),
    }


def labels_of_picks(one: Picked, threshold: float) -> NDArray[np.int8]:
    """Return the label of the pixel that each pick lies on."""
    picks, labels = one.candidates.above(threshold), one.simulated.labels
    return labels[as_index(picks.y_px, labels.shape[0]), as_index(picks.x_px, labels.shape[1])]


def is_on_particle(one: Picked, threshold: float) -> NDArray[np.bool_]:
    """Return which picks are near any particle, be it in the truth or not."""
    picks = one.candidates.above(threshold)
    return match_picks(one.simulated.placed.centres_px, picks, MATCH_DIAMETERS * DIAMETER_PX)


def time_training_field(n: int = 15) -> float:
    """Return the median processor seconds of a field of 1024 x 1024 px, with all that training draws."""
    torch.set_num_threads(1)
    seconds = []
    for k in range(n):
        started = time.process_time()
        simulate_field(np.random.default_rng([SEED, k]), 1024)
        seconds.append(time.process_time() - started)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
