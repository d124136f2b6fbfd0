"""How many particles could be found at all: a matched filter that knows the molecule and the noise.

    python benchmarks/matched_filter.py [--structures 1u19] [--micrographs 4] [--model FILE]

The micrographs of ``held_out_structures.py`` without contaminants. The filter is told what no picker knows:
the molecule, the contrast transfer, its strength and the spectrum of the noise. At each pixel it sums the
likelihood ratio of a particle there over all poses, which is the best that can be done for a single particle
in Gaussian noise (Neyman-Pearson; Sigworth 2004 for micrographs). Its maxima, half a diameter apart, are
its picks. Prints best F1 and average precision of it and of the model; writes ``matched_filter.json``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from held_out_structures import (
    DIAMETER_PX,
    HELD_OUT,
    MATCH_DIAMETERS,
    STRUCTURES,
    Picked,
    pick_simulated,
    sessions,
)
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2
from scipy.ndimage import maximum_filter
from scipy.spatial.transform import Rotation
from torch_fourier_rescale import fourier_rescale_2d

from cryoseg_ext.arrays import FloatArray, Image
from cryoseg_ext.evaluation import score_picks
from cryoseg_ext.model.checkpoint import load_model
from cryoseg_ext.picks import Picks
from cryoseg_ext.simulation.placement import project
from cryoseg_ext.simulation.session import SessionOptions

COARSE_PX = 24.0
"""The filter works on pixels of this fraction of the diameter, as the network does."""
COARSER = DIAMETER_PX / COARSE_PX
STEP_DEG = 18.0
"""Degrees between neighbouring poses; --step tries another."""
APART_DIAMETERS = 0.5

Spectrum = NDArray[np.complexfloating]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path)
    parser.add_argument("--structures", nargs="+", choices=HELD_OUT, default=["1u19"])
    parser.add_argument("--micrographs", type=int, default=4)
    parser.add_argument("--step", type=float, default=STEP_DEG, help="degrees between poses")
    parser.add_argument("--size", type=int, default=1536, help="width and height in pixels")
    parser.add_argument("--models", type=Path, default=STRUCTURES, help="folder of the atomic models")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    model, every = load_model(args.model), sessions(SessionOptions(shape=(args.size, args.size)), args.models)
    rows = {}
    for name in args.structures:
        picked = [pick_simulated(every[name], k, False, model) for k in range(args.micrographs)]
        radius_px = MATCH_DIAMETERS * DIAMETER_PX
        filtered = [(one.truth_xy_px, matched(one, args.step)) for one in picked]
        limit = score_picks(filtered, radius_px)
        ours = score_picks([(one.truth_xy_px, one.candidates) for one in picked], radius_px)
        rows[name] = {
            "filter_best_f1": limit.best_f1,
            "filter_ap": limit.average_precision,
            "best_f1": ours.best_f1,
            "ap": ours.average_precision,
        }
        print(name, "  ".join(f"{label} {value:.3f}" for label, value in rows[name].items()), flush=True)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "matched_filter.json").write_text(json.dumps(rows, indent=1) + "\n")


def matched(one: Picked, step_deg: float) -> Picks:
    """Return the picks of the filter on a micrograph, scored by the logarithm of the likelihood ratio."""
    image, clean = (coarser(field) for field in (one.simulated.image, one.simulated.clean))
    density = bare(one, len(image))
    transfer = ring_ratio(rfft2(clean) * rfft2(density).conj(), np.abs(rfft2(density)) ** 2, len(image))
    # Of the grey values less the signal nothing but the noise is left.
    noise = np.abs(rfft2(image - clean)) ** 2
    power = ring_ratio(noise, np.ones_like(noise), len(image))
    evidence = log_likelihood_ratio(rfft2(image), transfer, power, one, step_deg)
    reach = int(APART_DIAMETERS * COARSE_PX)
    rows, columns = np.nonzero(evidence == maximum_filter(evidence, 2 * reach + 1))
    x_px, y_px = (at.astype(np.float64) * COARSER for at in (columns, rows))
    return Picks(x_px, y_px, evidence[rows, columns].astype(np.float64))


def coarser(field: Image) -> FloatArray:
    """Return a square field with pixels `COARSER` times as wide, cropped in Fourier space."""
    n = round(len(field) / COARSER)
    rescaled, _ = fourier_rescale_2d(torch.from_numpy(field - field.mean()), target_shape=(n, n))
    return rescaled.numpy().astype(np.float64)


def bare(one: Picked, n: int) -> FloatArray:
    """Return the projected density of the particles of a micrograph on `n` x `n` coarse pixels."""
    placed = one.simulated.placed
    inside = placed.number > 0
    centres = placed.centres_px[inside] / COARSER
    return project(placed.specimen, placed.orientations[inside], centres, (n, n), COARSE_PX).astype(
        np.float64
    )


def ring_ratio(above: Spectrum, below: Spectrum, n: int) -> FloatArray:
    """Return the ratio of the sums of two half spectra over rings, as a half spectrum."""
    ky, kx = np.fft.fftfreq(n) * n, np.fft.rfftfreq(n) * n
    ring = np.rint(np.hypot(ky[:, None], kx[None])).astype(int)
    sums = [np.bincount(ring.ravel(), weights=values.real.ravel()) for values in (above, below)]
    return (sums[0] / np.maximum(sums[1], 1e-12))[ring]


def log_likelihood_ratio(
    image: Spectrum, transfer: FloatArray, power: FloatArray, one: Picked, step_deg: float
) -> FloatArray:
    """Return the logarithm of the mean, over poses, of the likelihood ratio of a particle at each pixel.

    Parameters
    ----------
    image : NDArray
        Half spectrum of the micrograph.
    transfer, power : NDArray
        Contrast transfer and strength of the signal, and power of the noise, of each frequency.
    one : Picked
        The micrograph, for its molecule.
    step_deg : float
        Degrees between poses.
    """
    n, specimen = len(image), one.simulated.placed.specimen
    poses, at_origin = all_poses(step_deg), np.zeros((1, 2))
    total = np.full((n, n), -np.inf)
    for k in range(len(poses)):
        signal = transfer * rfft2(project(specimen, poses[k : k + 1], at_origin, (n, n), COARSE_PX))
        energy = irfft2(np.abs(signal) ** 2 / power, s=(n, n))[0, 0]
        total = np.logaddexp(total, n**2 * (irfft2(image * signal.conj() / power, s=(n, n)) - energy / 2))
    return total - np.log(len(poses))


def all_poses(step_deg: float) -> Rotation:
    """Return nearly even rotations: views on a Fibonacci sphere, each turned in the plane."""
    n_views = int(np.ceil(4 * np.pi / np.radians(step_deg) ** 2))
    k = np.arange(n_views) + 0.5
    polar, azimuth = np.degrees(np.arccos(1 - 2 * k / n_views)), 180 * (1 + 5**0.5) * k
    turns = np.arange(0, 360, step_deg)
    angles = [(turn, tilt, rot) for tilt, rot in zip(polar, azimuth, strict=True) for turn in turns]
    return Rotation.from_euler("ZYZ", angles, degrees=True)


if __name__ == "__main__":
    main()
