"""Where the time of a job goes, and how it compares with RELION's LoG picker.

    python benchmarks/stages.py [--size 4096] [--micrographs 10] [--repeat 5] [--out FOLDER]

Simulates micrographs of one size, and measures in this order: the stages of one micrograph on one thread;
whole jobs in turn: ``cryoseg-relion`` with one and with two workers, and RELION's LoG picker with two
processes, where it is installed; the memory of the job and of each worker; a K3 super-resolution field; and
a GPU, where there is one. Prints tables and writes ``stages.json``. Needs about 2 GB below the temporary
folder.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import mrcfile
import numpy as np
import torch
from measuring import peak_memory_of, seconds_of

from cryoseg_ext.crf.refinement import refine_maps
from cryoseg_ext.extract.candidates import Maps
from cryoseg_ext.extract.extraction import extract
from cryoseg_ext.image.mottle import crystalline_ice
from cryoseg_ext.image.reading import read_micrograph
from cryoseg_ext.image.repair import repair
from cryoseg_ext.image.scale import to_working_scale
from cryoseg_ext.model.checkpoint import load_model
from cryoseg_ext.model.inference import run_network
from cryoseg_ext.options.extraction import ExtractionOptions
from cryoseg_ext.pipeline import PickedMicrograph
from cryoseg_ext.processes import use_threads
from cryoseg_ext.report.preview import make_preview
from cryoseg_ext.simulation import draw_conditions, draw_specimen, simulate_micrograph

PIXEL_SIZE_A, DIAMETER_A = 1.77, 190.0
SUPER_SHAPE, SUPER_PIXEL_A, SUPER_DIAMETER_A = (8184, 11520), 0.42, 200.0
N_DIFFERENT = 3
LOG = ("mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "2", "relion_autopick_mpi")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--micrographs", type=int, default=10)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        project = make_project(Path(scratch), args.size, args.micrographs)
        results: dict[str, object] = {"size_px": args.size, "micrographs": args.micrographs}
        results["stages_s"] = stages = time_stages(project / "mic1.mrc", args.repeat, "cpu")
        print(f"One {args.size} x {args.size} micrograph on one thread (medians of {args.repeat}):")
        print_stages(stages)
        results["jobs"] = jobs = time_jobs(project, max(3, args.repeat // 2))
        print_jobs(jobs, args.micrographs)
        results["super_resolution"] = large = time_super_resolution(Path(scratch))
        print(
            f"K3 super-resolution field, whole job: {large['s']:.1f} s, {large['memory_GB']:.2f} GB in all "
            "processes"
        )
        if torch.cuda.is_available():
            results["gpu_stages_s"] = on_gpu = time_stages(project / "mic1.mrc", args.repeat, "cuda")
            print(f"The same on {torch.cuda.get_device_name()}, with one reader:")
            print_stages(on_gpu)
        else:
            print("GPU: not measured, there is none")
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "stages.json").write_text(json.dumps(results, indent=1) + "\n")


def make_project(folder: Path, size: int, n: int) -> Path:
    """Write a few simulated micrographs, copies of them, and the STAR file of a job."""
    rng = np.random.default_rng(0)
    specimen = draw_specimen(rng, "symmetric")
    for number in range(1, n + 1):
        path = folder / f"mic{number}.mrc"
        if number > N_DIFFERENT:
            shutil.copy(folder / f"mic{(number - 1) % N_DIFFERENT + 1}.mrc", path)
            continue
        conditions = draw_conditions(rng)
        simulated = simulate_micrograph(rng, (size, size), PIXEL_SIZE_A, specimen, 170.0, conditions)
        write(path, simulated.image, PIXEL_SIZE_A)
    write_list(folder / "micrographs.star", [f"mic{number}.mrc" for number in range(1, n + 1)], PIXEL_SIZE_A)
    return folder


def write(path: Path, image: np.ndarray, pixel_size_A: float) -> None:
    """Write a micrograph as MRC."""
    with mrcfile.new(path, image, overwrite=True) as mrc:
        mrc.voxel_size = pixel_size_A


def write_list(path: Path, names: Sequence[str], pixel_size_A: float) -> None:
    """Write a micrographs STAR file."""
    path.write_text(
        "data_optics\n\nloop_\n_rlnOpticsGroup #1\n_rlnOpticsGroupName #2\n_rlnMicrographPixelSize #3\n"
        "_rlnVoltage #4\n_rlnSphericalAberration #5\n_rlnAmplitudeContrast #6\n"
        f"1 opticsGroup1 {pixel_size_A} 300 2.7 0.1\n\n"
        "data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnOpticsGroup #2\n"
        + "".join(f"{name} 1\n" for name in names)
    )


def time_stages(path: Path, repeat: int, device: str) -> dict[str, float]:
    """Return the median seconds of each stage on one thread, without the first time, which warms up."""
    use_threads(1)
    model = load_model(device=device)
    seconds: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def timed(stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        seconds[stage].append(time.perf_counter() - start)

    for _ in range(repeat + 1):
        with timed("read"):
            micrograph = read_micrograph(path)
        with timed("repair"):
            repaired = repair(micrograph.image)
        with timed("scale"):
            working = to_working_scale(repaired, PIXEL_SIZE_A, DIAMETER_A)
        with timed("network"):
            output = run_network(working.image, model)
        with timed("CRF"):
            refined = refine_maps(
                output.particle_logit, output.centre, working.image, working.diameter_px, model.crf, device
            )
        with timed("ice"):
            dirt = output.contaminant >= 0.5
            clear = working.valid & (refined.particle < 0.5) & ~dirt
            ice = crystalline_ice(working.image, clear, working.diameter_px)
        with timed("extract"):
            maps = Maps(working.image, refined.centre, refined.particle, output.contaminant, ice)
            picks = extract(maps, working, DIAMETER_A, model.calibration, ExtractionOptions())
        with timed("areas"):
            picked = PickedMicrograph(picks, working, refined.particle, output.particle_logit, dirt, ice)
            assert picked.areas.usable <= 1
        with timed("preview"):
            make_preview(working.image, picked.mask, working.source_shape, dirt)
    return {stage: statistics.median(values[1:]) for stage, values in seconds.items()}


def print_stages(stages: dict[str, float]) -> None:
    """Print the seconds of each stage, its share, and the sum."""
    total = sum(stages.values())
    for name, seconds in stages.items():
        print(f"  {name:8s} {seconds:6.3f} s  {100 * seconds / total:5.1f} %")
    print(f"  {'sum':8s} {total:6.3f} s")


def time_jobs(project: Path, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Return wall seconds and memory of whole jobs, each kind in turn in every round.

    The kinds are ``LoG``, ``j1`` and ``j2``, and the jobs ``j1 start`` and ``j2 start`` of one micrograph
    for each worker, from which follows what a further one costs.
    """
    write_list(project / "one.star", ["mic1.mrc"], PIXEL_SIZE_A)
    write_list(project / "two.star", ["mic1.mrc", "mic2.mrc"], PIXEL_SIZE_A)
    kinds: dict[str, Callable[[], list[str]]] = {
        "j2": lambda: picking("micrographs.star", 2),
        "j1": lambda: picking("micrographs.star", 1),
        "j2 start": lambda: picking("two.star", 2),
        "j1 start": lambda: picking("one.star", 1),
    }
    if shutil.which("relion_autopick_mpi"):
        kinds = {"LoG": lambda: log_picker("micrographs.star"), **kinds}
    found: dict[str, dict[str, list[float]]] = {kind: defaultdict(list) for kind in kinds}
    for number in range(rounds + 1):
        for kind, command in kinds.items():
            make_job_folder(project)
            if number < rounds:
                found[kind]["s"].append(seconds_of(command(), project))
            else:
                found[kind]["memory_GB"].append(peak_memory_of(command(), project))
    return found


def make_job_folder(project: Path) -> None:
    """Make an empty folder for a job."""
    shutil.rmtree(project / "External", ignore_errors=True)
    (project / "External/job002").mkdir(parents=True)


def picking(listed: str, workers: int) -> list[str]:
    """Return the command of a picking job."""
    command = [sys.executable, "-m", "relion_wrapper", "--in_mics", listed, "--o", "External/job002/"]
    return [*command, "--particle_diameter", f"{DIAMETER_A:g}", "--j", f"{workers}"]


def log_picker(listed: str) -> list[str]:
    """Return the command of RELION's LoG picker."""
    # As its GUI runs it.
    options = ["--LoG", "--LoG_diam_min", "130", "--LoG_diam_max", f"{DIAMETER_A:g}", "--shrink", "0"]
    options += ["--lowpass", "20", "--LoG_adjust_threshold", "0"]
    return [*LOG, "--i", listed, "--odir", "External/job002/", "--pickname", "autopick", *options]


def print_jobs(jobs: dict[str, dict[str, list[float]]], n: int) -> None:
    """Print the medians of the jobs, and what follows from them."""
    seconds = {kind: statistics.median(values["s"]) for kind, values in jobs.items()}
    memory_GB = {kind: statistics.median(values["memory_GB"]) for kind, values in jobs.items()}
    rounds = len(jobs["j2"]["s"])
    print(f"Whole jobs of {n}, in turn (medians of {rounds}):")
    for kind in ("LoG", "j1", "j2"):
        if kind in seconds:
            print(f"  {kind:4s} {seconds[kind]:6.2f} s, {memory_GB[kind]:.2f} GB in all processes")
    if "LoG" in seconds:
        ratios = [ours / theirs for ours, theirs in zip(jobs["j2"]["s"], jobs["LoG"]["s"], strict=True)]
        print(f"  j2 / LoG, in each round: {', '.join(f'{ratio:.2f}' for ratio in sorted(ratios))}")
    each = {
        "j1": (seconds["j1"] - seconds["j1 start"]) / (n - 1),
        "j2": (seconds["j2"] - seconds["j2 start"]) / (n - 2),
    }
    print(f"  each further micrograph: {each['j1']:.3f} s with one worker, {each['j2']:.3f} s with two")
    print(f"  so two workers pick {each['j1'] / each['j2']:.2f} times as fast as one, without the start")
    print(f"  memory of the second worker: {memory_GB['j2'] - memory_GB['j1']:.2f} GB")


def time_super_resolution(folder: Path) -> dict[str, float]:
    """Return wall seconds and memory of a job of one large field, told its pixel size by its list."""
    rng = np.random.default_rng(1)
    image = rng.normal(size=SUPER_SHAPE).astype(np.float32)
    y, x = (np.arange(n, dtype=np.float32) for n in SUPER_SHAPE)
    width_px = SUPER_DIAMETER_A / SUPER_PIXEL_A / 4
    for centre_y, centre_x in rng.uniform(600, np.array(SUPER_SHAPE) - 600, (60, 2)):
        near_y, near_x = (
            np.abs(axis - centre) < 4 * width_px for axis, centre in ((y, centre_y), (x, centre_x))
        )
        square = np.hypot(y[near_y, None] - centre_y, x[None, near_x] - centre_x) / width_px
        image[np.ix_(near_y, near_x)] -= np.exp(-(square**2) / 2)
    write(folder / "super.mrc", image, SUPER_PIXEL_A)
    write_list(folder / "super.star", ["super.mrc"], SUPER_PIXEL_A)
    command = picking("super.star", 2)
    command[command.index("--particle_diameter") + 1] = f"{SUPER_DIAMETER_A:g}"
    seconds = []
    for _ in range(3):
        make_job_folder(folder)
        seconds.append(seconds_of(command, folder))
    make_job_folder(folder)
    return {"s": statistics.median(seconds), "memory_GB": peak_memory_of(command, folder)}


if __name__ == "__main__":
    main()
