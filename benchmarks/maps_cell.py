"""One cell of the comparison: a simulated session of one structure and seed, as a RELION project."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from maps_truth import write_truth

from cryoseg_ext.arrays import FloatArray
from cryoseg_ext.files import replace_text
from cryoseg_ext.simulation.session import SessionOptions, load_specimens
from cryoseg_ext.simulation.session_files import write_session
from cryoseg_ext.simulation.specimens import Specimen

PIXEL_SIZE_A = 2.0
BOX_PIXEL_A = 3.0
"""Particles are extracted with these pixels, and so are the maps."""
BOX_DIAMETERS, MASK_DIAMETERS = 1.5, 1.2
"""Width of the box, and of RELION's circular mask, in particle diameters."""
DONE = "done"
"""The file that a finished step leaves in its folder."""


@dataclass(frozen=True)
class Structure:
    """What is simulated.

    Parameters
    ----------
    name : str
        Beginning of the name of its atomic model.
    symmetry : str
        Point group that RELION is told: C1, Cn or I1.
    n_particles : int
        Micrographs are simulated until so many particles can be picked.
    note : str
        What it stands for.
    """

    name: str
    symmetry: str
    n_particles: int
    note: str


STRUCTURES = (
    Structure("3cf3", "C6", 300, "ring of 490 kDa"),
    Structure("5gjv", "C1", 300, "membrane protein of 310 kDa"),
    Structure("2buk", "I1", 150, "virus of 1.2 MDa"),
    Structure("4v4r", "C1", 300, "elongated 30S ribosomal subunit"),
    Structure("3d2f", "C1", 700, "complex of 110 kDa"),
)


@dataclass(frozen=True)
class Cell:
    """A structure and a seed.

    Parameters
    ----------
    structure : Structure
        What is simulated.
    seed : int
        Random seed of its micrographs, of its own for each structure.
    model : Path
        The atomic model.
    folder : Path
        The RELION project.
    field_px : int
        Width and height of a micrograph in px.
    """

    structure: Structure
    seed: int
    model: Path
    folder: Path
    field_px: int = 1536

    @cached_property
    def options(self) -> SessionOptions:
        """The session, with contaminants on every micrograph."""
        # Conditions are drawn from the seed: without its own, all structures would have the same ice.
        seed = 100 * (1 + [one.name for one in STRUCTURES].index(self.structure.name)) + self.seed
        return SessionOptions(
            (self.field_px, self.field_px), PIXEL_SIZE_A, (self.model,), contaminants=True, seed=seed
        )

    @cached_property
    def specimen(self) -> Specimen:
        """The molecule."""
        return load_specimens(self.options)[0][0]

    @cached_property
    def diameter_A(self) -> float:
        """Its longest extent, as a user gives it."""
        return load_specimens(self.options)[0][1]

    @cached_property
    def box_px(self) -> int:
        """Box of particles and maps in their own pixels, a multiple of four."""
        return 4 * int(np.ceil(BOX_DIAMETERS * self.diameter_A / BOX_PIXEL_A / 4))

    @property
    def records(self) -> dict[str, dict[str, Any]]:
        """The truth about each micrograph by its name."""
        read = [json.loads(path.read_text()) for path in sorted((self.folder / "Truth").glob("*.json"))]
        return {record["micrograph"]: record for record in read}

    @property
    def truth_xy_px(self) -> dict[str, FloatArray]:
        """``(n, 2)`` centres of the particles of each micrograph."""
        return {name: np.stack([one["x_px"], one["y_px"]], axis=1) for name, one in self.records.items()}

    def simulate(self) -> None:
        """Write micrographs and true maps."""
        once(
            self.folder / "Maps",
            lambda: write_truth(
                self.folder / "Maps", self.model, self.structure.symmetry, self.box_px, BOX_PIXEL_A
            ),
        )
        for n in count(max(len(self.records), 1)):
            write_session(self.folder, self.options, n)
            if sum(map(len, self.truth_xy_px.values())) >= self.structure.n_particles:
                return


def once(folder: Path, work: Callable[[], None]) -> None:
    """Do a step whose files are in `folder`, unless it is done; what a killed one left is removed first."""
    if (folder / DONE).exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    work()
    replace_text(folder / DONE, "")
