"""The paper's synthetic micrographs: time, zero-shot picks, and whether ASPIRE makes the same ones.

    python benchmarks/paper_preset.py [--structure FILE] [--micrographs 3] [--size 4096]

Simulates micrographs as ``cryoseg simulate --preset paper`` does, picks them with the default model, and,
where the package aspire 0.14 is installed, lets its ``MicrographSimulation`` project the same map in the same
poses at the same places under the same CTF.  Without --structure the molecule is made up.  Prints a table
and writes ``paper_preset.json``.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import cryoseg_ext
from cryoseg_ext.evaluation import score_picks
from cryoseg_ext.files import write_mrc
from cryoseg_ext.formats.poses import to_relion_angles
from cryoseg_ext.network.classes import PARTICLE
from cryoseg_ext.simulation import SimulatedMicrograph, Specimen
from cryoseg_ext.simulation.paper import PAPER_PARTICLES, PAPER_PIXEL_SIZE_A, PAPER_SHAPE
from cryoseg_ext.simulation.session import SessionOptions, load_specimens, simulate_session_micrograph
from cryoseg_ext.simulation.session_files import density_map

SEED = 20


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--structure", type=Path, help="PDB, mmCIF or MRC file")
    parser.add_argument("--micrographs", type=int, default=3)
    parser.add_argument("--size", type=int, default=PAPER_SHAPE[0], help="width and height in pixels")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    args = parser.parse_args()
    options = SessionOptions(
        shape=(args.size, args.size),
        pixel_size_A=PAPER_PIXEL_SIZE_A,
        structures=(args.structure,) if args.structure else (),
        family="globular",
        preset="paper",
        n_particles=round(PAPER_PARTICLES * (args.size / PAPER_SHAPE[0]) ** 2),
        seed=SEED,
    )
    specimens = load_specimens(options)
    has_aspire = importlib.util.find_spec("aspire") is not None
    rows: list[dict[str, float]] = []
    for index in range(args.micrographs):
        started = time.perf_counter()
        simulated = simulate_session_micrograph(options, specimens, index)
        row = {"seconds": time.perf_counter() - started, **describe(simulated, specimens[0][1])}
        if has_aspire:
            row.update(compare_with_aspire(simulated, *specimens[0]))
        print("  ".join(f"{name} {value:.3f}" for name, value in row.items()), flush=True)
        rows.append(row)
    if not has_aspire:
        print("aspire is not installed, so there is nothing to compare with (pip install aspire==0.14.3)")
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "paper_preset.json").write_text(json.dumps(rows, indent=1) + "\n")


def describe(simulated: SimulatedMicrograph, diameter_A: float) -> dict[str, float]:
    """Return the ratios of signal to noise, as variances, and F1 of the default model's picks."""
    noise = simulated.image - simulated.clean
    result = cryoseg_ext.pick(
        simulated.image, particle_diameter_A=diameter_A, pixel_size_A=PAPER_PIXEL_SIZE_A
    )
    truth = np.stack([simulated.x_px, simulated.y_px], axis=1)
    scores = score_picks([(truth, result.picks)], 0.3 * simulated.placed.diameter_px)
    inside = simulated.clean[simulated.labels == PARTICLE]
    return {
        "particles": len(truth),
        "snr_whole": float(simulated.clean.var() / noise.var()),
        "snr_inside": float(inside.var() / noise.var()),
        "default_f1": scores.f1,
    }


def compare_with_aspire(
    simulated: SimulatedMicrograph, specimen: Specimen, diameter_A: float
) -> dict[str, float]:
    """Return the correlation of the two clean micrographs, and ASPIRE's time and signal-to-noise ratio."""
    from aspire.operators import RadialCTFFilter
    from aspire.source import MicrographSimulation
    from aspire.volume import Volume

    conditions, size = simulated.conditions, len(simulated.clean)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map.mrc"
        write_mrc(path, density_map(specimen, diameter_A, PAPER_PIXEL_SIZE_A), PAPER_PIXEL_SIZE_A)
        # In aspire 0.14 the pixel size belongs to the volume.
        volume = Volume.load(path, dtype=np.float32)
    ctf = RadialCTFFilter(
        voltage=conditions.voltage_kV,
        defocus=1e4 * conditions.defocus_um,
        Cs=conditions.spherical_aberration_mm,
        alpha=conditions.amplitude_contrast,
    )
    started = time.perf_counter()
    source = MicrographSimulation(
        volume,
        micrograph_size=size,
        particles_per_micrograph=len(simulated.x_px),
        particle_amplitudes=1,
        projection_angles=np.deg2rad(to_relion_angles(simulated.orientations)).astype(np.float32),
        ctf_filters=[ctf],
        interparticle_distance=0,
        seed=SEED,
    )
    # It draws the centres itself; in its order, (row, column), they can be put where ours are, to the pixel.
    source.centers[0] = np.rint(np.stack([simulated.y_px, simulated.x_px], axis=1)).astype(int)
    clean: NDArray[Any] = source.clean_images[0].asnumpy()[0]
    return {
        "aspire_seconds": time.perf_counter() - started,
        "aspire_correlation": float(np.corrcoef(clean.ravel(), simulated.clean.ravel())[0, 1]),
    }


if __name__ == "__main__":
    main()
