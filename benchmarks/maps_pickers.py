"""The pickers, each at its default settings; they write coordinate files as RELION's jobs do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from maps_cell import PIXEL_SIZE_A, Cell, once
from scipy.spatial import cKDTree

from cryoseg_ext.evaluation import score_picks
from cryoseg_ext.evaluation.matching import MATCH_DIAMETERS, match_picks
from cryoseg_ext.formats.coordinates import write_coordinates_star
from cryoseg_ext.formats.reading import read_picks
from cryoseg_ext.picks import Picks

PICKERS = ("truth", "cryoseg", "log", "topaz", "cryoseg_no_crf", "topaz_best")
DIAGNOSES = ("cryoseg_right", "cryoseg_centred")
"""What costs resolution: cryoseg's right picks without its wrong ones; the same particles at their true
centres, from which the true picks differ only by those that were missed."""
SUFFIX = "_autopick.star"
TOPAZ_SCALE = 4
"""Topaz wants about 8 Å/px, at which its networks were trained."""
TOPAZ_THRESHOLD = 0.0
"""Topaz's scores are log-likelihood ratios: above 0 a particle is likelier than not. ``topaz extract`` lists
picks down to -6, several times as many as there are particles, for the user to cut."""
LOG_DIAMETERS = (0.7, 1.0)
"""Smallest and largest diameter that LoG is given, in particle diameters: as a user gives 130 to 190 Å for a
beta-galactosidase of 190 Å."""


def pick(cell: Cell, picker: str, topaz: Path | None) -> None:
    """Write what a picker finds on the micrographs of a cell.

    Parameters
    ----------
    cell : Cell
        The cell, simulated.
    picker : str
        One of `PICKERS` or `DIAGNOSES`.
    topaz : Path or None
        The program of Topaz, which its two pickers need.
    """
    folder = cell.folder / "Picks" / picker
    if picker == "truth":
        once(folder, lambda: write_picks(folder, true_picks(cell)))
    elif picker in DIAGNOSES:
        pick(cell, "cryoseg", topaz)
        once(folder, lambda: write_picks(folder, right_picks(cell, centred=picker == DIAGNOSES[1])))
    elif picker.startswith("cryoseg"):
        options = ["--no_crf"] if picker == "cryoseg_no_crf" else []
        once(folder, lambda: run_cryoseg(cell, f"Picks/{picker}/", options))
    elif picker == "log":
        once(folder, lambda: run_log(cell))
    elif topaz is not None:
        raw = cell.folder / "Picks" / "topaz_raw"
        once(raw, lambda: run_topaz(cell, topaz))
        once(folder, lambda: write_picks(folder, topaz_picks(cell, raw, best=picker == "topaz_best")))


def true_picks(cell: Cell) -> dict[str, Picks]:
    """Return the true centres as picks."""
    return {name: Picks(xy[:, 0], xy[:, 1], np.ones(len(xy))) for name, xy in cell.truth_xy_px.items()}


def right_picks(cell: Cell, *, centred: bool) -> dict[str, Picks]:
    """Return the right ones of cryoseg's picks, where they are or at the true centres."""
    found = read_picks(cell.folder / "Picks" / "cryoseg" / "particles.star")
    right = {}
    for name, truth_xy_px in cell.truth_xy_px.items():
        picks = found.get(name, Picks(*np.zeros((3, 0))))
        picks = picks.at(match_picks(truth_xy_px, picks, MATCH_DIAMETERS * cell.diameter_A / PIXEL_SIZE_A))
        if centred and len(picks):
            _, nearest = cKDTree(truth_xy_px).query(np.stack([picks.x_px, picks.y_px], axis=1))
            picks = Picks(truth_xy_px[nearest, 0], truth_xy_px[nearest, 1], picks.score)
        right[name] = picks
    return right


def write_picks(folder: Path, picks: Mapping[str, Picks]) -> None:
    """Write the coordinate file of each micrograph."""
    for name, some in picks.items():
        write_coordinates_star(folder / Path(name).with_suffix("").with_name(Path(name).stem + SUFFIX), some)


def run(command: list[str], folder: Path, log: Path) -> None:
    """Run a program in the folder of a project; what it says goes to `log`."""
    with (folder / log).open("w") as said:
        subprocess.run(command, cwd=folder, check=True, stdout=said, stderr=subprocess.STDOUT)


def run_cryoseg(cell: Cell, job: str, options: list[str]) -> None:
    """Pick with the External job, as RELION starts it."""
    inputs = ["--o", job, "--in_mics", "micrographs.star", "--j", "1"]
    diameter = ["--particle_diameter", f"{cell.diameter_A:.0f}"]
    command = [sys.executable, "-m", "relion_wrapper", *inputs, *diameter, *options]
    run(command, cell.folder, Path(job, "log"))


def run_log(cell: Cell) -> None:
    """Pick with RELION's Laplacian of Gaussian, with what its job takes by default."""
    smallest_A, largest_A = (share * cell.diameter_A for share in LOG_DIAMETERS)
    command = "relion_autopick --i micrographs.star --odir Picks/log/ --pickname autopick --LoG --shrink 0"
    command += f" --lowpass 20 --LoG_diam_min {smallest_A:.0f} --LoG_diam_max {largest_A:.0f}"
    command += " --LoG_adjust_threshold 0 --LoG_upper_threshold 999"
    run(command.split(), cell.folder, Path("Picks/log/log"))


def run_topaz(cell: Cell, topaz: Path) -> None:
    """Pick with the pretrained network that is the default of ``topaz extract``."""
    folder = "Picks/topaz_raw"
    images = sorted(path.relative_to(cell.folder) for path in (cell.folder / "Micrographs").glob("*.mrc"))
    small = [f"{folder}/small/{path.name}" for path in images]
    (cell.folder / folder / "small").mkdir()
    threads = ["-j", "1", "-d", "-1"]
    preprocess = [str(topaz), "preprocess", "-s", str(TOPAZ_SCALE), *threads, "-o", f"{folder}/small/"]
    run([*preprocess, *map(str, images)], cell.folder, Path(folder, "preprocess.log"))
    radius_px = cell.diameter_A / 2 / PIXEL_SIZE_A / TOPAZ_SCALE
    extract = [str(topaz), "extract", "-r", f"{radius_px:.0f}", "-x", str(TOPAZ_SCALE), *threads]
    run([*extract, "-o", f"{folder}/picks.txt", *small], cell.folder, Path(folder, "extract.log"))


def topaz_picks(cell: Cell, raw: Path, *, best: bool) -> dict[str, Picks]:
    """Return Topaz's picks at `TOPAZ_THRESHOLD`, or at the threshold of the best F1 against the truth."""
    found = read_picks(raw / "picks.txt")
    nothing = Picks(*np.zeros((3, 0)))
    picks = {name: found.get(Path(name).stem, nothing) for name in cell.truth_xy_px}
    pairs = [(cell.truth_xy_px[name], picks[name]) for name in picks]
    scores = score_picks(pairs, MATCH_DIAMETERS * cell.diameter_A / PIXEL_SIZE_A)
    threshold = scores.best_threshold if best else TOPAZ_THRESHOLD
    return {name: some.above(threshold) for name, some in picks.items()}
