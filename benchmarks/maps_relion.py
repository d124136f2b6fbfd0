"""From picks to a map with the programs of RELION 3.1: the same for every picker."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import starfile
from maps_cell import BOX_PIXEL_A, MASK_DIAMETERS, PIXEL_SIZE_A, Cell, once
from maps_pickers import SUFFIX, run

from cryoseg_ext.files import replace_text

if TYPE_CHECKING:
    import pandas as pd

BACKGROUND_DIAMETERS = 1.1
"""Diameter, in particle diameters, of the circle outside which the background is measured."""
N_CLASSES, CLASS_ITERATIONS = 10, 10
SMALLEST_SHARE, WORST_RESOLUTION = 0.5, 1.5
"""A class is kept if it has at least this part of an equal share of the particles, and an estimated
resolution not worse than the best of these times this."""
IMAGE = "rlnImageName"
COMMON = "--dont_combine_weights_via_disc --preread_images --pool 30 --pad 1 --flatten_solvent"
COMMON += " --zero_mask --oversampling 1 --norm --scale --j 1 --random_seed 1"
# For particles that fit nowhere, as contaminants, many poses are alike, and all of them would take hours.
COMMON += " --maxsig 500"
CLASSIFY = "--tau2_fudge 2 --psi_step 12 --offset_range 5 --offset_step 2"
_REFINE = "--auto_refine --split_random_halves --ini_high 30 --firstiter_cc --low_resol_join_halves 40"
# Under a mask the halves agree further, and the refinement does not end by chance at the first resolutions.
_REFINE += " --solvent_mask Maps/mask.mrc --solvent_correct_fsc --offset_range 5 --offset_step 2"
GLOBAL_A = 20.0
"""Resolution that the poses of the global search must be fine enough for."""
# The leader and one process for each half; a process that waits leaves its core to the others.
_MPI = "mpirun --allow-run-as-root --oversubscribe --mca mpi_yield_when_idle 1 --mca btl self,vader -n 3"


def extract(cell: Cell, picker: str) -> None:
    """Cut out the particles of a picker: ``Extract/PICKER/particles.star``."""
    folder = f"Extract/{picker}"
    box_px = round(cell.box_px * BOX_PIXEL_A / PIXEL_SIZE_A)
    radius_px = BACKGROUND_DIAMETERS * cell.diameter_A / 2 / BOX_PIXEL_A
    command = f"relion_preprocess --i micrographs.star --coord_dir Picks/{picker}/ --coord_suffix {SUFFIX}"
    command += f" --part_star {folder}/particles.star --part_dir {folder}/ --extract --extract_size {box_px}"
    command += f" --scale {cell.box_px} --norm --bg_radius {radius_px:.0f} --white_dust -1 --black_dust -1"
    command += " --invert_contrast"
    once(cell.folder / folder, lambda: run(command.split(), cell.folder, Path(folder, "log")))


def select_classes(cell: Cell, picker: str) -> None:
    """Keep the particles of good 2D classes: ``Extract/PICKER_2d/particles.star``."""
    folder = f"Class2D/{picker}"
    command = f"relion_refine --i Extract/{picker}/particles.star --o {folder}/run --K {N_CLASSES} --ctf"
    command += f" --iter {CLASS_ITERATIONS} {CLASSIFY} {COMMON}"
    command += f" --particle_diameter {MASK_DIAMETERS * cell.diameter_A:.0f}"
    once(cell.folder / folder, lambda: run(command.split(), cell.folder, Path(folder, "log")))

    def select() -> None:
        last = cell.folder / folder / f"run_it{CLASS_ITERATIONS:03d}"
        classes = starfile.read(f"{last}_model.star", always_dict=True)["model_classes"]
        data = starfile.read(f"{last}_data.star", always_dict=True)["particles"]
        kept = set(data[IMAGE][data["rlnClassNumber"].isin(np.flatnonzero(good_classes(classes)) + 1)])
        keep_particles(cell, picker, f"{picker}_2d", kept)

    once(cell.folder / "Extract" / f"{picker}_2d", select)


def good_classes(classes: pd.DataFrame) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Return which classes are kept, by nothing but their shares and estimated resolutions."""
    large = classes["rlnClassDistribution"].to_numpy() >= SMALLEST_SHARE / len(classes)
    resolution_A = classes["rlnEstimatedResolution"].to_numpy()
    return large & (resolution_A <= WORST_RESOLUTION * resolution_A[large].min())


def take_share(cell: Cell, picker: str, percent: int) -> None:
    """Keep a random share of the particles: ``Extract/PICKER_PERCENT/particles.star``; shares are nested."""

    def select() -> None:
        tables = starfile.read(cell.folder / "Extract" / picker / "particles.star", always_dict=True)
        images = np.random.default_rng(1).permutation(tables["particles"][IMAGE].to_numpy())
        keep_particles(cell, picker, f"{picker}_{percent}", set(images[: len(images) * percent // 100]))

    once(cell.folder / "Extract" / f"{picker}_{percent}", select)


def keep_particles(cell: Cell, source: str, target: str, images: set[str]) -> None:
    """Write the particles of `source` whose images are wanted.

    Parameters
    ----------
    cell : Cell
        The cell.
    source, target : str
        Names of the particles.
    images : set of str
        The images to keep.
    """
    tables = starfile.read(cell.folder / "Extract" / source / "particles.star", always_dict=True)
    particles = tables["particles"]
    tables["particles"] = particles[particles[IMAGE].isin(images)]
    starfile.write(tables, cell.folder / "Extract" / target / "particles.star")


def sampling(cell: Cell) -> str:
    """Return RELION's options for steps between poses of 15 or, of a small particle, 30 degrees at first.

    Each step is halved where it matters (oversampling), and in local searches, which come next.
    """
    needed_deg = 360 / (np.pi * MASK_DIAMETERS * cell.diameter_A / GLOBAL_A)
    order = 1 if needed_deg >= 15 else 2
    return f"--healpix_order {order} --auto_local_healpix_order {order + 1}"


def refine(cell: Cell, run_name: str) -> None:
    """Refine a map by gold-standard auto-refinement: ``Refine/RUN/run_half1_class001_unfil.mrc``."""
    folder = f"Refine/{run_name}"
    command = f"{_MPI if os.geteuid() == 0 else _MPI.replace('--allow-run-as-root ', '')} relion_refine_mpi"
    command += f" --i Extract/{run_name}/particles.star --o {folder}/run --ref Maps/reference.mrc {_REFINE}"
    command += f" {COMMON} --ctf --sym {cell.structure.symmetry} {sampling(cell)}"
    command += f" --particle_diameter {MASK_DIAMETERS * cell.diameter_A:.0f}"

    def work() -> None:
        run(command.split(), cell.folder, Path(folder, "log"))
        half = f"{folder}/run_half1_class001_unfil.mrc"
        post = f"relion_postprocess --i {half} --mask Maps/mask.mrc --angpix {BOX_PIXEL_A} --o {folder}/post"
        run(post.split(), cell.folder, Path(folder, "post.log"))
        seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
        iterations = sorted((cell.folder / folder).glob("run_it*"))
        cost = {"user_s": round(seconds), "iterations": int(iterations[-1].name[6:9])}
        replace_text(cell.folder / folder / "cost.json", json.dumps(cost) + "\n")
        for path in iterations:
            path.unlink()

    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    once(cell.folder / folder, work)
