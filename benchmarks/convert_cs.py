"""Time and peak memory of ``cryoseg convert`` for a .cs file of two million particles.

    python benchmarks/convert_cs.py [--particles 2000000] [--micrographs 5000]

Converts it to RELION's coordinate files, to one particles STAR file, and that back to CryoSPARC; each in a
process of its own. The bars are 60 s and 4 GB. Writes ``convert_cs.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import yaml
from cryosparc.dataset import Dataset

SHAPE = (4092, 5760)
PIXEL_SIZE_A = 1.06


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--particles", type=int, default=2_000_000)
    parser.add_argument("--micrographs", type=int, default=5000)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    args = parser.parse_args()
    results: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_exposures(folder / "exposures.csg", args.micrographs)
        write_particles(folder / "particles.cs", args.particles, args.micrographs)
        for title, arguments in {
            "to coordinate files": ("particles.cs", "picks"),
            "to one STAR file": ("particles.cs", "particles.star"),
            "back to CryoSPARC": ("particles.star", "back.csg", "--micrographs", "exposures.csg"),
        }.items():
            results[title] = run(arguments, folder)
            wall_s, cpu_s, memory_GB = results[title].values()
            print(f"{title:20s} {wall_s:6.1f} s ({cpu_s:.1f} s of processor time)  {memory_GB:5.2f} GB")
    args.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"particles": args.particles, **results}, indent=1)
    (args.out / "convert_cs.json").write_text(f"{text}\n", encoding="utf-8")


def write_exposures(path: Path, n: int) -> None:
    """Write a group of exposures, named as patch motion correction names them."""
    Dataset(
        {
            "uid": np.arange(1, n + 1, dtype=np.uint64),
            "micrograph_blob/path": [micrograph(index) for index in range(n)],
            "micrograph_blob/shape": np.tile(np.array(SHAPE, np.uint32), (n, 1)),
            "micrograph_blob/psize_A": np.full(n, PIXEL_SIZE_A, np.float32),
        }
    ).save(path.with_suffix(".cs"))
    results = {"micrograph_blob": {"metafile": f">{path.stem}.cs"}}
    path.write_text(yaml.safe_dump({"results": results, "version": "v5.0.3"}), encoding="utf-8")


def write_particles(path: Path, n: int, n_micrographs: int) -> None:
    """Write particles with the columns of picked and extracted ones."""
    rng = np.random.default_rng(1)
    index = np.sort(rng.integers(0, n_micrographs, n))
    names = np.array([micrograph(one) for one in range(n_micrographs)], dtype=object)
    Dataset(
        {
            "uid": np.arange(1, n + 1, dtype=np.uint64),
            "blob/path": names[index],
            "blob/idx": np.arange(n, dtype=np.uint32),
            "location/micrograph_uid": (index + 1).astype(np.uint64),
            "location/exp_group_id": np.ones(n, np.uint32),
            "location/micrograph_path": names[index],
            "location/micrograph_shape": np.tile(np.array(SHAPE, np.uint32), (n, 1)),
            "location/micrograph_psize_A": np.full(n, PIXEL_SIZE_A, np.float32),
            "location/center_x_frac": rng.random(n, np.float32),
            "location/center_y_frac": rng.random(n, np.float32),
            "pick_stats/ncc_score": rng.random(n, np.float32),
            "pick_stats/power": rng.random(n, np.float32),
        }
    ).save(path)


def micrograph(index: int) -> str:
    """Return the path of a micrograph in the project."""
    return f"J5/motioncorrected/{10**20 + index:021d}_FoilHole_{index:06d}_patch_aligned_doseweighted.mrc"


def run(arguments: tuple[str, ...], folder: Path) -> dict[str, float]:
    """Run ``cryoseg convert`` and return its wall time and peak memory."""
    command = [sys.executable, "-c", "from cryoseg_ext.cli import main; main()", "convert", *arguments]
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"cryoseg convert {' '.join(arguments)} failed")
    cpu_s = usage.ru_utime + usage.ru_stime
    return {"wall_s": time.perf_counter() - start, "cpu_s": cpu_s, "memory_GB": usage.ru_maxrss / 2**20}


if __name__ == "__main__":
    main()
