"""The synthetic micrographs of the paper (Chung & Chou, arXiv 2502.08287).

The protocol is that of the authors' prototype (github.com/phonchi/CryoParticleSegment, folder simulation): a
map projected in random orientations by ASPIRE's ``MicrographSimulation``, one defocus per micrograph, 300 kV,
Cs 2.7 mm, amplitude contrast 0.1, no envelope; no two particles closer than the box is wide, none cut by the
rim; white noise.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cryoseg_ext.simulation.imaging import Scale
from cryoseg_ext.simulation.micrograph import SimulatedMicrograph, simulate_at
from cryoseg_ext.simulation.placement import draw_centres
from cryoseg_ext.simulation.presets import TYPICAL
from cryoseg_ext.simulation.specimens import Specimen

PAPER_SHAPE = (4096, 4096)
"""Shape ``(y, x)`` of a micrograph in px."""
PAPER_PIXEL_SIZE_A = 1.77
"""Pixel size in Å/px."""
PAPER_PARTICLES = 150
"""Number of particles on a micrograph."""
PAPER_SPLIT = {"train": 58, "val": 9, "test": 17}
"""Number of micrographs for training, validation and test."""
PAPER_SNR = 0.1
"""Variance of the clean micrograph over that of the noise."""
PAPER_DEFOCI_UM = (1.6, 1.8, 2.0, 2.2, 2.4, 2.6, 2.8, 3.0, 3.2, 3.4)
"""Underfocus values in µm, one of which is drawn. They span those that the prototype prints, because the
refinement it takes them from is not public."""
BOX_DIAMETERS = 1.5
"""Width of the box in particle diameters; the prototype's, that of its map, is not known."""


def simulate_paper_micrograph(
    rng: np.random.Generator,
    shape: tuple[int, int],
    scale: Scale,
    specimen: Specimen,
    n_particles: int = PAPER_PARTICLES,
) -> SimulatedMicrograph:
    """Simulate one micrograph as the paper does.

    The signal-to-noise ratio is that of the prototype: variance of the clean micrograph, CTF included, over
    that of the noise, both over the whole micrograph. Most of it is empty, so the ratio inside the particles
    is far higher. The truth is the outline of the clean projection before the CTF, as everywhere in cryoseg;
    the prototype's is the projection of the map's mask above a fixed value.

    Parameters
    ----------
    rng : np.random.Generator
        Source of defocus, positions, orientations and noise.
    shape : tuple of int
        ``(y, x)`` in px.
    scale : Scale
        Pixel size and maximum extent of the molecule.
    specimen : Specimen
        The molecule.
    n_particles : int
        Number of particles on the micrograph.

    Raises
    ------
    CryosegError
        If that many particles do not fit.
    """
    conditions = replace(
        TYPICAL,
        defocus_um=float(rng.choice(PAPER_DEFOCI_UM)),
        astigmatism_um=0.0,
        b_factor_A2=0.0,
        dose_e_A2=None,
        detector_blur_px=0.0,
        ice_noise=0.0,
        noise_length_A=0.0,
        ice_gradient=0.0,
        thickness_gradient=0.0,
        contrast_spread=0.0,
        contaminated=False,
    )
    box_px = BOX_DIAMETERS * scale.diameter_A / scale.pixel_size_A
    centres_px = draw_centres(rng, shape, n_particles, box_px, box_px / 2)
    simulated = simulate_at(rng, shape, scale, specimen, conditions, centres_px)
    noise = simulated.image - simulated.clean
    factor = np.sqrt(PAPER_SNR * noise.var() / simulated.clean.var())
    clean = simulated.clean * factor
    return replace(
        simulated,
        image=clean + noise,
        clean=clean,
        conditions=replace(conditions, snr=float(conditions.snr * factor)),
    )
