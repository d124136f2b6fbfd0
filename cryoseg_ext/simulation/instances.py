"""The instance map: which particle each pixel of a simulated field shows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len
from scipy.spatial.transform import Rotation

from cryoseg_ext.arrays import FloatArray, Mask
from cryoseg_ext.simulation.placement import OUTLINE_BLUR, project
from cryoseg_ext.simulation.specimens import Specimen


@dataclass(frozen=True)
class PlacedParticles:
    """All particles whose density may reach into a field.

    Parameters
    ----------
    specimen : Specimen
        The molecule.
    diameter_px : float
        Its maximum extent in px.
    centres_px : NDArray[np.float64]
        ``(m, 2)`` projected centres of mass (x, y) in pixels of the field.
    orientations : Rotation
        `m` rotations of the specimen into the microscope's frame; the beam runs along z.
    number : NDArray[np.int32]
        ``(m,)`` numbers from 1 of the particles that the truth lists; 0 for the others, whose centre lies
        outside the field or under a contaminant.
    """

    specimen: Specimen
    diameter_px: float
    centres_px: FloatArray
    orientations: Rotation
    number: NDArray[np.int32]


def instance_map(particles: PlacedParticles, is_particle: Mask) -> NDArray[np.int32]:
    """Return the number of the particle that each pixel shows.

    Where particles overlap in projection, a pixel belongs to the one with the highest density there.

    Parameters
    ----------
    particles : PlacedParticles
        The particles of the field.
    is_particle : NDArray[np.bool_]
        ``(y, x)`` pixels with the label of particles.

    Returns
    -------
    NDArray[np.int32]
        ``(y, x)`` numbers; 0 where there is no particle, or one that the truth does not list.
    """
    height, width = is_particle.shape
    highest, owner = np.zeros((height, width), np.float32), np.zeros((height, width), np.int32)
    bead_sigma = float(np.hypot(particles.specimen.bead_sigma, OUTLINE_BLUR))
    specimen = replace(particles.specimen, bead_sigma=bead_sigma)
    radius = np.linalg.norm(specimen.positions, axis=1).max() + 3 * specimen.bead_sigma
    half = int(np.ceil(radius * particles.diameter_px)) + 1
    size = next_fast_len(2 * half + 1, real=True)
    for k, number in enumerate(particles.number):
        left, top = np.floor(particles.centres_px[k]).astype(int) - half
        rows = slice(max(top, 0), min(top + size, height))
        columns = slice(max(left, 0), min(left + size, width))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            continue
        centre = particles.centres_px[k : k + 1] - [left, top]
        density = project(
            specimen, particles.orientations[k : k + 1], centre, (size, size), particles.diameter_px
        )
        density = density[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        higher = density > highest[rows, columns]
        highest[rows, columns][higher] = density[higher]
        owner[rows, columns][higher] = number
    owner[~is_particle] = 0
    return owner
