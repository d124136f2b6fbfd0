"""What the numbers that the network computes with change: float32 against bfloat16 and 8-bit integers.

    python benchmarks/precisions.py [--model FILE] [--micrographs 4] [--size 1536] [--out FOLDER]

Simulates micrographs of the left-out structures and of the procedural families as ``held_out_structures.py``
does, half of them with contaminants, and picks each with all numbers. For each kind of numbers it prints
average precision and best F1, their differences from float32, and how far the picks at the default threshold
move: the share of the picks of float32 that have one within a pixel of the micrograph, the largest
displacement of these in pixels (a particle is 64 px wide), and the mean difference of their scores. Writes
``precisions.json``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from held_out_structures import DIAMETER_PX, MATCH_DIAMETERS, STRUCTURES, sessions
from scipy.spatial import KDTree

from cryoseg_ext.evaluation import score_picks
from cryoseg_ext.model.checkpoint import Model, load_model
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.picks import Picks
from cryoseg_ext.pipeline import pick_micrograph
from cryoseg_ext.simulation.session import SessionOptions, load_specimens, simulate_session_micrograph

EXACT, OTHERS = "float32", ("bfloat16", "int8")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path)
    parser.add_argument("--micrographs", type=int, default=4, help="half of them with contaminants")
    parser.add_argument("--size", type=int, default=1536, help="width and height in pixels")
    parser.add_argument("--structures", type=Path, default=STRUCTURES, help="folder of the atomic models")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    models = {name: load_model(args.model, precision=name) for name in (EXACT, *OTHERS)}
    options = SessionOptions(shape=(args.size, args.size))
    rows = {}
    columns = (
        ("AP", 8),
        ("change", 9),
        ("best F1", 9),
        ("change", 9),
        ("within", 8),
        ("px", 6),
        ("score", 7),
    )
    print(f"{'':21s}" + "".join(f"{title:>{width}s}" for title, width in columns))
    for name, session in sessions(options, args.structures).items():
        rows[name] = compare(session, args.micrographs, models)
        for numbers, row in rows[name].items():
            print(
                f"{name:12s}{numbers:9s}{row['average_precision']:8.4f}{row['average_precision_change']:+9.4f}"
                f"{row['best_f1']:9.4f}{row['best_f1_change']:+9.4f}{row['within_1_px']:8.3f}"
                f"{row['largest_px']:6.2f}{row['score_change']:7.4f}",
                flush=True,
            )
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "precisions.json").write_text(json.dumps(rows, indent=1) + "\n")


def compare(session: SessionOptions, n: int, models: dict[str, Model]) -> dict[str, dict[str, float]]:
    """Return the scores of each kind of numbers on the micrographs of a session."""
    found: dict[str, list[Picks]] = {name: [] for name in models}
    truth = []
    for index in range(n):
        one = replace(session, contaminants=index % 2 == 1, seed=session.seed + index)
        specimens = load_specimens(one)
        diameter_A = specimens[0][1]
        one = replace(one, pixel_size_A=diameter_A / DIAMETER_PX)
        simulated = simulate_session_micrograph(one, specimens, 0)
        truth.append(np.stack([simulated.x_px, simulated.y_px], axis=1))
        for name, model in models.items():
            picked = pick_micrograph(simulated.image, one.pixel_size_A, model, PickingOptions(diameter_A))
            found[name].append(picked.candidates)
    radius_px, threshold = MATCH_DIAMETERS * DIAMETER_PX, models[EXACT].threshold
    scores = {name: score_picks(zip(truth, picks, strict=True), radius_px) for name, picks in found.items()}
    exact = scores[EXACT]
    return {
        name: {
            "average_precision": scores[name].average_precision,
            "average_precision_change": scores[name].average_precision - exact.average_precision,
            "best_f1": scores[name].best_f1,
            "best_f1_change": scores[name].best_f1 - exact.best_f1,
            **displacement(found[EXACT], found[name], threshold),
        }
        for name in models
    }


def displacement(exact: Sequence[Picks], other: Sequence[Picks], threshold: float) -> dict[str, float]:
    """Return how far the picks of `exact` at or above a threshold are from candidates of `other`."""
    distance_px, score = [], []
    for before, after in zip(exact, other, strict=True):
        picks = before.above(threshold)
        tree = KDTree(np.stack([after.x_px, after.y_px], axis=1).reshape(-1, 2))
        away, nearest = tree.query(np.stack([picks.x_px, picks.y_px], axis=1).reshape(-1, 2))
        distance_px.append(away)
        score.append(np.abs(after.score[nearest] - picks.score))
    away, change = np.concatenate(distance_px), np.concatenate(score)
    near = away <= 1
    return {
        "within_1_px": float(near.mean()),
        "largest_px": float(away[near].max(initial=0)),
        "score_change": float(change[near].mean()),
    }


if __name__ == "__main__":
    main()
