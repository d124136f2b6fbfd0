"""Maps from our picks against maps from other pickers' picks, on simulated sessions with known truth.

    python benchmarks/maps.py --work DIR --topaz TOPAZ                        the whole: hours, restartable
    python benchmarks/maps.py --work DIR --structures 3cf3 --seeds 1 --pickers truth cryoseg   one cell
    python benchmarks/maps.py --work DIR --report        only the table of what is finished

For each structure, none of which the default model was trained on, and each seed: micrographs of the preset
`typical` of ``cryoseg simulate`` (300 kV, 40 e/Å^2, 0.8 to 2.5 µm underfocus), all with contaminants; the
picks of each picker at its default settings; the same extraction and the same gold-standard auto-refinement
from a 30 Å reference in RELION 3.1; the FSC of the resulting map to the true one. Then, of the first seed
alone, the same with a 2D classification between, and with a half and a quarter of the particles. Only when
asked for, what costs our picks resolution: `--pickers cryoseg_right cryoseg_centred`. The files ``maps_*.py``
say how. Every step is kept in --work: a killed run goes on where it was. What a program of RELION or Topaz
refuses is said, and tried again by the next start. Prints a table; writes ``maps.json``, ``maps.svg`` and
``maps_slices.png`` to --out.

The atomic models are those of ``../shared`` of the project's workplace; --models gives another folder.
RELION's programs must be on PATH. Topaz has an environment of its own, as its dependencies do not fit ours:

    python -m venv TOPAZ_ENV
    TOPAZ_ENV/bin/pip install torch==2.13.0
    TOPAZ_ENV/bin/pip install topaz-em==0.3.20 torch==2.13.0

and TOPAZ is ``TOPAZ_ENV/bin/topaz``. It imports torchvision, though only to train; where that was built for
CUDA and torch was not, a package of that name with a function ``transforms.functional.rotate`` will do.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from held_out_structures import STRUCTURES as MODELS
from maps_cell import STRUCTURES, Cell, Structure
from maps_pickers import DIAGNOSES, PICKERS, pick
from maps_relion import extract, refine, select_classes, take_share
from maps_report import write_report
from maps_scores import score_run

from cryoseg_ext.files import replace_text

SHARES_PERCENT = (50, 25)
PROGRAMS = (
    "relion_autopick",
    "relion_preprocess",
    "relion_refine",
    "relion_refine_mpi",
    "relion_postprocess",
)
KINDS = ("all", "2d", "shares")


@dataclass(frozen=True)
class Run:
    """A refinement.

    Parameters
    ----------
    cell : Cell
        Structure and seed.
    picker : str
        Whose picks.
    kind : str
        "all" of them, those of good 2D classes ("2d"), or a share in percent.
    """

    cell: Cell
    picker: str
    kind: str

    def __str__(self) -> str:
        return f"{self.cell.structure.name} seed {self.cell.seed} {self.name}"

    @property
    def name(self) -> str:
        """The name of its folders."""
        return self.picker if self.kind == "all" else f"{self.picker}_{self.kind}"

    @property
    def result(self) -> Path:
        """The file that is written last."""
        return self.cell.folder / "Results" / f"{self.name}.json"


def main() -> None:
    """Do what is missing, then print the table."""
    args = arguments().parse_args()
    if not args.report:
        do_all(args)
    write_report(args.work, args.out, topaz_given=args.topaz is not None)


def do_all(args: argparse.Namespace) -> None:
    """Do the chosen runs that have no result."""
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        raise SystemExit(f"not on PATH: {', '.join(missing)}: install RELION 3.1")
    os.environ["OMP_NUM_THREADS"] = "1"
    chosen = [one for one in STRUCTURES if not args.structures or one.name in args.structures]
    cells = [cell_of(one, seed, args.models, args.work) for seed in args.seeds for one in chosen]
    runs = list(plan(cells, args.pickers, args.kinds))
    for number, run in enumerate(runs, start=1):
        if not run.result.exists():
            print(f"{number} of {len(runs)}: {run}", flush=True)
            attempt(run, args.topaz)


def arguments() -> argparse.ArgumentParser:
    """Return the options of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="folder of all steps")
    parser.add_argument("--topaz", type=lambda name: Path(name).resolve(), help="the program of Topaz")
    parser.add_argument("--structures", nargs="+", choices=[one.name for one in STRUCTURES])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--pickers", nargs="+", choices=PICKERS + DIAGNOSES, default=PICKERS)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="which particles of theirs")
    parser.add_argument("--report", action="store_true", help="only what is finished")
    parser.add_argument("--models", type=Path, default=MODELS, help="folder of the atomic models")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    return parser


def cell_of(structure: Structure, seed: int, models: Path, work: Path) -> Cell:
    """Return the cell of a structure and a seed."""
    found = sorted(models.glob(f"{structure.name}*"))
    if not found:
        raise SystemExit(f"{models}: no atomic model {structure.name}: give another folder with --models")
    return Cell(structure, seed, found[0].resolve(), work.resolve() / structure.name / f"seed{seed}")


def plan(cells: list[Cell], pickers: Sequence[str], kinds: Sequence[str]) -> Iterator[Run]:
    """Yield the runs in order, so that what is finished when it ends is a whole table of its kind."""
    seeds = sorted({cell.seed for cell in cells})
    groups = [[cell for cell in cells if cell.seed == seed] for seed in seeds]
    compared = [picker for picker in ("truth", "cryoseg") if picker in pickers]
    if "all" in kinds:
        yield from (Run(cell, picker, "all") for of_seed in groups for picker in pickers for cell in of_seed)
    if "2d" in kinds:
        yield from (Run(cell, one, "2d") for one in pickers if one != "truth" for cell in groups[0])
    if "shares" in kinds:
        shares = [str(percent) for percent in SHARES_PERCENT]
        yield from (Run(cell, one, share) for cell in groups[0] for share in shares for one in compared)


def attempt(run: Run, topaz: Path | None) -> None:
    """Do a run; say what a program refused, and go on."""
    try:
        do(run, topaz)
    except subprocess.CalledProcessError as error:
        print(f"  {error.cmd[0]} ended with {error.returncode}: see the log in {run.cell.folder}", flush=True)


def do(run: Run, topaz: Path | None) -> None:
    """Do all steps of a run that are not done, and write its result."""
    cell, picker = run.cell, run.picker
    if picker.startswith("topaz") and topaz is None:
        print("  left out: give Topaz's program with --topaz")
        return
    cell.simulate()
    pick(cell, picker, topaz)
    extract(cell, picker)
    if run.kind == "2d":
        select_classes(cell, picker)
    elif run.kind != "all":
        take_share(cell, picker, int(run.kind))
    refine(cell, run.name)
    replace_text(run.result, json.dumps(score_run(cell, run.name)) + "\n")


if __name__ == "__main__":
    main()
