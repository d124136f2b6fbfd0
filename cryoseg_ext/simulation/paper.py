"""The synthetic micrographs of the paper (Chung & Chou, arXiv 2502.08287).

The protocol is that of the authors' prototype (github.com/phonchi/CryoParticleSegment, folder simulation): a
map projected in random orientations by ASPIRE's ``MicrographSimulation``, one defocus per micrograph, 300 kV,
Cs 2.7 mm, amplitude contrast 0.1, no envelope; no two particles closer than the box is wide, none cut by the
rim; white noise.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cryoseg_ext.simulation.micrograph import SimulatedMicrograph, draw_centres, simulate_micrograph
from cryoseg_ext.simulation.presets import TYPICAL
from cryoseg_ext.simulation.specimens import Specimen

PAPER_SHAPE = (4096, 4096)
PAPER_PIXEL_SIZE_A = 1.77
PAPER_PARTICLES = 150
PAPER_SPLIT = {"train": 58, "val": 9, "test": 17}
PAPER_SNR = 0.1
PAPER_DEFOCI_UM = (1.6, 1.8, 2.0, 2.2, 2.4, 2.6, 2.8, 3.0, 3.2, 3.4)
"""The prototype draws from the defoci of a refinement that is not public; these span those it prints."""
BOX_DIAMETERS = 1.5
"""Width of the box in particle diameters; the prototype's is that of its map, whatever it was."""


def simulate_paper_micrograph(
    rng: np.random.Generator,
    shape: tuple[int, int],
    pixel_size_A: float,
    specimen: Specimen,
    diameter_A: float,
    n_particles: int = PAPER_PARTICLES,
) -> SimulatedMicrograph:
    """Simulate one micrograph as the paper does.

    The signal-to-noise ratio is that of the prototype: variance of the clean micrograph, CTF included, over
    that of the noise, both over the whole micrograph. Most of it is empty, so the ratio inside the particles
    is far higher. The truth is the outline of the clean projection before the CTF, as everywhere in cryoseg;
    the prototype's is the projection of the map's mask above a fixed value.

    Parameters
    ----------
    rng, shape, pixel_size_A, specimen, diameter_A
        As for `cryoseg_ext.simulation.simulate_micrograph`.
    n_particles : int
        Particles on the micrograph.

    Raises
    ------
    CryosegError
        If so many particles do not fit.
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
    box_px = BOX_DIAMETERS * diameter_A / pixel_size_A
    centres_px = draw_centres(rng, shape, n_particles, box_px, box_px / 2)
    simulated = simulate_micrograph(rng, shape, pixel_size_A, specimen, diameter_A, conditions, centres_px)
    noise = simulated.image - simulated.clean
    scale = np.sqrt(PAPER_SNR * noise.var() / simulated.clean.var())
    clean = simulated.clean * scale
    return replace(
        simulated,
        image=clean + noise,
        clean=clean,
        conditions=replace(conditions, snr=float(conditions.snr * scale)),
    )
