"""Pick the shared real micrographs with the real command and score them as the project is judged.

    python benchmarks/real_micrographs.py [--model FILE] [--scale 0.8 1.0 1.2] [--no_crf]
        [--precision int8] [--out FOLDER]

Needs the folder ``../shared`` of the project's workplace (real micrographs, expert picks and the scorer);
says so and stops when it is not there.  Prints a table and writes ``real_micrographs.json``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import product
from pathlib import Path

SHARED = Path(__file__).resolve().parents[2] / "shared"


@dataclass(frozen=True)
class RealSet:
    """A folder of the shared data with its scoring protocol; the truth is `coordinates` or a consensus."""

    name: str
    particle_diameter_A: float
    scored_diameter_px: float
    inside: tuple[int, ...] = ()
    consensus: Path | None = None

    @property
    def folder(self) -> str:
        """Name of the folder."""
        return "-".join(self.name.split("-")[:2])


INSIDE_10017 = (121, 121, 3975, 3975)
SETS = (
    RealSet("empiar-10017", 190, 108, INSIDE_10017),
    RealSet("empiar-10017-consensus", 190, 108, INSIDE_10017, SHARED / "data" / "empiar-10017" / "consensus"),
    RealSet("empiar-10146", 125, 60),
)


def main() -> None:
    """Run and score every set at every scale of the stated diameter."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path)
    parser.add_argument("--scale", type=float, nargs="+", default=[1.0])
    parser.add_argument("--precision", nargs="+", default=["auto"])
    parser.add_argument("--no_crf", action="store_true", help="the network alone")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    args = parser.parse_args()
    if not SHARED.is_dir():
        sys.exit(
            f"{SHARED} is not there: this benchmark scores real micrographs that are kept outside the repo"
        )
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        unpack(Path(scratch))
        print("set                    numbers   stated Å  best F1    at     AP default F1  s/mic")
        for real_set in SETS:
            for scale, precision in product(args.scale, args.precision):
                options = ["--precision", precision, *(["--no_crf", "Yes"] if args.no_crf else [])]
                row = run_set(real_set, scale, Path(scratch) / real_set.folder, args.model, options)
                rows.append(row)
                print(
                    f"{row['set']:22s} {precision:9s} {row['particle_diameter_A']:8.0f} "
                    f"{row['best_f1']:8.4f} {row['best_threshold']:5.2f} {row['average_precision']:6.4f} "
                    f"{row['default_f1']:10.4f} "
                    f"{row['seconds_per_micrograph']:6.2f}",
                    flush=True,
                )
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "real_micrographs.json").write_text(json.dumps(rows, indent=1) + "\n")


def unpack(folder: Path, *datasets: str) -> None:
    """Write the shared real data to a folder: those data sets, or all, each as a RELION project."""
    command = [sys.executable, str(SHARED / "data" / "unpack.py"), str(folder)]
    command += ["--datasets", *datasets] if datasets else []
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def run_set(
    real_set: RealSet, scale: float, project: Path, model: Path | None, options: list[str]
) -> dict[str, object]:
    """Return the scores of all candidates and of the picks at the default threshold."""
    diameter_A = real_set.particle_diameter_A * scale
    # One folder for both: the second run finds its candidates there and only applies the threshold.
    job = f"External/job{round(1000 * scale):04d}_{'_'.join(options).replace('-', '')}/"
    start = time.perf_counter()
    pick(project, job, diameter_A, model, "--threshold", "0.02", *options)
    seconds = time.perf_counter() - start
    everything = score(project, job, real_set)
    pick(project, job, diameter_A, model, *options)
    default = score(project, job, real_set)
    return {
        "set": real_set.name,
        "options": options,
        "particle_diameter_A": diameter_A,
        "best_f1": everything["best_f1"],
        "best_threshold": everything["best_threshold"],
        "average_precision": everything["average_precision"],
        "default_f1": default["fixed"]["f1"],
        "seconds_per_micrograph": seconds / len(list((project / "Micrographs").iterdir())),
    }


def pick(project: Path, job: str, diameter_A: float, model: Path | None, *options: str) -> None:
    """Run ``cryoseg-relion`` in `project`."""
    command = [sys.executable, "-m", "relion_wrapper", "--o", job, "--in_mics", "micrographs.star"]
    command += ["--particle_diameter", f"{diameter_A:g}", "--j", "2", *options]
    command += ["--model", str(model.resolve())] if model else []
    for exit_file in (project / job).glob("RELION_JOB_EXIT_*"):
        exit_file.unlink()
    subprocess.run(command, cwd=project, check=True, stdout=subprocess.DEVNULL)


def score(project: Path, job: str, real_set: RealSet) -> dict[str, dict[str, float]]:
    """Return what the judges' scorer says at a match distance of 0.3 diameters."""
    report = project / "report.json"
    command = [
        sys.executable,
        str(SHARED / "score_picks.py"),
        "--truth",
        str(real_set.consensus or "coordinates"),
    ]
    command += ["--picks", job, "--ignore-extra"]
    command += ["--diameter", str(real_set.scored_diameter_px), "--match", "0.3", "--json", report.name]
    if real_set.inside:
        command += ["--inside", *map(str, real_set.inside)]
    subprocess.run(command, cwd=project, check=True, stdout=subprocess.DEVNULL)
    return json.loads(report.read_text())["0.3"]


if __name__ == "__main__":
    main()
