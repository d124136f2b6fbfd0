"""Whether the verdict on a micrograph is right, on simulated micrographs of each kind and real pictures.

    python benchmarks/verdicts.py [--model FILE] [--fields 20] [--seed 8]

Simulated: 300 kV sessions as ``cryoseg simulate`` has them by default, made-up molecules of 100 to 300 Å,
fields of 512 x 512 working pixels: good ones; without particles; crystalline ice over at least half of the
field; contaminants over at least a sixth; carbon film over at least two fifths. The thresholds of
`cryoseg_ext.image.areas` and `cryoseg_ext.image.mottle` were chosen with other seeds, and with the real
pictures in sight. Real: the pictures of ``../shared/data/quality`` by the class that their collection gives
them, where they are there. Prints how often each verdict was given to each kind; writes ``verdicts.json``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import mrcfile
import numpy as np
import torch
from numpy.random import Generator
from real_micrographs import SHARED, unpack

from cryoseg_ext.arrays import Image, Mask
from cryoseg_ext.image.areas import Verdict, assess, n_fitting
from cryoseg_ext.model.checkpoint import Model, load_model
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.pipeline import pick_micrograph
from cryoseg_ext.simulation import Scale, Specimen, draw_specimen
from cryoseg_ext.simulation.dose import POTENTIAL_V, protein_A_per_density
from cryoseg_ext.simulation.film import draw_film, draw_potential
from cryoseg_ext.simulation.ice import draw_crystalline, draw_grains
from cryoseg_ext.simulation.micrograph import expose
from cryoseg_ext.simulation.placement import draw_orientations, place_centres, project, typical_density
from cryoseg_ext.simulation.presets import TYPICAL, TYPICAL_DEFOCUS_UM

FIELD_PX = 512
WORKING_PX = 24.0
DIAMETERS_A = (100.0, 300.0)
REAL_A = 190.0
KINDS = (
    Verdict.GOOD,
    Verdict.FEW_PARTICLES,
    Verdict.CONTAMINATED,
    Verdict.CRYSTALLINE_ICE,
    Verdict.CARBON_OR_EDGE,
)
LEAST_AREA = {Verdict.CONTAMINATED: 1 / 6, Verdict.CRYSTALLINE_ICE: 0.5, Verdict.CARBON_OR_EDGE: 0.4}
"""Smallest part of the field that what is wrong with it covers."""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path)
    parser.add_argument("--fields", type=int, default=20, help="of each kind")
    parser.add_argument("--seed", type=int, default=8)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = load_model(args.model)
    rows = {}
    for kind in KINDS:
        rngs = [np.random.default_rng([args.seed, kind, index]) for index in range(args.fields)]
        rows[kind.words] = Counter(judged(*draw(rng, kind), model)[0].words for rng in rngs)
        say(kind.words, rows[kind.words])
    if SHARED.is_dir():
        rows |= real_rows(model)
    else:
        print(f"{SHARED} is not there, and so no real picture was judged")
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "verdicts.json").write_text(json.dumps(rows, indent=1) + "\n")


def say(kind: str, verdicts: Counter[str]) -> None:
    """Print a line of the table."""
    print(f"{kind:16s}", ", ".join(f"{n} {verdict}" for verdict, n in verdicts.most_common()), flush=True)


def judged(image: Image, pixel_size_A: float, diameter_A: float, model: Model) -> tuple[Verdict, str]:
    """Return the verdict on a micrograph, and what it rests on."""
    picked = pick_micrograph(image, pixel_size_A, model, PickingOptions(diameter_A))
    picks, areas = picked.candidates.above(model.threshold), picked.areas
    quality = assess(picks, areas, n_fitting(image.shape, pixel_size_A, diameter_A, areas))
    shares = f"contaminated {areas.contaminated:.2f}, film {areas.film:.2f}, mottled {areas.mottled:.2f}"
    return quality.verdict, f"{len(picks):4d} picks, {shares}"


def real_rows(model: Model) -> dict[str, Counter[str]]:
    """Return, and print, the verdicts on the real pictures by their class."""
    rows: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        unpack(Path(scratch), "quality")
        for path in sorted(Path(scratch).rglob("*.mrc")):
            with mrcfile.open(path) as picture:
                image, pixel_size_A = picture.data.astype(np.float32), float(picture.voxel_size.x)
            verdict, told = judged(image, pixel_size_A, REAL_A, model)
            kind = path.stem.split("__")[0]
            print(f"real {kind:16s} {verdict.words:16s} {told}", flush=True)
            rows.setdefault(f"real {kind}", Counter())[verdict.words] += 1
    return rows


def draw(rng: Generator, kind: Verdict) -> tuple[Image, float, float]:
    """Return a simulated micrograph that deserves a verdict, its Å/px, and the diameter of its particles."""
    diameter_A = float(np.exp(rng.uniform(*np.log(DIAMETERS_A))))
    scale, specimen = Scale(diameter_A / WORKING_PX, diameter_A), draw_specimen(rng)
    defocus_um = float(rng.uniform(*TYPICAL_DEFOCUS_UM))
    conditions = replace(TYPICAL, defocus_um=defocus_um, contaminated=False)
    coverage = {Verdict.GOOD: rng.uniform(0.1, 0.5), Verdict.FEW_PARTICLES: 0.0}.get(
        kind, rng.uniform(0, 0.2)
    )
    shape = (FIELD_PX, FIELD_PX)
    centres = place_centres(rng, shape, WORKING_PX, float(coverage), 1.0, 0.3)
    if kind is Verdict.CARBON_OR_EDGE:
        extra, where = carbon(rng, scale, specimen)
    elif kind in LEAST_AREA:
        extra, where = bad_ice(rng, kind, specimen)
    else:
        extra, where = np.zeros(shape, np.float32), np.zeros(shape, np.bool_)
    rows, columns = (np.clip(at.astype(int), 0, FIELD_PX - 1) for at in centres.T[::-1])
    centres = centres[~where[rows, columns]]
    turns = draw_orientations(rng, len(centres), False)
    density = project(specimen, turns, centres, shape, WORKING_PX) + extra
    image, _, _ = expose(rng, density, np.zeros(shape, np.bool_), specimen, scale, conditions)
    return image, scale.pixel_size_A, diameter_A


def bad_ice(rng: Generator, kind: Verdict, specimen: Specimen) -> tuple[Image, Mask]:
    """Return the density of crystalline ice, or of grains of ice, and where it covers the field."""
    one = project(specimen, draw_orientations(rng, 1, False), np.zeros((1, 2)), (64, 64), WORKING_PX)
    drawer = draw_crystalline if kind is Verdict.CRYSTALLINE_ICE else draw_grains
    while True:
        density, hides = drawer(rng, (FIELD_PX, FIELD_PX), WORKING_PX)
        if (hides > 0).mean() >= LEAST_AREA[kind]:
            return density * np.float32(typical_density(one)), hides > 0


def carbon(rng: Generator, scale: Scale, specimen: Specimen) -> tuple[Image, Mask]:
    """Return the density of a carbon film with a hole, and where it covers the field."""
    y, x = np.ogrid[:FIELD_PX, :FIELD_PX]
    while True:
        beyond_px = draw_film(rng, (FIELD_PX, FIELD_PX)).beyond_px(x, y)
        if (beyond_px > 0).mean() >= LEAST_AREA[Verdict.CARBON_OR_EDGE]:
            break
    protein_A = protein_A_per_density(specimen, scale.diameter_A, scale.pixel_size_A)
    potential = draw_potential(rng, beyond_px, scale.pixel_size_A)
    return potential / np.float32(POTENTIAL_V * protein_A), beyond_px > 0


if __name__ == "__main__":
    main()
