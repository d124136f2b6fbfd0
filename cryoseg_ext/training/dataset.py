"""Simulated training fields at the working scale, made on the fly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from cryoseg_ext.arrays import FloatArray, Image, Mask
from cryoseg_ext.image.scale import WORKING_DIAMETER_PX, WorkingMicrograph, normalise
from cryoseg_ext.network.classes import UNKNOWN
from cryoseg_ext.progress import tracked
from cryoseg_ext.simulation import (
    Scale,
    SimulatedMicrograph,
    Specimen,
    draw_conditions,
    draw_specimen,
    simulate_micrograph,
)
from cryoseg_ext.simulation.filaments import FilamentField, simulate_filaments
from cryoseg_ext.simulation.stain import in_stain
from cryoseg_ext.simulation.structures import specimen_from_file, structure_files

CENTRE_SIGMA_PX = 2.5
"""Width of the Gaussians of the centre map."""
STAINED_SHARE = 0.06
"""Share of the fields in negative stain."""
EMPTY_SHARE = 0.1
"""Share of the fields without a particle."""
FILAMENT_SHARE = 0.12
"""Share of the fields of long filaments, told their width. They have no centres."""
TRUE_OVER_STATED = (0.7, 1.3)
"""Range of the true maximum extent over the diameter that a user states."""


class SimulatedFields(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Endless fields; item `index` is the same whatever the number of workers.

    Parameters
    ----------
    n : int
        Number of fields.
    field_px : int
        Width and height in working pixels.
    seed : int
        Random seed: two data sets with different seeds share no field.
    library : sequence of Specimen
        Structures to draw from beside the procedural ones.
    """

    def __init__(self, n: int, field_px: int, seed: int, library: Sequence[Specimen] = ()) -> None:
        self.n, self.field_px, self.seed, self.library = n, field_px, seed, library

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return image ``(1, y, x)``, labels ``(y, x)`` with -1 to ignore, centre map ``(y, x)``."""
        rng = np.random.default_rng([self.seed, index])
        field: SimulatedMicrograph | FilamentField
        if rng.uniform() < FILAMENT_SHARE:
            field, (x_px, y_px) = simulate_filament_field(rng, self.field_px), np.zeros((2, 0))
        else:
            field = simulate_field(rng, self.field_px, library=self.library)
            x_px, y_px = field.x_px, field.y_px
        valid = _valid_area(rng, field.image.shape)
        labels = np.where(valid, field.labels, UNKNOWN).astype(np.int64)
        image = normalise(np.where(valid, field.image, 0).astype(np.float32), valid)
        target = centre_map(x_px, y_px, field.image.shape)
        return torch.from_numpy(image)[None], torch.from_numpy(labels), torch.from_numpy(target)


def load_library(folder: Path, leave_out: Sequence[str] = ()) -> list[Specimen]:
    """Return the structures in a folder, except those named `leave_out`, for the working scale."""
    paths = tracked(structure_files(folder, leave_out), "Reading structures")
    return [specimen_from_file(path, WORKING_DIAMETER_PX)[0] for path in paths]


def simulate_field(
    rng: np.random.Generator, field_px: int, family: str | None = None, library: Sequence[Specimen] = ()
) -> SimulatedMicrograph:
    """Return a random field at the working scale of an inexactly stated diameter.

    Parameters
    ----------
    rng : np.random.Generator
        Decides everything.
    field_px : int
        Width and height in working pixels.
    family : str, optional
        Family of the procedural specimen; any by default.
    library : sequence of Specimen
        Structures to draw from beside the procedural ones.
    """
    stated_A = float(np.exp(rng.uniform(np.log(70), np.log(400))))
    conditions = draw_conditions(rng)
    if rng.uniform() < STAINED_SHARE:
        conditions = in_stain(rng, conditions)
    if rng.uniform() < EMPTY_SHARE:
        # Nothing but what the ice and the grid bring along.
        conditions = replace(conditions, coverage=0.0, contaminated=bool(rng.uniform() < 0.8))
    return simulate_micrograph(
        rng,
        (field_px, field_px),
        stated_A / WORKING_DIAMETER_PX,
        draw_specimen(rng, family, library),
        stated_A * rng.uniform(*TRUE_OVER_STATED),
        conditions,
    )


def simulate_filament_field(rng: np.random.Generator, field_px: int) -> FilamentField:
    """Return a field of filaments at the working scale of an inexactly stated width.

    Parameters
    ----------
    rng : np.random.Generator
        Decides everything.
    field_px : int
        Width and height in working pixels.
    """
    stated_A = float(np.exp(rng.uniform(np.log(60), np.log(350))))
    scale = Scale(stated_A / WORKING_DIAMETER_PX, stated_A * rng.uniform(*TRUE_OVER_STATED))
    return simulate_filaments(rng, (field_px, field_px), scale, draw_conditions(rng))


def working_field(field: SimulatedMicrograph) -> tuple[WorkingMicrograph, FloatArray]:
    """Return a simulated field as a normalised micrograph, and its ``(n, 2)`` centres (x, y) in pixels."""
    valid = np.ones(field.image.shape, np.bool_)
    working = WorkingMicrograph(normalise(field.image, valid), valid, field.image.shape)
    return working, np.stack([field.x_px, field.y_px], axis=1)


def centre_map(
    x_px: FloatArray, y_px: FloatArray, shape: tuple[int, ...], height: FloatArray | float = 1.0
) -> Image:
    """Return the ``(y, x)`` maximum of Gaussians, each with its centre's probability as height.

    Parameters
    ----------
    x_px, y_px : NDArray[np.float64]
        ``(n,)`` centres.
    shape : tuple of int
        ``(y, x)`` of the map.
    height : NDArray[np.float64] or float
        ``(n,)`` probabilities that there is a particle.
    """
    target = np.zeros(shape, np.float32)
    reach = int(np.ceil(4 * CENTRE_SIGMA_PX))
    for x, y, peak in zip(x_px, y_px, np.broadcast_to(height, x_px.shape), strict=True):
        top, left = max(int(y) - reach, 0), max(int(x) - reach, 0)
        part = target[top : int(y) + reach + 1, left : int(x) + reach + 1]
        rows, columns = np.ogrid[: part.shape[0], : part.shape[1]]
        distance2 = (top + rows - y) ** 2 + (left + columns - x) ** 2
        np.maximum(part, peak * np.exp(-distance2 / (2 * CENTRE_SIGMA_PX**2)), out=part)
    return target


def _valid_area(rng: np.random.Generator, shape: tuple[int, ...]) -> Mask:
    """Return all True or, in about one of eight fields, a dead margin on one or two sides."""
    valid = np.ones(shape, np.bool_)
    if rng.uniform() < 0.12:
        valid[: rng.integers(1, shape[0] // 3)] = False
        if rng.uniform() < 0.5:
            valid[:, : rng.integers(1, shape[1] // 3)] = False
        valid = np.rot90(valid, k=int(rng.integers(4)))
    return np.ascontiguousarray(valid)
