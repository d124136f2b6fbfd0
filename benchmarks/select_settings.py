"""How near settings chosen on three micrographs come to the best ones, on the others.

    python benchmarks/select_settings.py [--draws 20] [--sessions 3] [--n 9] [--real] [--out FOLDER]

For simulated sessions, and with --real for EMPIAR-10017 (needs the project's ``../shared``), every micrograph
is picked with all settings once. Then three are drawn again and again; on the rest, the F1 of the settings
chosen from the three is compared with that of the default and with the highest F1 that any setting of the
grid has there. Prints a table and writes ``select_settings.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from real_micrographs import SHARED, unpack

from cryoseg_ext.evaluation.matching import MATCH_DIAMETERS
from cryoseg_ext.formats.micrographs import ListedMicrograph
from cryoseg_ext.formats.reading import read_picks
from cryoseg_ext.job.micrograph import prepare
from cryoseg_ext.model.checkpoint import Model, load_model
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.simulation.session import SessionOptions
from cryoseg_ext.simulation.session_files import write_session
from cryoseg_ext.tuning.choose import Counts, choose
from cryoseg_ext.tuning.effects import nearest_threshold
from cryoseg_ext.tuning.grid import grid_of
from cryoseg_ext.tuning.search import Sample, Trial, count_settings

DIAMETER_A = 180.0
FIRST_SEED = 100
"""Other sessions than those the rule of the choice was found on."""


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=20, help="of three micrographs")
    parser.add_argument("--sessions", type=int, default=3, help="simulated")
    parser.add_argument("--n", type=int, default=9, help="micrographs of a session")
    parser.add_argument("--real", action="store_true", help="EMPIAR-10017 too")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    args = parser.parse_args()
    if args.real and not SHARED.is_dir():
        sys.exit(f"{SHARED} is not there: real micrographs are kept outside the repo")
    torch.set_num_threads(1)
    model, rows = load_model(), []
    print(
        "session        particles  F1 on the others: default  chosen    best   chosen below best: mean, most"
    )
    with tempfile.TemporaryDirectory() as scratch:
        for name, counts in _sessions(args.sessions, args.n, Path(scratch), model, real=args.real):
            row = {"session": name, **compare(counts, model.threshold, args.draws)}
            rows.append(row)
            print(
                f"{name:14s} {row['particles']:9.0f} {row['default']:26.3f} {row['chosen']:7.3f} "
                f"{row['best']:7.3f} {row['mean_loss']:22.4f} {row['largest_loss']:.4f}",
                flush=True,
            )
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "select_settings.json").write_text(json.dumps(rows, indent=1) + "\n")


def compare(counts: Sequence[Counts], model_threshold: float, n_draws: int) -> dict[str, float]:
    """Return the mean F1 on the micrographs that were not drawn, over draws of three."""
    grid = grid_of(PickingOptions(DIAMETER_A))
    default = grid.settings.index(grid.default), nearest_threshold(model_threshold)
    triples = list(combinations(range(len(counts)), 3))
    order = np.random.default_rng(0).permutation(len(triples))[:n_draws]
    scores = []
    for drawn in (triples[number] for number in order):
        few = Counts.joined([counts[index] for index in drawn])
        choice = choose(few, default, grid.n_changes)
        f1 = Counts.joined([one for index, one in enumerate(counts) if index not in drawn]).f1()
        scores.append((f1[default], f1[choice.setting, choice.threshold], f1.max()))
    of_default, chosen, best = np.array(scores).T
    return {
        "particles": float(sum(one.truth.sum() for one in counts)),
        "default": float(of_default.mean()),
        "chosen": float(chosen.mean()),
        "best": float(best.mean()),
        "mean_loss": float((best - chosen).mean()),
        "largest_loss": float((best - chosen).max()),
    }


def _sessions(
    n_sessions: int, n: int, scratch: Path, model: Model, *, real: bool
) -> Iterator[tuple[str, list[Counts]]]:
    for seed in range(FIRST_SEED, FIRST_SEED + n_sessions):
        options = SessionOptions((2048, 2048), 2.4, preset="varied", diameter_A=DIAMETER_A, seed=seed)
        folder = scratch / str(seed)
        write_session(folder, options, n)
        yield f"simulated {seed}", _count(folder / "Micrographs", folder / "Coordinates", DIAMETER_A, model)
    if real:
        unpack(scratch)
        folder, inside = scratch / "empiar-10017", (121.0, 121.0, 3975.0, 3975.0)
        yield "EMPIAR-10017", _count(folder / "Micrographs", folder / "coordinates", 190.0, model, inside)


def _count(
    micrographs: Path,
    coordinates: Path,
    diameter_A: float,
    model: Model,
    inside: tuple[float, float, float, float] | None = None,
) -> list[Counts]:
    counts = []
    trial = Trial(model, PickingOptions(diameter_A), MATCH_DIAMETERS, inside=inside)
    for path in sorted(micrographs.iterdir()):
        (truth,) = read_picks(coordinates / f"{path.stem}.csv").values()
        sample = Sample(prepare(ListedMicrograph(path.stem, path)))
        counts.append(count_settings(sample, truth, trial, grid_of(trial.base)))
    return counts


if __name__ == "__main__":
    main()
