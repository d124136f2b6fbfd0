"""One simulated micrograph: particles, ice and contaminants, through the microscope to grey values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len

from cryoseg_ext.simulation.conditions import Conditions
from cryoseg_ext.simulation.contaminants import draw_contaminants
from cryoseg_ext.simulation.imaging import form_image, process_file
from cryoseg_ext.simulation.placement import (
    Image,
    draw_orientations,
    place_centres,
    project,
    silhouette,
    typical_density,
)
from cryoseg_ext.simulation.specimens import Specimen

BACKGROUND, PARTICLE, CONTAMINANT = 0, 1, 2


@dataclass(frozen=True)
class SimulatedMicrograph:
    """A micrograph and the truth about it.

    Parameters
    ----------
    image, clean : NDArray[np.float32]
        ``(y, x)`` with and without noise; particles are dark, as in a raw micrograph; noise has variance 1 at
        pixels of 1/24 of the particle diameter.
    labels : NDArray[np.int8]
        ``(y, x)``: 0 background, 1 particle, 2 contaminant.
    x_px, y_px : NDArray[np.float64]
        ``(n,)`` projected centres of mass of the intact particles inside the field.
    """

    image: Image
    clean: Image
    labels: NDArray[np.int8]
    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]


def simulate_micrograph(
    rng: np.random.Generator,
    shape: tuple[int, int],
    pixel_size_A: float,
    specimen: Specimen,
    diameter_A: float,
    conditions: Conditions,
) -> SimulatedMicrograph:
    """Simulate one micrograph in the weak-phase approximation.

    Parameters
    ----------
    rng : np.random.Generator
        Decides positions, orientations, contaminants and noise.
    shape : tuple of int
        (y, x) in pixels.
    pixel_size_A : float
        Å/px.
    specimen : Specimen
        The molecule.
    diameter_A : float
        Its maximum extent in Å.
    conditions : Conditions
        Preparation, imaging and processing.
    """
    diameter_px = diameter_A / pixel_size_A
    margin = int(np.ceil(diameter_px))
    padded = tuple(next_fast_len(n + 2 * margin, real=True) for n in shape)
    field = (padded[0], padded[1])
    centres = place_centres(
        rng, field, diameter_px, conditions.coverage, conditions.spacing, conditions.clustering
    )
    orientations = draw_orientations(rng, len(centres), conditions.preferred_view)
    density = project(specimen, orientations, centres, field, diameter_px)
    level = typical_density(density)
    labels = np.where(silhouette(density, diameter_px), PARTICLE, BACKGROUND).astype(np.int8)
    if conditions.contaminated:
        extra, where = draw_contaminants(rng, field, diameter_px, specimen, level)
        density = density + extra
        labels[where] = CONTAMINANT
    clean, noise = form_image(rng, density, labels == PARTICLE, pixel_size_A, diameter_A, conditions)
    image = process_file(clean + noise, pixel_size_A, diameter_A, conditions)

    crop = np.s_[margin : margin + shape[0], margin : margin + shape[1]]
    kept = labels[centres[:, 1].astype(int), centres[:, 0].astype(int)] != CONTAMINANT
    x_px, y_px = centres[kept].T - margin
    inside = (x_px > -0.5) & (x_px < shape[1] - 0.5) & (y_px > -0.5) & (y_px < shape[0] - 0.5)
    return SimulatedMicrograph(image[crop], clean[crop], labels[crop], x_px[inside], y_px[inside])
