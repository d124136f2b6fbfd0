"""Picks under conditions that are not ordinary, of structures that the default model has never seen.

    python benchmarks/conditions.py [--model FILE] [--fields 4] [--seed 9]

Simulated fields of 512 x 512 working pixels of the atomic models left out of the training, of each `--fields`
under each condition, told the true diameter: as the training draws them, faint, with a phase plate, in
negative stain (inverted, as ``--invert`` does it), with contaminants; and without any particle, with and
without contaminants. Prints best F1, average precision, F1 at the default threshold, and picks for each field
at that threshold; writes ``conditions.json``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from held_out_structures import HELD_OUT, MATCH_DIAMETERS, STRUCTURES
from numpy.random import Generator

from cryoseg_ext.evaluation import score_picks
from cryoseg_ext.image.scale import WORKING_DIAMETER_PX
from cryoseg_ext.model.checkpoint import load_model
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.pipeline import pick_micrograph
from cryoseg_ext.simulation import draw_conditions, simulate_micrograph
from cryoseg_ext.simulation.conditions import Conditions
from cryoseg_ext.simulation.stain import in_stain
from cryoseg_ext.simulation.structures import specimen_from_file, structure_files

FIELD_PX = 512
DIAMETERS_A = (80.0, 350.0)


def ordinary(rng: Generator) -> Conditions:
    """Return conditions as the training draws them, without contaminants."""
    return replace(draw_conditions(rng), contaminated=False)


def faint(rng: Generator) -> Conditions:
    """Return a signal of a seventh to a third of the noise."""
    return replace(ordinary(rng), snr=float(rng.uniform(0.15, 0.35)))


def phase_plate(rng: Generator) -> Conditions:
    """Return a phase plate at little underfocus."""
    shift_deg, defocus_um = (float(rng.uniform(*span)) for span in ((60, 120), (0.2, 1.0)))
    return replace(ordinary(rng), phase_shift_deg=shift_deg, defocus_um=defocus_um)


def contaminated(rng: Generator) -> Conditions:
    """Return a field with contaminants."""
    return replace(draw_conditions(rng), contaminated=True)


CONDITIONS: dict[str, Callable[[Generator], Conditions]] = {
    "ordinary": ordinary,
    "faint": faint,
    "phase plate": phase_plate,
    "negative stain": lambda rng: in_stain(rng, ordinary(rng)),
    "contaminated": contaminated,
    "empty": lambda rng: replace(ordinary(rng), coverage=0.0),
    "empty, contaminated": lambda rng: replace(contaminated(rng), coverage=0.0),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path)
    parser.add_argument("--fields", type=int, default=4, help="of each structure under each condition")
    parser.add_argument("--seed", type=int, default=9)
    parser.add_argument("--structures", type=Path, default=STRUCTURES, help="folder of the atomic models")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    model, rows = load_model(args.model), {}
    files = [path for path in structure_files(args.structures) if path.name.startswith(HELD_OUT)]
    specimens = [specimen_from_file(path, WORKING_DIAMETER_PX)[0] for path in files]
    print(f"{'':20s} best F1     AP     F1   picks")
    for number, (name, draw) in enumerate(CONDITIONS.items()):
        found = []
        for index in range(args.fields * len(specimens)):
            rng = np.random.default_rng([args.seed, number, index])
            diameter_A = float(np.exp(rng.uniform(*np.log(DIAMETERS_A))))
            pixel_A, specimen = diameter_A / WORKING_DIAMETER_PX, specimens[index % len(specimens)]
            shape = (FIELD_PX, FIELD_PX)
            field = simulate_micrograph(rng, shape, pixel_A, specimen, diameter_A, draw(rng))
            picked = pick_micrograph(field.image, pixel_A, model, PickingOptions(diameter_A))
            found.append((np.stack([field.x_px, field.y_px], axis=1), picked.candidates))
        scores = score_picks(found, MATCH_DIAMETERS * WORKING_DIAMETER_PX, model.threshold)
        rows[name] = {
            "best_f1": scores.best_f1,
            "average_precision": scores.average_precision,
            "f1": scores.f1,
            "picks": scores.n_picks / len(found),
        }
        print(f"{name:20s} " + " ".join(f"{value:7.3f}" for value in rows[name].values()), flush=True)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "conditions.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
