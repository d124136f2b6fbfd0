"""Time of the CRF at the working scale of a 4096 x 4096 micrograph, beside pydensecrf in the same run.

    python benchmarks/crf_cost.py [--model FILE] [--size 950] [--threads 2]

Prints the median seconds on random maps of that size, which are the worst case for the grid, and writes
``crf_cost.json``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cryoseg_ext.crf.refinement import refine_maps
from cryoseg_ext.extract.candidates import Maps, Points, candidates_at
from cryoseg_ext.extract.score import Calibration
from cryoseg_ext.image.scale import WORKING_DIAMETER_PX
from cryoseg_ext.model.checkpoint import load_model
from cryoseg_ext.options.crf import MILD_POTTS, CrfOptions

REPEAT = 7
CANDIDATES = 1500
"""More than most micrographs have."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path)
    parser.add_argument("--size", type=int, default=950)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/crf_cost.json"))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rng = np.random.default_rng(0)
    logit, micrograph = rng.normal(size=(2, args.size, args.size)).astype(np.float32)
    centre = rng.random(logit.shape, dtype=np.float32)
    model = load_model(args.model)
    models = {
        "the model's, maps": model.crf,
        "Potts, grid": CrfOptions(mask=MILD_POTTS),
        "Potts, window": CrfOptions(mask=MILD_POTTS, filter="window"),
    }
    maps = Maps(micrograph, centre, centre, centre, centre > 0.5)
    points = rng.uniform(0, args.size, size=(2, CANDIDATES))
    rows = {
        "pydensecrf, Potts": seconds(lambda: pydensecrf(logit, micrograph)),
        "the model's, candidates": seconds(lambda: joined((points[0], points[1]), maps, model.calibration)),
    }
    for name, crf in models.items():
        rows[name] = seconds(lambda: refine_maps(logit, centre, micrograph, WORKING_DIAMETER_PX, crf))
    for name, value in rows.items():
        print(f"{name:24s} {value:7.3f} s")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps({"size_px": args.size, "seconds": rows}, indent=1) + "\n")


def seconds(run: Callable[[], Any]) -> float:
    """Return the median of several runs."""
    times = []
    for _ in range(REPEAT):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def joined(points: Points, maps: Maps, calibration: Calibration) -> NDArray[np.float64]:
    """Run the model's field over candidates, their profiles included."""
    return calibration(candidates_at(points, maps))


def pydensecrf(logit: NDArray[np.float32], micrograph: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run the same Potts model with pydensecrf."""
    from pydensecrf.densecrf import DenseCRF2D

    height, width = logit.shape
    crf = DenseCRF2D(width, height, 2)
    crf.setUnaryEnergy(np.stack([np.zeros(logit.size, np.float32), -logit.ravel()]))
    grey = np.clip(127 + 20 * micrograph, 0, 255).astype(np.uint8)
    smooth, bilateral = (kernel.sigma * WORKING_DIAMETER_PX for kernel in MILD_POTTS.kernels)
    crf.addPairwiseGaussian(sxy=smooth, compat=0.4)
    rgb = np.ascontiguousarray(np.repeat(grey[..., None], 3, axis=2))
    crf.addPairwiseBilateral(sxy=bilateral, srgb=30, rgbim=rgb, compat=0.4)
    return np.asarray(crf.inference(3))[1].reshape(logit.shape)


if __name__ == "__main__":
    main()
