"""Time of each stage and peak memory for one 4096 x 4096 micrograph on two threads.

    python benchmarks/stages.py [--size 4096] [--repeat 5]

Prints the median of each stage and its share, the wall time of whole ``cryoseg-relion --j 2`` runs per
micrograph, and the job's peak memory; writes ``stages.json``.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mrcfile
import numpy as np

from cryoseg_ext.crf.refinement import refine_maps
from cryoseg_ext.extract.candidates import Maps
from cryoseg_ext.extract.peaks import find_candidates
from cryoseg_ext.extract.selection import extract_picks
from cryoseg_ext.image.reading import read_micrograph
from cryoseg_ext.image.repair import repair
from cryoseg_ext.image.scale import to_working_scale
from cryoseg_ext.model.checkpoint import load_model
from cryoseg_ext.model.inference import run_network
from cryoseg_ext.processes import use_threads
from cryoseg_ext.simulation import draw_conditions, draw_specimen, simulate_micrograph

PIXEL_SIZE_A, DIAMETER_A = 1.77, 190.0
N_MICROGRAPHS = 6


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    args = parser.parse_args()
    use_threads(2)
    with tempfile.TemporaryDirectory() as scratch:
        project = make_project(Path(scratch), args.size)
        stages = time_stages(project / "mic1.mrc", args.repeat)
        total = sum(stages.values())
        for name, seconds in stages.items():
            print(f"{name:12s} {seconds:6.3f} s  {100 * seconds / total:5.1f} %")
        wall = time_job(project)
    memory_GB = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"{'sum':12s} {total:6.3f} s")
    print(
        f"cryoseg-relion --j 2: {wall:.2f} s per micrograph ({N_MICROGRAPHS} in a job, everything included)"
    )
    print(f"peak memory of the job: {memory_GB:.2f} GB")
    args.out.mkdir(parents=True, exist_ok=True)
    results = {
        "stages_s": stages,
        "job_s_per_micrograph": wall,
        "peak_memory_GB": memory_GB,
        "size_px": args.size,
    }
    (args.out / "stages.json").write_text(json.dumps(results, indent=1) + "\n")


def make_project(folder: Path, size: int) -> Path:
    """Write one simulated micrograph, links to it, and the STAR file of a job."""
    rng = np.random.default_rng(0)
    simulated = simulate_micrograph(
        rng, (size, size), PIXEL_SIZE_A, draw_specimen(rng, "symmetric"), 170.0, draw_conditions(rng)
    )
    with mrcfile.new(folder / "mic1.mrc", simulated.image) as mrc:
        mrc.voxel_size = PIXEL_SIZE_A
    for index in range(2, N_MICROGRAPHS + 1):
        (folder / f"mic{index}.mrc").symlink_to("mic1.mrc")
    rows = "".join(f"mic{index}.mrc 1\n" for index in range(1, N_MICROGRAPHS + 1))
    (folder / "micrographs.star").write_text(
        "data_optics\n\nloop_\n_rlnOpticsGroup #1\n_rlnOpticsGroupName #2\n_rlnMicrographPixelSize #3\n"
        "_rlnVoltage #4\n_rlnSphericalAberration #5\n_rlnAmplitudeContrast #6\n"
        f"1 opticsGroup1 {PIXEL_SIZE_A} 300 2.7 0.1\n\n"
        "data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnOpticsGroup #2\n" + rows
    )
    return folder


def time_stages(path: Path, repeat: int) -> dict[str, float]:
    """Return the median seconds of each stage."""
    model = load_model()
    seconds: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def timed(stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        seconds[stage].append(time.perf_counter() - start)

    for _ in range(repeat):
        with timed("read"):
            micrograph = read_micrograph(path)
        with timed("repair"):
            repaired = repair(micrograph.image)
        with timed("normalise"):
            working = to_working_scale(repaired, PIXEL_SIZE_A, DIAMETER_A)
        with timed("segment"):
            output = run_network(working.image, model)
        with timed("CRF"):
            refined = refine_maps(
                output.particle_logit, output.centre, working.image, working.diameter_px, model.crf
            )
        with timed("extract"):
            candidates = find_candidates(
                Maps(working.image, refined.centre, refined.particle, output.contaminant)
            )
            extract_picks(candidates, working, model.calibration)
    return {stage: statistics.median(values) for stage, values in seconds.items()}


def time_job(project: Path) -> float:
    """Return the wall seconds per micrograph of a whole job, start-up and PDF included."""
    command = [
        sys.executable,
        "-m",
        "relion_wrapper",
        "--in_mics",
        "micrographs.star",
        "--o",
        "External/job002/",
    ]
    start = time.perf_counter()
    subprocess.run(
        [*command, "--particle_diameter", f"{DIAMETER_A:g}", "--j", "2"],
        cwd=project, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return (time.perf_counter() - start) / N_MICROGRAPHS


if __name__ == "__main__":
    main()
