"""The resolutions and slices of the maps as figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import mrcfile
import numpy as np
from maps_cell import BOX_PIXEL_A, STRUCTURES
from maps_pickers import PICKERS
from maps_truth import low_passed
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cryoseg_ext.arrays import Image
from cryoseg_ext.files import replacing

SLICE_A = 8.0
"""Resolution of the slices."""
TICKS = (50, 100, 200, 400, 800)
"""Numbers of particles on the axis."""
LABELS = {
    "truth": "true picks",
    "cryoseg_no_crf": "cryoseg, no CRF",
    "log": "RELION LoG",
    "topaz": "Topaz",
    "topaz_best": "Topaz, best F1",
}

Outcome = tuple[str, int, str, dict[str, Any]]
"""Structure, seed, run, and what came of it."""


def draw_resolutions(runs: Sequence[Outcome], path: Path) -> None:
    """Draw the resolution of every run, and how it grows with the number of particles."""
    mpl.rcParams["svg.hashsalt"] = "maps"
    figure = Figure((11, 4.5), layout="constrained")
    axes = figure.subplots(1, 2, width_ratios=(3, 2))
    _draw_pickers(axes[0], runs)
    _draw_numbers(axes[1], runs)
    with replacing(path) as temporary:
        figure.savefig(temporary, metadata={"Date": None})


def _draw_pickers(axes: Axes, runs: Sequence[Outcome]) -> None:
    """Draw a symbol for each cell, filled without and open with a 2D selection."""
    for k, picker in enumerate(PICKERS):
        for kind, face in (("", f"C{k}"), ("_2d", "none")):
            points = [
                (at + 0.13 * (k - 2.5) + (0.04 if kind else 0), values["truth_05_A"])
                for at, structure in enumerate(STRUCTURES)
                for of, _, name, values in runs
                if (of, name) == (structure.name, picker + kind)
            ]
            if points:
                label = LABELS.get(picker, picker) + (", 2D selection" if kind else "")
                x, y = np.transpose(points)
                axes.scatter(x, y, s=22, facecolors=face, edgecolors=f"C{k}", label=label)
    axes.set_xticks(range(len(STRUCTURES)), [f"{one.name} {one.symmetry}" for one in STRUCTURES])
    axes.set_ylabel("FSC 0.5 to the true map, Å")
    axes.legend(fontsize="x-small")


def _draw_numbers(axes: Axes, runs: Sequence[Outcome]) -> None:
    """Draw one over the squared resolution against the number of particles, in medians over seeds."""
    with_shares = {(of, seed) for of, seed, name, _ in runs if name.endswith("_25")}
    for k, structure in enumerate(STRUCTURES):
        for picker, style in (("truth", "o-"), ("cryoseg", "x--")):
            of_each = [
                [
                    values
                    for of, seed, name, values in runs
                    if (of, name) == (structure.name, one) and (of, seed) in with_shares
                ]
                for one in (f"{picker}_25", f"{picker}_50", picker)
            ]
            if points := [_median_point(chosen) for chosen in of_each if chosen]:
                label = f"{structure.name}, {LABELS.get(picker, picker)}"
                axes.plot(*zip(*points, strict=True), style, color=f"C{k}", label=label)
    axes.set_xscale("log")
    axes.set_xticks(TICKS, [str(tick) for tick in TICKS])
    axes.minorticks_off()
    axes.set_xlabel("particles")
    axes.set_ylabel("1 / resolution², Å⁻²")
    if with_shares:
        axes.legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1, 0.5))


def _median_point(chosen: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """Return the number of particles and one over the squared resolution."""
    particles, resolution_A = (
        float(np.median([one[key] for one in chosen])) for key in ("particles", "truth_05_A")
    )
    return particles, resolution_A**-2


def draw_slices(work: Path, path: Path) -> None:
    """Draw the central slice of the true map and of each picker's, for a structure's first finished seed."""
    cells = [sorted(work.glob(f"{one.name}/seed*")) for one in STRUCTURES]
    rows = [slices for seeds in cells if (slices := next(filter(None, map(_slices, seeds)), None))]
    if not rows:
        return
    columns = [name for name in ("true map", *PICKERS) if any(name in slices for slices in rows)]
    figure = Figure((1.6 * len(columns), 1.6 * len(rows) + 0.3), layout="constrained")
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    for axes_of_row, slices in zip(grid, rows, strict=True):
        for axes, column in zip(axes_of_row, columns, strict=True):
            axes.axis("off")
            if column in slices:
                axes.imshow(slices[column], cmap="gray", vmin=np.percentile(slices[column], 1))
    for axes, column in zip(grid[0], columns, strict=True):
        axes.set_title(LABELS.get(column, column), fontsize="small")
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=100, metadata={"Software": None})


def _slices(cell: Path) -> dict[str, Image]:
    """Return the central slices of the maps of a cell that are finished; nothing where none is."""
    halves = {
        picker: [cell / "Refine" / picker / f"run_half{half}_class001_unfil.mrc" for half in (1, 2)]
        for picker in PICKERS
        if (cell / "Results" / f"{picker}.json").exists()
    }
    if not halves:
        return {}
    maps = {picker: mrcfile.read(first) + mrcfile.read(second) for picker, (first, second) in halves.items()}
    maps["true map"] = mrcfile.read(cell / "Maps" / "truth.mrc")
    smooth = {name: low_passed(one, SLICE_A / BOX_PIXEL_A) for name, one in maps.items()}
    return {name: one[len(one) // 2] for name, one in smooth.items()}
