"""A simulated session: many micrographs of one or a few specimens at the same microscope."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.simulation.conditions import TYPICAL_DOSE_E_A2, draw_conditions
from cryoseg_ext.simulation.defects import Defects, with_defects
from cryoseg_ext.simulation.dose import mean_over_noise
from cryoseg_ext.simulation.imaging import Scale
from cryoseg_ext.simulation.micrograph import SimulatedMicrograph, simulate_at
from cryoseg_ext.simulation.paper import PAPER_PARTICLES, simulate_paper_micrograph
from cryoseg_ext.simulation.placement import draw_centres
from cryoseg_ext.simulation.presets import TYPICAL, TYPICAL_DEFOCUS_UM, draw_micrograph_conditions
from cryoseg_ext.simulation.specimens import FAMILIES, Specimen, draw_specimen

# The first number after the seed keeps the random numbers of micrographs, session and detector apart.
_OF_THE_SESSION, _OF_A_MICROGRAPH, _OF_THE_DETECTOR = 0, 1, 2


@dataclass(frozen=True)
class SessionOptions:
    """Everything that decides the micrographs, but not their number.

    Parameters
    ----------
    shape : tuple of int
        ``(y, x)`` of a micrograph in px.
    pixel_size_A : float
        Å/px.
    structures : tuple of Path
        PDB, mmCIF or MRC files, shown on the micrographs in turn; a procedural specimen if there is none.
    family : str or None
        Family of the procedural specimen, see `cryoseg_ext.simulation.specimens.FAMILIES`; None draws it.
    diameter_A : float
        Maximum extent of the procedural specimen in Å; a structure has its own.
    preset : str
        "typical" for a usual 300 kV session, "varied" for a random one that a user may have, "paper" for the
        protocol of the paper.
    snr : float or None
        Signal-to-noise ratio in place of the preset's, see `cryoseg_ext.simulation.Conditions`.
    dose_e_A2 : float or None
        Dose in e/Å^2 in place of the preset's.
    defocus_um : tuple of float or None
        Range of the underfocus in µm in place of the preset's.
    contaminants : bool or None
        Whether all micrographs have contaminants, or none; by default about half have.
    n_particles : int or None
        Number of particles on every micrograph; by default the coverage of the preset decides.
    defects : Defects
        Defects of the detector and the files.
    seed : int
        Random seed; micrograph `index` of a seed is always the same.
    extension : str
        Format of the micrographs, "mrc" or "tif". The truth is always MRC.
    file_mode : str
        Type of the micrographs' grey values: float32, float16, int16 or int8. The truth has its own types.
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
    extension: str = "mrc"
    file_mode: str = "float32"

    def fingerprint(self) -> dict[str, Any]:
        """Return the options for JSON, with the digest of each structure's content in place of its path."""
        content = [hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in self.structures]
        options = asdict(self)
        defects = options.pop("defects")
        return {**options, **defects, "structures": content}


def load_specimens(options: SessionOptions) -> list[tuple[Specimen, float]]:
    """Return the specimens of a session and the maximum extent of each in Å.

    Raises
    ------
    CryosegError
        If a structure cannot be read or the family does not exist.
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
    """Simulate one micrograph of a session.

    Parameters
    ----------
    options : SessionOptions
        Everything that decides the micrographs.
    specimens : sequence of tuple
        Specimens and their maximum extents in Å, from `load_specimens`.
    index : int
        Index of the micrograph, from 0; it shows specimen ``index % len(specimens)``.

    Raises
    ------
    CryosegError
        If ``options.n_particles`` do not fit.
    """
    rng = np.random.default_rng([options.seed, _OF_A_MICROGRAPH, index])
    specimen, diameter_A = specimens[index % len(specimens)]
    scale = Scale(options.pixel_size_A, diameter_A)
    simulated = _without_defects(options, rng, scale, specimen)
    conditions = simulated.conditions
    dose_e_A2 = conditions.dose_e_A2 or TYPICAL_DOSE_E_A2
    mean = mean_over_noise(dose_e_A2, conditions.ice_noise, scale.snr_pixel_A)
    detector_rng = np.random.default_rng([options.seed, _OF_THE_DETECTOR])
    return with_defects(simulated, options.defects, mean, detector_rng, rng)


def _without_defects(
    options: SessionOptions, rng: np.random.Generator, scale: Scale, specimen: Specimen
) -> SimulatedMicrograph:
    if options.preset == "paper":
        n_particles = options.n_particles or PAPER_PARTICLES
        return simulate_paper_micrograph(rng, options.shape, scale, specimen, n_particles)
    typical = options.preset == "typical"
    # A generator of its own, as the microscope must not depend on whether a specimen was drawn before.
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
        distance_px = conditions.spacing * scale.diameter_A / scale.pixel_size_A
        centres_px = draw_centres(rng, options.shape, options.n_particles, distance_px, 0.0)
    return simulate_at(rng, options.shape, scale, specimen, conditions, centres_px)
