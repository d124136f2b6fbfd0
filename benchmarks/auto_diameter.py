"""The diameter that ``--particle_diameter auto`` finds on simulated sessions, and what picking with it costs.

    python benchmarks/auto_diameter.py [--model FILE] [--sessions 42] [--micrographs 4] [--seed 2]

Every third session shows one of the structures held out of training, where the folder with the structures
is there; the others show procedural specimens of 80 to 400 Å. Half of the sessions are usual ones, half have
conditions drawn as in training. The estimator was chosen with --seed 1 and 3. Prints a line for each session
and the summary, and writes ``auto_diameter.json``; ``auto_diameter.jsonl`` lets a stopped run go on.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from held_out_structures import HELD_OUT, STRUCTURES

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.evaluation import score_picks
from cryoseg_ext.image.repair import repair
from cryoseg_ext.model.checkpoint import Model, load_model
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.pipeline import pick_micrograph
from cryoseg_ext.simulation import SimulatedMicrograph, Specimen, draw_conditions, draw_specimen
from cryoseg_ext.simulation.micrograph import simulate_micrograph
from cryoseg_ext.simulation.presets import TYPICAL, TYPICAL_DEFOCUS_UM, draw_micrograph_conditions
from cryoseg_ext.simulation.structures import specimen_from_file
from cryoseg_ext.size.estimate import DiameterEstimate, estimate_diameter
from cryoseg_ext.size.measure import measure

SHAPE = (1280, 1280)
WITHIN = 0.15


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path)
    parser.add_argument("--sessions", type=int, default=42)
    parser.add_argument("--micrographs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    args = parser.parse_args()
    model = load_model(args.model)
    args.out.mkdir(parents=True, exist_ok=True)
    log = args.out / "auto_diameter.jsonl"
    rows = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    done = {(row["seed"], row["session"], row["model"]) for row in rows}
    for session in range(args.sessions):
        if (args.seed, session, model.fingerprint) not in done:
            row = run_session(args.seed, session, args.micrographs, model)
            rows.append(row)
            with log.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(" ".join(f"{name} {shown(value)}" for name, value in row.items()), flush=True)
    summary = summarise(
        [row for row in rows if (row["seed"], row["model"]) == (args.seed, model.fingerprint)]
    )
    for name, value in summary.items():
        print(f"{name:55s} {value:.3f}")
    (args.out / "auto_diameter.json").write_text(json.dumps(summary, indent=1) + "\n")


def shown(value: object) -> str:
    """Return a value for the table."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def run_session(seed: int, session: int, n: int, model: Model) -> dict[str, Any]:
    """Simulate a session, estimate the diameter, and pick its first micrograph with it."""
    rng = np.random.default_rng([seed, session])
    specimen, diameter_A = draw_particle(rng, session)
    typical = session % 2 == 0
    conditions = TYPICAL if typical else draw_conditions(rng)
    # A particle of 64 px, as far as pixel sizes go.
    pixel_size_A = float(np.clip(diameter_A / 64, 1, 3))
    micrographs = [
        simulate_micrograph(
            rng,
            SHAPE,
            pixel_size_A,
            specimen,
            diameter_A,
            draw_micrograph_conditions(rng, conditions, TYPICAL_DEFOCUS_UM if typical else None),
        )
        for _ in range(n)
    ]
    start = time.perf_counter()
    estimate: DiameterEstimate | None
    try:
        estimate = estimate_diameter([measure(repair(m.image), pixel_size_A, model) for m in micrographs])
    except CryosegError:
        estimate = None
    row = {
        "seed": seed,
        "session": session,
        "model": model.fingerprint,
        "specimen": specimen.family,
        "typical": typical,
        "snr": conditions.snr,
        "particles": sum(len(m.x_px) for m in micrographs),
        "true_A": diameter_A,
        "seconds": time.perf_counter() - start,
    }
    row["ap_true"] = average_precision(micrographs[0], pixel_size_A, diameter_A, diameter_A, model)
    if estimate is not None:
        row |= {
            "found_A": estimate.diameter_A,
            "ratio": estimate.diameter_A / diameter_A,
            "sure": estimate.sure,
            "inside": estimate.low_A <= diameter_A <= estimate.high_A,
            "half_width": estimate.high_A / estimate.diameter_A - 1,
            "score": estimate.mean_score,
            "measured": estimate.n_particles,
            "ap_found": average_precision(
                micrographs[0], pixel_size_A, diameter_A, estimate.diameter_A, model
            ),
        }
    return row


def draw_particle(rng: np.random.Generator, session: int) -> tuple[Specimen, float]:
    """Return a specimen and its maximum extent in Å."""
    if session % 3 == 0 and STRUCTURES.is_dir():
        name = HELD_OUT[session // 3 % len(HELD_OUT)]
        return specimen_from_file(next(STRUCTURES.glob(f"{name}*")))
    return draw_specimen(rng), float(np.exp(rng.uniform(np.log(80), np.log(400))))


def average_precision(
    micrograph: SimulatedMicrograph, pixel_size_A: float, true_A: float, stated_A: float, model: Model
) -> float:
    """Return the average precision of picking with a stated diameter, matched within 0.3 of the true one."""
    picks = pick_micrograph(micrograph.image, pixel_size_A, model, PickingOptions(stated_A)).candidates
    truth = np.stack([micrograph.x_px, micrograph.y_px], axis=1)
    return score_picks([(truth, picks)], 0.3 * true_A / pixel_size_A).average_precision


def summarise(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return the shares and errors over all sessions."""
    found = [row for row in rows if "ratio" in row]
    sure = [row for row in found if row["sure"]]
    error = np.array([row["ratio"] - 1 for row in found])
    summary = {
        "sessions": len(rows),
        "found within 15 %": float((abs(error) <= WITHIN).sum()) / len(rows),
        "median found / true": float(np.median(1 + error)),
        "true one inside the interval": float(np.mean([row["inside"] for row in found])),
        "said to be sure": len(sure) / len(rows),
        "of these within 15 %": float(np.mean([abs(row["ratio"] - 1) <= WITHIN for row in sure])),
        "mean AP told the true diameter": float(np.mean([row["ap_true"] for row in found])),
        "mean AP with the estimate": float(np.mean([row["ap_found"] for row in found])),
    }
    summary |= share_within("usual sessions", found, lambda row: row["typical"])
    summary |= share_within("conditions as in training", found, lambda row: not row["typical"])
    for low, high in ((0.0, 0.35), (0.35, 0.6), (0.6, 9.0)):
        summary |= share_within(
            f"signal to noise {low:g} to {high:g}", found, lambda row: low <= row["snr"] < high
        )
    return summary


def share_within(
    name: str, rows: list[dict[str, Any]], belongs: Callable[[dict[str, Any]], bool]
) -> dict[str, float]:
    """Return what share of the rows that belong is right, under their name; nothing where there are none."""
    part = [abs(row["ratio"] - 1) <= WITHIN for row in rows if belongs(row)]
    return {f"within 15 %, {name} ({len(part)})": float(np.mean(part))} if part else {}


if __name__ == "__main__":
    main()
