"""Negative stain: a heavy metal salt that dried around the molecules on a carbon film.

The stain is dark and protein, which keeps it out, is bright; what is simulated is the inverted picture, as
``--invert`` makes it, so that protein is dark as in ice. The stain is uneven, gathers around a molecule as a
meniscus, and its grains limit the resolution to some 20 Å (Ohi et al. 2004).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from cryoseg_ext.arrays import Image
from cryoseg_ext.simulation.conditions import Conditions
from cryoseg_ext.simulation.outlines import log_uniform
from cryoseg_ext.simulation.placement import blur, smooth_field, typical_density


def in_stain(rng: Generator, conditions: Conditions) -> Conditions:
    """Return conditions as a microscope for stained specimens has them: high contrast, low resolution."""
    return replace(
        conditions,
        stain=float(rng.uniform(0.3, 2.0)),
        defocus_um=log_uniform(rng, 0.3, 2.0),
        phase_shift_deg=0.0,
        voltage_kV=float(rng.choice([120.0, 120.0, 200.0])),
        amplitude_contrast=float(rng.uniform(0.1, 0.4)),
        b_factor_A2=log_uniform(rng, 300, 2500),
        snr=log_uniform(rng, 0.7, 5.0),
        noise_length_A=log_uniform(rng, 10, 60),
        thickness_gradient=float(rng.uniform(0.1, 0.6)),
        contrast_spread=float(rng.uniform(0.1, 0.4)),
        weighted_dose_e_A2=None,
    )


def with_stain(rng: Generator, density: Image, diameter_px: float, depth: float) -> Image:
    """Return a projected density less that of the stain around it, which is bright in the inverted picture.

    Parameters
    ----------
    rng : np.random.Generator
        Source of the width of the meniscus and of the unevenness.
    density : NDArray[np.float32]
        ``(y, x)`` projected density.
    diameter_px : float
        Maximum extent of the particles in px.
    depth : float
        Depth of the stain beside a particle, in their typical density.
    """
    level = np.float32(typical_density(density))
    covered = np.clip(density / max(float(level), 1e-6), 0, 1)
    meniscus = blur(covered, diameter_px * rng.uniform(0.15, 0.5)) * (1 - covered)
    uneven = np.exp(0.5 * smooth_field(rng, density.shape, diameter_px * log_uniform(rng, 1, 6)))
    pools = smooth_field(rng, density.shape, diameter_px * log_uniform(rng, 0.2, 2)) * rng.uniform(0, 0.4)
    return (density - level * np.float32(depth) * (meniscus * uneven + pools)).astype(np.float32)
