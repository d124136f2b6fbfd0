"""A simulated session: many micrographs of the same specimen, or of a few, at the same microscope."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.simulation.conditions import draw_conditions
from cryoseg_ext.simulation.defects import Defects, with_defects
from cryoseg_ext.simulation.dose import mean_over_noise
from cryoseg_ext.simulation.imaging import SNR_PIXELS_PER_DIAMETER
from cryoseg_ext.simulation.micrograph import SimulatedMicrograph, draw_centres, simulate_micrograph
from cryoseg_ext.simulation.paper import PAPER_PARTICLES, simulate_paper_micrograph
from cryoseg_ext.simulation.presets import (
    TYPICAL,
    TYPICAL_DEFOCUS_UM,
    TYPICAL_DOSE_E_A2,
    draw_micrograph_conditions,
)
from cryoseg_ext.simulation.specimens import FAMILIES, Specimen, draw_specimen

# The first number after the seed: no micrograph shares its random numbers with another or with the session.
_OF_THE_SESSION, _OF_A_MICROGRAPH, _OF_THE_DETECTOR = 0, 1, 2


@dataclass(frozen=True)
class SessionOptions:
    """Everything that decides the micrographs, but not how many there are.

    Parameters
    ----------
    shape : tuple of int
        (y, x) in pixels.
    pixel_size_A : float
        Å/px.
    structures : tuple of Path
        PDB, mmCIF or MRC files, on the micrographs in turn; a procedural specimen when there is none.
    family : str or None
        Of the procedural specimen, see `cryoseg_ext.simulation.specimens.FAMILIES`; drawn when None.
    diameter_A : float
        Maximum extent of the procedural specimen; a structure has its own.
    preset : str
        "typical" for a 300 kV session, "varied" for any that users may bring, "paper" for the paper's.
    snr, dose_e_A2, defocus_um, contaminants
        Override the preset, see `cryoseg_ext.simulation.Conditions`.
    n_particles : int or None
        On every micrograph; by default as many as the preset's coverage makes.
    defects : Defects
        Of the detector and the files.
    seed : int
        Micrograph `index` of a seed is always the same.
    """

    shape: tuple[int, int] = (4096, 4096)
    pixel_size_A: float = 1.2
    structures: tuple[Path, ...] = ()
    family: str | None = None
    diameter_A: float = 180.0
    preset: str = "typical"
    snr: float | None = None
    dose_e_A2: float | None = None
    defocus_um: tuple[float, float] | None = None
    contaminants: bool | None = None
    n_particles: int | None = None
    defects: Defects = Defects()
    seed: int = 1

    def fingerprint(self) -> dict[str, Any]:
        """Return the options for JSON; a structure stands for its content, wherever the file is."""
        content = [hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in self.structures]
        given = asdict(self)
        defects = given.pop("defects")
        return {**given, **defects, "structures": content}


def load_specimens(options: SessionOptions) -> list[tuple[Specimen, float]]:
    """Return the specimens of a session with the maximum extent of each in Å.

    Raises
    ------
    CryosegError
        If a structure cannot be read, or there is no such family.
    """
    if options.structures:
        # gemmi, which reads the structures, is an extra.
        from cryoseg_ext.simulation.structures import specimen_from_file

        return [specimen_from_file(path) for path in options.structures]
    if options.family is not None and options.family not in FAMILIES:
        raise CryosegError(f"there is no family {options.family}: give one of {', '.join(FAMILIES)}")
    rng = np.random.default_rng([options.seed, _OF_THE_SESSION])
    return [(draw_specimen(rng, options.family), options.diameter_A)]


def simulate_session_micrograph(
    options: SessionOptions, specimens: Sequence[tuple[Specimen, float]], index: int
) -> SimulatedMicrograph:
    """Simulate micrograph `index` of a session, which shows specimen ``index % len(specimens)``.

    Raises
    ------
    CryosegError
        If `options.n_particles` do not fit.
    """
    rng = np.random.default_rng([options.seed, _OF_A_MICROGRAPH, index])
    specimen, diameter_A = specimens[index % len(specimens)]
    simulated = _without_defects(options, rng, specimen, diameter_A)
    conditions = simulated.conditions
    mean = mean_over_noise(
        conditions.dose_e_A2 or TYPICAL_DOSE_E_A2,
        conditions.ice_noise,
        diameter_A / SNR_PIXELS_PER_DIAMETER,
    )
    detector = np.random.default_rng([options.seed, _OF_THE_DETECTOR])
    return with_defects(simulated, options.defects, mean, detector, rng)


def _without_defects(
    options: SessionOptions, rng: np.random.Generator, specimen: Specimen, diameter_A: float
) -> SimulatedMicrograph:
    if options.preset == "paper":
        n_particles = options.n_particles or PAPER_PARTICLES
        return simulate_paper_micrograph(
            rng, options.shape, options.pixel_size_A, specimen, diameter_A, n_particles
        )
    typical = options.preset == "typical"
    # A stream of its own: the microscope must not depend on whether a specimen was drawn before it.
    session = TYPICAL if typical else draw_conditions(np.random.default_rng([options.seed, _OF_THE_SESSION]))
    if options.snr is not None:
        session = replace(session, snr=options.snr, dose_e_A2=None)
    if options.dose_e_A2 is not None:
        session = replace(session, dose_e_A2=options.dose_e_A2)
    defocus_um = options.defocus_um or (TYPICAL_DEFOCUS_UM if typical else None)
    conditions = draw_micrograph_conditions(rng, session, defocus_um)
    if options.contaminants is not None:
        conditions = replace(conditions, contaminated=options.contaminants)
    centres_px = None
    if options.n_particles is not None:
        distance_px = conditions.spacing * diameter_A / options.pixel_size_A
        centres_px = draw_centres(rng, options.shape, options.n_particles, distance_px, 0.0)
    return simulate_micrograph(
        rng, options.shape, options.pixel_size_A, specimen, diameter_A, conditions, centres_px
    )
