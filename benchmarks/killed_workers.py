"""Kills workers of a job, and the job, at random moments, and compares its results with an undisturbed job's.

    python benchmarks/killed_workers.py [--micrographs 200] [--kills 20] [--j 2] [--seed 1]

Every third kill is that of the job, which is then started again; the others are of a process below it. Every
file in the folder of the job must have the same bytes at the end.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import mrcfile
import numpy as np
from measuring import family

from cryoseg_ext.simulation import draw_conditions, draw_specimen, simulate_micrograph

PIXEL_SIZE_A, DIAMETER_A, SHAPE = 5.0, 120.0, (256, 256)
N_DIFFERENT = 10
JOB_EVERY = 3


def main() -> None:
    """Run the jobs and say what differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--micrographs", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--j", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        make_micrographs(folder / "in", args.micrographs)
        start = time.perf_counter()
        if job(folder, args.j).wait():
            sys.exit("the undisturbed job failed")
        seconds = time.perf_counter() - start
        print(f"undisturbed: {seconds:.1f} s for {args.micrographs} micrographs")
        (folder / "picks").rename(folder / "expected")
        n_jobs = disturb(folder, args.j, args.kills, seconds, random.Random(args.seed))
        before, after = (contents(folder / name) for name in ("expected", "picks"))
        differing = sorted(
            name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
        )
        print(
            f"{args.kills} kills, {n_jobs} of them of the job: {len(differing)} of {len(before)} files differ"
        )
        for name in differing[:20]:
            print(f"  {name}")
        sys.exit(bool(differing))


def make_micrographs(folder: Path, n: int) -> None:
    """Write a few simulated micrographs, again and again."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    specimen = draw_specimen(rng, "symmetric")
    images = [
        simulate_micrograph(rng, SHAPE, PIXEL_SIZE_A, specimen, DIAMETER_A, draw_conditions(rng)).image
        for _ in range(N_DIFFERENT)
    ]
    for number in range(n):
        with mrcfile.new(folder / f"{number:04d}.mrc", images[number % N_DIFFERENT]) as mrc:
            mrc.voxel_size = PIXEL_SIZE_A


def job(folder: Path, workers: int) -> subprocess.Popen[bytes]:
    """Start the job."""
    command = [
        sys.executable,
        "-c",
        "from cryoseg_ext.cli import main; main()",
        "pick",
        "in",
        "--out",
        "picks",
    ]
    command += ["--particle_diameter", f"{DIAMETER_A:g}", "--masks", "--j", f"{workers}"]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def disturb(folder: Path, workers: int, kills: int, seconds: float, rng: random.Random) -> int:
    """Run the job to its end with kills in between, and return how many were of the job itself."""
    running, n_jobs = job(folder, workers), 0
    for kill in range(kills):
        # Spread over the whole job, with the start of those that are killed.
        time.sleep(rng.uniform(0, 2 * seconds / kills))
        if kill % JOB_EVERY == 0 and running.poll() is None:
            running.kill()
            n_jobs += 1
        elif below := family(running.pid)[1:]:
            os.kill(rng.choice(below), signal.SIGKILL)
        if running.poll() is not None or kill % JOB_EVERY == 0:
            running.wait()
            running = job(folder, workers)
    if running.wait():
        running = job(folder, workers)
        running.wait()
    return n_jobs


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


if __name__ == "__main__":
    main()
