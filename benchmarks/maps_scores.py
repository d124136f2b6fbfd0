"""What a run is worth: its particles against the true ones, and its map against the true map."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import starfile
import torch
from maps_cell import BOX_PIXEL_A, PIXEL_SIZE_A, Cell
from maps_truth import long_axis_frame
from scipy.spatial import cKDTree
from torch_fourier_shell_correlation import fourier_shell_correlation

from cryoseg_ext.arrays import FloatArray, Mask
from cryoseg_ext.evaluation.matching import MATCH_DIAMETERS
from cryoseg_ext.evaluation.picks import score_at
from cryoseg_ext.formats.poses import from_relion_angles
from cryoseg_ext.formats.reading import read_picks
from cryoseg_ext.network.classes import CONTAMINANT
from cryoseg_ext.picks import Picks

RANDOMISED_BELOW = 0.8
"""Phases are randomised from the shell on where the FSC to the truth falls below this."""


def score_run(cell: Cell, run_name: str) -> dict[str, Any]:
    """Return everything about a run: particles, map, cost."""
    cost = json.loads((cell.folder / "Refine" / run_name / "cost.json").read_text())
    return score_particles(cell, run_name) | score_map(cell, run_name) | cost


def score_particles(cell: Cell, run_name: str) -> dict[str, Any]:
    """Compare the particles of a run with all true ones, of which none may be found twice.

    Returns
    -------
    dict
        ``particles``, ``precision``, ``recall``, ``f1``; ``off_A``: median distance from the true centre;
        ``shift_A``: length of the mean offset; ``on_contaminant``: share whose centre lies on a contaminant;
        ``view_found`` and ``view_missed``: |cosine| of the angle between the beam and the long axis, or that
        of the ring, of each true particle, uniform in [0, 1] for random views.
    """
    picks, truth = particles_of(cell, run_name), cell.truth_xy_px
    radius_px = MATCH_DIAMETERS * cell.diameter_A / PIXEL_SIZE_A
    scores = score_at([(truth[name], picks[name]) for name in truth], radius_px, None, "greedy")
    found = {name: is_found(truth[name], picks[name], radius_px) for name in truth}
    views = {name: views_of(cell, record) for name, record in cell.records.items()}
    offsets = np.concatenate([offsets_px(truth[name], picks[name], radius_px) for name in truth])
    on_contaminant = np.concatenate([lies_on_contaminant(cell, name, picks[name]) for name in truth])
    return {
        "particles": scores.picks,
        "true_particles": scores.truth,
        "precision": scores.precision,
        "recall": scores.recall,
        "f1": scores.f1,
        "off_A": scores.median_distance * PIXEL_SIZE_A,
        "shift_A": float(np.hypot(*offsets.mean(axis=0))) * PIXEL_SIZE_A if len(offsets) else float("nan"),
        "on_contaminant": float(on_contaminant.mean()) if len(on_contaminant) else 0.0,
        "view_found": np.concatenate([views[name][found[name]] for name in truth]).round(3).tolist(),
        "view_missed": np.concatenate([views[name][~found[name]] for name in truth]).round(3).tolist(),
    }


def particles_of(cell: Cell, run_name: str) -> dict[str, Picks]:
    """Return the positions of the particles of a run on each micrograph."""
    read = read_picks(cell.folder / "Extract" / run_name / "particles.star")
    return {name: read.get(name, Picks(*np.zeros((3, 0)))) for name in cell.truth_xy_px}


def is_found(truth_xy_px: FloatArray, picks: Picks, radius_px: float) -> Mask:
    """Return which true particles have a pick near."""
    if not len(picks):
        return np.zeros(len(truth_xy_px), np.bool_)
    distance, _ = cKDTree(np.stack([picks.x_px, picks.y_px], axis=1)).query(truth_xy_px)
    return np.asarray(distance <= radius_px)


def offsets_px(truth_xy_px: FloatArray, picks: Picks, radius_px: float) -> FloatArray:
    """Return ``(n, 2)`` offsets (x, y) of the picks near a true particle from it."""
    if not len(truth_xy_px):
        return np.zeros((0, 2))
    xy = np.stack([picks.x_px, picks.y_px], axis=1)
    distance, nearest = cKDTree(truth_xy_px).query(xy)
    near = distance <= radius_px
    return xy[near] - truth_xy_px[nearest[near]]


def views_of(cell: Cell, record: dict[str, Any]) -> FloatArray:
    """Return |cosine| of the angle between the beam and the molecule's unlike axis of inertia."""
    beam = from_relion_angles(record["angles_deg"]).inv().apply([0.0, 0.0, 1.0])
    return np.abs(long_axis_frame(cell.specimen).apply(beam)[:, 2])


def lies_on_contaminant(cell: Cell, name: str, picks: Picks) -> Mask:
    """Return which picks have their centre on a contaminant."""
    labels = mrcfile.read(cell.folder / "Truth" / f"{Path(name).stem}_labels.mrc")
    rows, columns = (
        np.rint(at).astype(int).clip(0, n - 1)
        for at, n in zip((picks.y_px, picks.x_px), labels.shape, strict=True)
    )
    return np.asarray(labels[rows, columns] == CONTAMINANT)


def score_map(cell: Cell, run_name: str) -> dict[str, Any]:
    """Compare the sum of the half maps with the true map, both under the soft mask.

    Returns
    -------
    dict
        ``fsc_truth``: the curve; ``truth_05_A``, ``truth_0143_A``: where it falls below 0.5 and 0.143;
        ``mask_check``: what the mask alone makes at the former, with phases randomised; ``halves_0143_A``: of
        the half maps, as RELION's postprocessing corrects it for the mask; ``area``: sum of the curve.
    """
    truth, mask = (read_map(cell.folder / "Maps" / f"{name}.mrc") for name in ("truth", "mask"))
    refined = in_the_hand_of(truth, summed_halves(cell, run_name), mask, cell.structure.symmetry)
    curve = fourier_shell_correlation(refined * mask, truth * mask)
    first = first_below(curve, RANDOMISED_BELOW)
    random = fourier_shell_correlation(randomised(refined, int(first)) * mask, truth * mask)
    at_05 = first_below(curve, 0.5)
    post = starfile.read(cell.folder / "Refine" / run_name / "post.star", always_dict=True)["general"]
    width_A = len(truth) * BOX_PIXEL_A
    return {
        "truth_05_A": width_A / at_05,
        "truth_0143_A": width_A / first_below(curve, 0.143),
        "mask_check": float(random[min(round(at_05), len(random) - 1)]),
        "halves_0143_A": float(post["rlnFinalResolution"]),
        "area": float(curve[1:].sum()),
        "fsc_truth": [round(float(value), 4) for value in curve],
    }


def read_map(path: Path) -> torch.Tensor:
    """Read a map."""
    return torch.from_numpy(mrcfile.read(path).copy())


def summed_halves(cell: Cell, run_name: str) -> torch.Tensor:
    """Return the sum of the two half maps of a run, which nothing has filtered."""
    folder = cell.folder / "Refine" / run_name
    first, second = (read_map(folder / f"run_half{half}_class001_unfil.mrc") for half in (1, 2))
    return first + second


def in_the_hand_of(
    truth: torch.Tensor, refined: torch.Tensor, mask: torch.Tensor, symmetry: str
) -> torch.Tensor:
    """Return a map or its mirror image, whichever is more like the truth, where the reference has no hand.

    Projections are those of both hands. The reference decides, but a virus has none at 30 Å, and a mirror
    image in this frame has the same axes of symmetry.

    Parameters
    ----------
    truth, refined, mask : Tensor
        ``(n, n, n)`` maps, and the weight of each voxel.
    symmetry : str
        Point group.
    """
    if not symmetry.startswith("I"):
        return refined
    return max(
        (refined, mirrored(refined)),
        key=lambda one: float(fourier_shell_correlation(one * mask, truth * mask)[1:].sum()),
    )


def mirrored(density: torch.Tensor) -> torch.Tensor:
    """Return the mirror image of a map through the plane of its voxel ``n // 2`` along the first axis."""
    return density.flip(0).roll(1 - len(density) % 2, 0)


def first_below(curve: torch.Tensor, level: float) -> float:
    """Return where a curve first falls below a level, in shells, between two of them linearly."""
    below = (curve[1:] < level).nonzero()
    if not len(below):
        return float(len(curve) - 1)
    shell = int(below[0]) + 1
    before, after = float(curve[shell - 1]), float(curve[shell])
    return shell - 1 + (before - level) / (before - after)


def randomised(density: torch.Tensor, first_shell: int) -> torch.Tensor:
    """Return a map with random phases from a shell on (Chen et al. 2013)."""
    n = len(density)
    frequencies = (torch.fft.fftfreq(n) * n, torch.fft.fftfreq(n) * n, torch.fft.rfftfreq(n) * n)
    radius = torch.stack(torch.meshgrid(*frequencies, indexing="ij")).norm(dim=0)
    noise = torch.fft.rfftn(torch.randn(density.shape, generator=torch.Generator().manual_seed(1)))
    transform = torch.fft.rfftn(density)
    random = transform.abs() * noise / noise.abs()
    return torch.fft.irfftn(torch.where(radius < first_shell, transform, random), s=density.shape)
