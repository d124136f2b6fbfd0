"""Fine-tune on a few of the shared real micrographs with the real command, and score on the others.

    python benchmarks/fine_tuning.py [ROW ...] [--set empiar-10017] [--initial FILE] [--threads 2]

Rows: ``zero_shot``, ``fine_tuned``, ``half`` (a random half of the picks removed), ``fifty`` (fifty picks in
total), ``from_scratch``, or ``all``.  The first five micrographs of EMPIAR-10017 and the first three of
EMPIAR-10146, by name, are trained on; the other five and three are scored.  A row that was stopped goes on,
a finished one is not done again; without rows the table of the finished ones is printed.  Needs the folder
``../shared`` of the project's workplace (real micrographs, expert picks and the scorer); says so and stops
when it is not there.
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from real_micrographs import SETS, SHARED, RealSet, unpack

from cryoseg_ext.model.checkpoint import load_model

N_TRAINED = {"empiar-10017": 5, "empiar-10146": 3}
ROWS = ("zero_shot", "fine_tuned", "half", "fifty", "from_scratch")
MATCH_DIAMETERS = 0.3
SEED = 7
COMMAND = [sys.executable, "-c", "from cryoseg_ext.cli import main; main()"]


@dataclass(frozen=True)
class Bench:
    """Where and how it is done."""

    work: Path
    initial: Path | None
    threads: int


def main() -> None:
    """Run the rows that are not finished, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", choices=(*ROWS, "all"), metavar="ROW", default=[])
    parser.add_argument("--set", choices=list(N_TRAINED), help="default: both")
    parser.add_argument("--initial", type=Path, help="model to start from; default: the one in the package")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path("benchmarks/results/fine_tuning"))
    args = parser.parse_args()
    if not SHARED.is_dir():
        sys.exit(f"{SHARED} is not there: this benchmark needs real micrographs kept outside the repo")
    bench = Bench(args.work.resolve(), args.initial and args.initial.resolve(), args.threads)
    data = bench.work / "data"
    if not data.is_dir():
        unpack(data)
    rows = ROWS if "all" in args.rows else args.rows
    print(_HEAD)
    for real_set in SETS:
        for name in ROWS:
            if args.set not in (None, real_set.name):
                continue
            stored = bench.work / real_set.name / name / "row.json"
            if name in rows and not stored.exists():
                stored.parent.mkdir(parents=True, exist_ok=True)
                stored.write_text(json.dumps(run(bench, real_set, name, stored.parent), indent=1) + "\n")
            if stored.exists():
                print(line(json.loads(stored.read_text())), flush=True)


def run(bench: Bench, real_set: RealSet, name: str, folder: Path) -> dict[str, Any]:
    """Return a row of the table: train, unless it is the zero-shot one, pick and score."""
    micrographs = sorted((bench.work / "data" / real_set.name / "Micrographs").iterdir())
    trained, scored = np.split(np.array(micrographs), [N_TRAINED[real_set.name]])
    row: dict[str, Any] = {"set": real_set.name, "row": name, "scored": [path.stem for path in scored]}
    model = bench.initial
    if name != "zero_shot":
        row |= write_picks(real_set, trained, name, folder / "picks")
        row |= train(bench, real_set, name, trained, folder)
        model = folder / "training" / "model.safetensors"
    arguments = ["pick", *map(str, scored), "--out", str(folder / "scored"), "--threshold", "0.02"]
    arguments += ["--particle_diameter", str(real_set.particle_diameter_A), "--j", str(bench.threads)]
    command(*arguments, *(("--model", str(model)) if model else ()))
    return row | score(real_set, scored, folder, load_model(model).threshold)


def write_picks(real_set: RealSet, trained: Any, name: str, folder: Path) -> dict[str, int]:
    """Write the picks that are trained on as CSV, and return how many."""
    folder.mkdir(exist_ok=True)
    rng, n_picks = np.random.default_rng(SEED), 0
    for number, path in enumerate(trained):
        xy_px = np.loadtxt(truth_of(real_set, path.stem), delimiter=",", skiprows=1)[:, :2]
        if name == "half":
            xy_px = xy_px[rng.permutation(len(xy_px))[: len(xy_px) // 2]]
        elif name == "fifty":
            xy_px = xy_px[rng.permutation(len(xy_px))[: len(range(number, 50, len(trained)))]]
        np.savetxt(folder / f"{path.stem}.csv", xy_px, "%.2f", ",", header="x,y", comments="")
        n_picks += len(xy_px)
    return {"micrographs": len(trained), "picks": n_picks}


def truth_of(real_set: RealSet, name: str) -> Path:
    """Return the expert's picks of a micrograph."""
    return Path(SHARED, "data", real_set.name, "coordinates", f"{name}.csv")


def train(bench: Bench, real_set: RealSet, name: str, trained: Any, folder: Path) -> dict[str, float]:
    """Run ``cryoseg train``, or go on with it, and return how long it took in all."""
    times = folder / "seconds.json"
    earlier = json.loads(times.read_text()) if times.exists() else {"wall_s": 0.0, "cpu_s": 0.0}
    arguments = ["train", "--in_coords", str(folder / "picks"), "--out", str(folder / "training")]
    for path in trained:
        arguments += ["--in_mics", str(path)]
    arguments += ["--particle_diameter", str(real_set.particle_diameter_A), "--j", str(bench.threads)]
    arguments += ["--from_scratch"] if name == "from_scratch" else []
    arguments += ["--initial", str(bench.initial)] if bench.initial else []
    started, cpu_s = time.perf_counter(), children_cpu_s()
    try:
        command(*arguments)
    finally:
        taken = {"wall_s": time.perf_counter() - started, "cpu_s": children_cpu_s() - cpu_s}
        taken = {key: earlier[key] + value for key, value in taken.items()}
        times.write_text(json.dumps(taken) + "\n")
    return taken


def children_cpu_s() -> float:
    """Return the processor seconds of all commands that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def command(*arguments: str) -> None:
    """Run ``cryoseg`` with `arguments`; its progress goes to the terminal."""
    subprocess.run([*COMMAND, *arguments], check=True, stdout=subprocess.DEVNULL)


def score(real_set: RealSet, scored: Any, folder: Path, threshold: float) -> dict[str, Any]:
    """Return what the judges' scorer says, over all and of each micrograph."""
    sys.path.insert(0, str(SHARED))
    scorer: Any = importlib.import_module("score_picks")
    truth = folder / "truth"
    truth.mkdir(exist_ok=True)
    for path in scored:
        (truth / f"{path.stem}.csv").write_bytes(truth_of(real_set, path.stem).read_bytes())
    radius_px = MATCH_DIAMETERS * real_set.scored_diameter_px
    data = scorer.load(truth, folder / "scored", inside=real_set.inside or None)
    best = scorer.curve(data, radius_px)
    return {
        "best_f1": best["best_f1"],
        "average_precision": best["average_precision"],
        "default_f1": scorer.score_at(data, radius_px, threshold)["f1"],
        "f1_at_best": {
            one[0]: scorer.score_at([one], radius_px, best["best_threshold"])["f1"] for one in data
        },
    }


_HEAD = (
    "set           row           picks  best F1     AP  default F1  minutes  CPU min  F1 of each micrograph"
)


def line(row: dict[str, Any]) -> str:
    """Return a row of the table; the F1 of each micrograph is at the threshold that is best for all."""
    return (
        f"{row['set']:13s} {row['row']:12s} {row.get('picks', 0):6d} {row['best_f1']:8.3f} "
        f"{row['average_precision']:6.3f} {row['default_f1']:11.3f} {row.get('wall_s', 0) / 60:8.1f} "
        f"{row.get('cpu_s', 0) / 60:8.1f}  " + " ".join(f"{f1:.3f}" for f1 in row["f1_at_best"].values())
    )


if __name__ == "__main__":
    main()
