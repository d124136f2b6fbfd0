"""Cost of a long list of micrographs: plan, Continue on a finished job, memory, and the job's own overhead.

    python benchmarks/large.py [--micrographs 2000] [--candidates 300] [--picked 20] [--out FOLDER]

Makes a RELION project of small micrographs (links to one file), stores a finished result of each, and runs
``cryoseg-relion`` on it, which is Continue: with one threshold, with another, and with nothing changed. Then
it picks a few micrographs for real, and compares with the same number of calls of `cryoseg_ext.pick`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import mrcfile
import numpy as np

import cryoseg_ext
from cryoseg_ext.formats.micrographs import MicrographList, read_micrographs
from cryoseg_ext.image.areas import AreaShares
from cryoseg_ext.job.finished import FinishedMicrograph, as_stored, read_finished, write_finished
from cryoseg_ext.job.plan import Planned, plan
from cryoseg_ext.model.file import ModelFile
from cryoseg_ext.model.weights import DEFAULT_MODEL
from cryoseg_ext.options.job import JobOptions
from cryoseg_ext.options.size import ParticleSize
from cryoseg_ext.picks import Picks
from relion_wrapper.host import RelionHost
from relion_wrapper.job import relion_job

Result = TypeVar("Result")
PIXEL_SIZE_A, DIAMETER_A = 4.0, 100.0
SIDE_PX = 256
LINKS_PER_FILE = 10_000
JOB = Path("External/job002")
_COLUMNS = (
    "MicrographName OpticsGroup CtfImage DefocusU DefocusV DefocusAngle CtfFigureOfMerit CtfMaxResolution"
)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--micrographs", type=int, default=2000)
    parser.add_argument("--candidates", type=int, default=300)
    parser.add_argument("--picked", type=int, default=20)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        project = (args.out or Path(scratch)).resolve()
        if not (project / "micrographs.star").exists():
            make_project(project, args.micrographs)
        os.chdir(project)
        listed, _ = timed("read the list", lambda: read_micrographs(["micrographs.star"]))
        planned, seconds = timed("plan", lambda: planned_of(listed))
        print(f"  {1e6 * seconds / len(planned):.0f} us per micrograph")
        first = next(iter(planned.values()))
        stored = read_finished(first.files.candidates)
        if stored is None or not first.is_met_by(stored, any_settings=False):
            timed("store results", lambda: store_results(planned, args.candidates))
        for threshold in ("0.3", "0.5", "0.5"):
            print(f"Continue, --threshold {threshold}: {run('micrographs.star', JOB, threshold)}")
        print(f"review.html: {(JOB / 'review.html').stat().st_size / 1e6:.1f} MB")
        time_overhead(args.picked)


def timed(what: str, do: Callable[[], Result]) -> tuple[Result, float]:
    """Print how many seconds of processor time something takes."""
    start = time.process_time()
    result = do()
    seconds = time.process_time() - start
    print(f"{what}: {seconds:.2f} s")
    return result, seconds


def make_project(folder: Path, n: int) -> None:
    """Write micrographs that are links to a few files, and the STAR file of a CtfFind job."""
    image = np.random.default_rng(0).normal(size=(SIDE_PX, SIDE_PX)).astype(np.float32)
    names = [
        f"MotionCorr/job001/Movies/GridSquare_{i // 500:03d}/FoilHole_{i:06d}_Data.mrc" for i in range(n)
    ]
    for start in range(0, n, LINKS_PER_FILE):
        first = folder / names[start]
        first.parent.mkdir(parents=True, exist_ok=True)
        with mrcfile.new(first, image, overwrite=True) as mrc:
            mrc.voxel_size = PIXEL_SIZE_A
        for name in names[start + 1 : start + LINKS_PER_FILE]:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).hardlink_to(first)
    labels = "".join(f"_rln{label} #{i}\n" for i, label in enumerate(_COLUMNS.split(), start=1))
    rows = "".join(f"{name} 1 {name[:-4]}.ctf:mrc 15000.5 14800.25 12.5 0.15 4.25\n" for name in names)
    (folder / "micrographs.star").write_text(
        "\n# version 50001\n\ndata_optics\n\nloop_\n_rlnOpticsGroupName #1\n_rlnOpticsGroup #2\n"
        "_rlnMicrographPixelSize #3\n_rlnVoltage #4\n_rlnSphericalAberration #5\n_rlnAmplitudeContrast #6\n"
        f"opticsGroup1 1 {PIXEL_SIZE_A} 300 2.7 0.1\n\n"
        f"\n# version 50001\n\ndata_micrographs\n\nloop_\n{labels}{rows}\n"
    )


def planned_of(listed: MicrographList) -> dict[str, Planned]:
    """Plan the job that the command will run."""
    JOB.mkdir(parents=True, exist_ok=True)
    picking = JobOptions(ParticleSize(DIAMETER_A)).picking(DIAMETER_A)
    with relion_job(JOB) as job:
        return plan(listed, RelionHost(job), picking, ModelFile(DEFAULT_MODEL).digest, (), print)


def store_results(planned: dict[str, Planned], n_candidates: int) -> None:
    """Write a finished result of each micrograph."""
    rng = np.random.default_rng(1)
    areas = AreaShares(0.05, 0.01, 0.0, 0.0)
    for one in planned.values():
        score = np.sort(rng.beta(0.5, 0.5, n_candidates))[::-1]
        x_px, y_px = rng.uniform(0, SIDE_PX, (2, n_candidates))
        candidates = as_stored(Picks(x_px, y_px, np.maximum(score, 0.02)))
        result = FinishedMicrograph(
            one.key(one.stamp), 0.35, candidates, areas, (SIDE_PX, SIDE_PX), PIXEL_SIZE_A
        )
        write_finished(one.files.candidates, result)


def run(star: str, job: Path, threshold: str = "0.5") -> str:
    """Run the command, and return its time and memory in words."""
    arguments = ["--in_mics", star, "--o", f"{job}/", "--particle_diameter", f"{DIAMETER_A:g}", "--j", "1"]
    arguments += ["--threshold", threshold]
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "relion_wrapper", *arguments], stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    assert status == 0
    processor = used.ru_utime + used.ru_stime
    return f"{wall:.1f} s wall, {processor:.1f} s of processor time, {used.ru_maxrss / 1024:.0f} MB"


def time_overhead(n: int) -> None:
    """Print what the job adds to each micrograph that it picks."""
    lines = Path("micrographs.star").read_text().splitlines(keepends=True)
    rows = [line for line in lines if line.startswith("MotionCorr")][: 2 * n]
    head = "".join(line for line in lines if not line.startswith("MotionCorr"))
    for count, job in ((n, Path("External/job003")), (2 * n, Path("External/job004"))):
        Path("picked.star").write_text(head.rstrip() + "\n" + "".join(rows[:count]))
        shutil.rmtree(job, ignore_errors=True)
        print(f"{count} picked: {run('picked.star', job)}")
    model = cryoseg_ext.load_model()
    for row in rows[:2]:
        cryoseg_ext.pick(row.split()[0], particle_diameter_A=DIAMETER_A, model=model)
    start = time.process_time()
    for row in rows[:n]:
        cryoseg_ext.pick(row.split()[0], particle_diameter_A=DIAMETER_A, model=model)
    print(f"cryoseg_ext.pick alone: {(time.process_time() - start) / n:.3f} s per micrograph")


if __name__ == "__main__":
    main()
