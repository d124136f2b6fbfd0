"""Pick and mask quality on simulated fields never trained on, with and without the CRF.

    python benchmarks/simulated_fields.py [--model FILE] [--fields 20]

Conditions are drawn as in training, the stated diameter too; the seeds are not those of training or of the
calibration.  Prints a table and writes ``simulated_fields.json``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.crf import CrfOptions, chosen_crf, refine_maps
from cryoseg_ext.evaluation import score_picks
from cryoseg_ext.extract import extract_picks, find_candidates
from cryoseg_ext.network import Model, NetworkOutput, load_model, segment
from cryoseg_ext.normalise import WORKING_DIAMETER_PX, WorkingMicrograph, normalise
from cryoseg_ext.picks import Picks
from cryoseg_ext.simulation import SimulatedMicrograph
from cryoseg_ext.simulation.micrograph import PARTICLE
from cryoseg_ext.simulation.specimens import FAMILIES
from cryoseg_ext.training.dataset import simulate_field

SEED = 1000
FIELD_PX = 256


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path)
    parser.add_argument("--fields", type=int, default=20, help="fields of each family")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    args = parser.parse_args()
    model = load_model(args.model)
    print(f"{'family':12s} {'':8s} {'best F1':>8s} {'default F1':>10s} {'AP':>6s} {'mask IoU':>8s}")
    rows = []
    for number, family in enumerate(FAMILIES):
        fields = [
            simulate_field(np.random.default_rng([SEED, number, k]), FIELD_PX, family)
            for k in range(args.fields)
        ]
        outputs = [run_network(field, model) for field in fields]
        for name, crf in (("network", chosen_crf(None, model.crf)), ("with CRF", model.crf)):
            row = {"family": family, "with": name, **evaluate(fields, outputs, model, crf)}
            rows.append(row)
            print(
                f"{family:12s} {name:8s} {row['best_f1']:8.3f} {row['default_f1']:10.3f} "
                f"{row['average_precision']:6.3f} {row['iou']:8.3f}",
                flush=True,
            )
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "simulated_fields.json").write_text(json.dumps(rows, indent=1) + "\n")


def run_network(field: SimulatedMicrograph, model: Model) -> tuple[WorkingMicrograph, NetworkOutput]:
    """Return the normalised field and the network's maps."""
    valid = np.ones(field.image.shape, np.bool_)
    working = WorkingMicrograph(normalise(field.image, valid), valid, (FIELD_PX, FIELD_PX))
    return working, segment(working.image, model)


def evaluate(
    fields: list[SimulatedMicrograph],
    outputs: list[tuple[WorkingMicrograph, NetworkOutput]],
    model: Model,
    crf: CrfOptions,
) -> dict[str, float]:
    """Return pick scores and the pooled intersection over union of the particle class."""
    picked: list[tuple[NDArray[np.float64], Picks]] = []
    both = either = 0
    for field, (working, output) in zip(fields, outputs, strict=True):
        refined = refine_maps(output.particle_logit, output.centre, working.image, working.diameter_px, crf)
        mask, truth = refined.particle >= 0.5, field.labels == PARTICLE
        both, either = both + int((mask & truth).sum()), either + int((mask | truth).sum())
        candidates = find_candidates(refined.centre, refined.particle, output.contaminant)
        picks = extract_picks(candidates, working, model.calibration)
        picked.append((np.stack([field.x_px, field.y_px], axis=1), picks))
    scores = score_picks(picked, 0.3 * WORKING_DIAMETER_PX, model.threshold)
    return {
        "best_f1": scores.best_f1,
        "default_f1": scores.f1,
        "average_precision": scores.average_precision,
        "iou": both / max(either, 1),
    }


if __name__ == "__main__":
    main()
