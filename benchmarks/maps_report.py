"""The finished runs as a table, as JSON and as figures."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from maps_cell import STRUCTURES
from maps_figures import draw_resolutions, draw_slices
from maps_pickers import DIAGNOSES, PICKERS
from scipy.stats import ks_2samp, t

from cryoseg_ext.files import replace_text

BAR_A = 0.15
"""How much worse than that of the true picks our map may be, in the median over seeds."""
RESOLUTION = "truth_05_A"
_VIEWS = ("view_found", "view_missed")
_COLUMNS = (
    ("particles", "n", "7.0f"),
    ("precision", "P", "6.2f"),
    ("recall", "R", "6.2f"),
    ("on_contaminant", "cont", "6.2f"),
    ("off_A", "off Å", "7.1f"),
    ("shift_A", "bias Å", "7.1f"),
    (RESOLUTION, ".5 Å", "8.2f"),
    ("truth_0143_A", ".143 Å", "8.2f"),
    ("halves_0143_A", "half Å", "8.2f"),
    ("mask_check", "random", "8.2f"),
    ("area", "area", "7.1f"),
    ("iterations", "it", "4.0f"),
)
Key = tuple[str, int]
"""Structure and seed."""


@dataclass(frozen=True)
class Finished:
    """A finished run.

    Parameters
    ----------
    structure : str
        Name of the structure.
    seed : int
        Seed of the session.
    name : str
        Picker, with "_2d" after a 2D selection or with the percentage of its particles.
    values : dict
        What `maps_scores.score_run` says.
    """

    structure: str
    seed: int
    name: str
    values: dict[str, Any]


def write_report(work: Path, out: Path, *, topaz_given: bool) -> None:
    """Print the tables, and write ``maps.json`` and the figures.

    Parameters
    ----------
    work : Path
        Folder of all steps.
    out : Path
        Folder of the results.
    topaz_given : bool
        Whether Topaz's program was given.
    """
    runs = finished_runs(work)
    if not runs:
        print(f"{work}: no run is finished yet")
        return
    if not topaz_given and not any(one.name.startswith("topaz") for one in runs):
        print("Topaz was not given (--topaz), and so is not in the table")
    for line in [*table(runs), "", *paired_lines(runs), "", *view_lines(runs)]:
        print(line)
    hours = sum(one.values["user_s"] for one in runs) / 3600
    print(f"\nthe refinements of these {len(runs)} runs took {hours:.1f} hours of processor time")
    out.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(one) for one in as_json(runs))
    replace_text(out / "maps.json", f"[\n{lines}\n]\n")
    draw_resolutions([(one.structure, one.seed, one.name, one.values) for one in runs], out / "maps.svg")
    draw_slices(work, out / "maps_slices.png")


def finished_runs(work: Path) -> list[Finished]:
    """Return the runs that have results, structure by structure."""
    order = [one.name for one in STRUCTURES]
    paths = sorted(work.glob("*/seed*/Results/*.json"), key=lambda path: order.index(path.parts[-4]))
    return [
        Finished(
            path.parts[-4], int(path.parts[-3].removeprefix("seed")), path.stem, json.loads(path.read_text())
        )
        for path in paths
    ]


def resolutions(runs: Iterable[Finished], name: str) -> dict[Key, float]:
    """Return the FSC 0.5 resolution to the truth, in Å, of all cells in which a run is finished."""
    return {(one.structure, one.seed): one.values[RESOLUTION] for one in runs if one.name == name}


def table(runs: Sequence[Finished]) -> list[str]:
    """Return the lines of the table: medians over seeds, and the differences from the true picks."""
    names = [f"{picker}{kind}" for kind in ("", "_2d", "_50", "_25") for picker in PICKERS + DIAGNOSES]
    head = "".join(f"{label:>{kind.split('.')[0]}s}" for _, label, kind in _COLUMNS)
    lines = [f"{'':22s}seeds{head}   range of .5 Å    less truth, Å"]
    for structure in STRUCTURES:
        of_structure = [one for one in runs if one.structure == structure.name]
        lines += [f"{structure.name} {structure.symmetry}, {structure.note}"] if of_structure else []
        for name in names:
            if rows := [one for one in of_structure if one.name == name]:
                line = f"  {name:20s}{len(rows):4d} {row(rows)}   {less_truth(of_structure, name)}"
                lines.append(line.rstrip())
    return lines


def row(rows: Sequence[Finished]) -> str:
    """Return the medians of the columns, and the range of the resolution."""
    medians = "".join(
        f"{statistics.median(one.values[column] for one in rows):{kind}}" for column, _, kind in _COLUMNS
    )
    resolution_A = [one.values[RESOLUTION] for one in rows]
    return f"{medians}   {min(resolution_A):5.2f} to {max(resolution_A):5.2f}"


def less_truth(runs: Sequence[Finished], name: str) -> str:
    """Return the difference from the true picks in words: those of the seeds and their median."""
    differences = paired(resolutions(runs, name), resolutions(runs, "truth"))
    if name == "truth" or not len(differences):
        return ""
    return f"{np.median(differences):+.2f} ({', '.join(f'{one:+.2f}' for one in differences)})"


def paired(first: dict[Key, float], second: dict[Key, float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the differences of all cells that both have."""
    return np.array([first[key] - second[key] for key in sorted(first.keys() & second.keys())], np.float64)


def logarithms(resolution_A: dict[Key, float]) -> dict[Key, float]:
    """Return natural logarithms: of a coarse map more Å are the same difference as fewer of a fine one."""
    return {key: float(np.log(value)) for key, value in resolution_A.items()}


def mean_and_interval(differences: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float]:
    """Return the mean and half the width of Student's 95 % interval, infinite for one difference alone."""
    n = len(differences)
    if n < 2:
        return float(differences.mean()), float("inf")
    return float(differences.mean()), float(t.ppf(0.975, n - 1) * differences.std(ddof=1) / np.sqrt(n))


def paired_lines(runs: Sequence[Finished]) -> list[str]:
    """Return how cryoseg compares with each other picker over all cells that both have, and the bar."""
    lines = [
        "paired over all cells: FSC .5 to the truth, mean difference and mean ratio (of logarithms) with",
        "Student's 95 % interval",
    ]
    for kind in ("", "_2d"):
        ours = resolutions(runs, f"cryoseg{kind}")
        for picker in PICKERS:
            other = resolutions(runs, picker if picker == "truth" else f"{picker}{kind}")
            if picker != "cryoseg" and len(differences := paired(ours, other)):
                mean, half = mean_and_interval(differences)
                ratio, spread = mean_and_interval(paired(logarithms(ours), logarithms(other)))
                low, middle, high = (np.expm1(ratio + step) for step in (-spread, 0, spread))
                name = picker if picker == "truth" else f"{picker}{kind}"
                lines.append(
                    f"  cryoseg{kind} less {name}: {mean:+.2f} ± {half:.2f} Å, {middle:+.1%} ({low:+.1%} to "
                    f"{high:+.1%}; {len(differences)} cells, better in {np.mean(differences < 0):.0%})"
                )
    truth, ours = resolutions(runs, "truth"), resolutions(runs, "cryoseg")
    for structure in STRUCTURES:
        cells = {key for key in truth.keys() & ours.keys() if key[0] == structure.name}
        if cells:
            median = statistics.median(ours[key] - truth[key] for key in cells)
            verdict = "within" if median <= BAR_A else "NOT within"
            lines.append(
                f"  {structure.name}: {verdict} {BAR_A} Å of the truth "
                f"({median:+.2f}, median of {len(cells)})"
            )
    return lines


def view_lines(runs: Sequence[Finished]) -> list[str]:
    """Return whether the particles that a picker finds are seen from the same sides as those it misses."""
    lines = ["recall by the angle between the beam and the molecule's axis (90-70, 70-48, 48-0 degrees), and"]
    lines.append("the Kolmogorov-Smirnov test of found against missed particles")
    for structure in STRUCTURES:
        for name in [picker for picker in PICKERS if picker != "truth"]:
            chosen = [one.values for one in runs if (one.structure, one.name) == (structure.name, name)]
            if chosen:
                lines.append(f"  {structure.name} {name:16s}{recall_by_view(chosen)}")
    return lines


def recall_by_view(values: Sequence[dict[str, Any]]) -> str:
    """Return the recall of each third of the sphere and the test, over seeds together."""
    found, missed = (np.concatenate([one[key] for one in values]) for key in _VIEWS)
    edges = np.linspace(0, 1, 4)
    n_found, n_missed = (np.histogram(one, edges)[0] for one in (found, missed))
    recall = " ".join(f"{one:.2f}" for one in n_found / np.maximum(n_found + n_missed, 1))
    if min(len(found), len(missed)) < 2:
        return recall
    test = ks_2samp(found, missed)
    return f"{recall}   D = {test.statistic:.2f}, p = {test.pvalue:.2g}"


def as_json(runs: Sequence[Finished]) -> list[dict[str, Any]]:
    """Return the runs for JSON, without the list of views."""
    return [
        {"structure": one.structure, "seed": one.seed, "run": one.name}
        | {key: round(value, 4) if isinstance(value, float) else value for key, value in one.values.items()}
        | {key: len(one.values[key]) for key in _VIEWS}
        for one in runs
    ]
