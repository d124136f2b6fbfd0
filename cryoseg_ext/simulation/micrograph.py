"""One simulated micrograph: particles, ice and contaminants, through the microscope to grey values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len
from scipy.spatial.transform import Rotation

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.simulation.conditions import Conditions
from cryoseg_ext.simulation.contaminants import draw_contaminants
from cryoseg_ext.simulation.dose import (
    POTENTIAL_V,
    mean_over_noise,
    protein_A_per_density,
    signal_per_protein_A,
)
from cryoseg_ext.simulation.film import draw_film, draw_potential
from cryoseg_ext.simulation.imaging import SNR_PIXELS_PER_DIAMETER, form_image, process_file
from cryoseg_ext.simulation.instances import PlacedParticles, instance_map
from cryoseg_ext.simulation.placement import (
    Image,
    draw_orientations,
    place_centres,
    project,
    silhouette,
)
from cryoseg_ext.simulation.presets import TYPICAL_DOSE_E_A2
from cryoseg_ext.simulation.specimens import Specimen

BACKGROUND, PARTICLE, CONTAMINANT = 0, 1, 2
FILM_SHARE = 0.2
"""Of the contaminated micrographs."""


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
    conditions : Conditions
        What it was simulated with; the CTF is in it.
    placed : PlacedParticles
        All particles, with those cut by the rim or hidden by a contaminant.
    """

    image: Image
    clean: Image
    labels: NDArray[np.int8]
    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    conditions: Conditions
    placed: PlacedParticles

    @property
    def orientations(self) -> Rotation:
        """The `n` rotations of the specimen into the microscope's frame; the beam runs along z."""
        return self.placed.orientations[self.placed.number > 0]

    @cached_property
    def instances(self) -> NDArray[np.int32]:
        """``(y, x)``: k on the pixels of the k-th particle of `x_px`, `y_px`, counted from 1; 0 elsewhere.

        Where particles overlap, the one with the highest projected density has the pixel. Computed when first
        asked for: training has no use for it.
        """
        return instance_map(self.placed, self.labels == PARTICLE)


def simulate_micrograph(
    rng: np.random.Generator,
    shape: tuple[int, int],
    pixel_size_A: float,
    specimen: Specimen,
    diameter_A: float,
    conditions: Conditions,
    centres_px: NDArray[np.float64] | None = None,
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
    centres_px : NDArray[np.float64], optional
        ``(n, 2)`` centres of mass (x, y) of the particles; by default they are drawn, with the coverage,
        spacing and clustering of `conditions`. Either way those that touch a film without particles are left
        out.
    """
    diameter_px = diameter_A / pixel_size_A
    margin = int(np.ceil(diameter_px))
    padded = tuple(next_fast_len(n + 2 * margin, real=True) for n in shape)
    field = (padded[0], padded[1])
    film = draw_film(rng, field) if conditions.contaminated and rng.uniform() < FILM_SHARE else None
    if centres_px is None:
        centres = place_centres(
            rng, field, diameter_px, conditions.coverage, conditions.spacing, conditions.clustering
        )
    else:
        centres = centres_px + margin
    if film is not None and not conditions.particles_on_film:
        centres = centres[film.beyond_px(*centres.T) < -diameter_px / 2]
    orientations = draw_orientations(rng, len(centres), conditions.preferred_view)
    contrast = np.exp(conditions.contrast_spread * rng.normal(size=len(centres)))
    density = project(specimen, orientations, centres, field, diameter_px, contrast)
    outline = silhouette(density, diameter_px)
    labels = np.where(outline, PARTICLE, BACKGROUND).astype(np.int8)
    protein_A = protein_A_per_density(specimen, diameter_A, pixel_size_A)
    if conditions.contaminated:
        extra, where = draw_contaminants(rng, density, outline, diameter_px, specimen)
        density = density + extra
        labels[where] = CONTAMINANT
    if film is not None:
        y, x = np.ogrid[: field[0], : field[1]]
        beyond_px = film.beyond_px(x, y)
        density += draw_potential(rng, beyond_px, pixel_size_A) / np.float32(POTENTIAL_V * protein_A)
        labels[beyond_px > 0] = CONTAMINANT
    crop = np.s_[margin : margin + shape[0], margin : margin + shape[1]]
    # At the rim of the padded field a film meets the ice of the opposite side.
    visible = np.zeros(field, np.bool_)
    visible[crop] = labels[crop] == PARTICLE
    signal_at_dose = _signal_at_dose(conditions, visible, protein_A, diameter_A)
    clean, noise = form_image(rng, density, visible, pixel_size_A, diameter_A, conditions, signal_at_dose)
    image = process_file(clean + noise, pixel_size_A, diameter_A, conditions)
    if signal_at_dose is not None and visible.any():
        conditions = replace(conditions, snr=float(clean[visible].std()))

    kept = labels[centres[:, 1].astype(int), centres[:, 0].astype(int)] != CONTAMINANT
    x_px, y_px = centres.T - margin
    kept &= (x_px > -0.5) & (x_px < shape[1] - 0.5) & (y_px > -0.5) & (y_px < shape[0] - 0.5)
    number = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    placed = PlacedParticles(specimen, diameter_px, centres - margin, orientations, number)
    return SimulatedMicrograph(
        image[crop], clean[crop], labels[crop], x_px[kept], y_px[kept], conditions, placed
    )


def _signal_at_dose(
    conditions: Conditions, particles: NDArray[np.bool_], protein_A: float, diameter_A: float
) -> float | None:
    """Return what a unit of projected density adds to the image at the dose; None where a ratio decides."""
    dose_e_A2 = conditions.dose_e_A2
    if dose_e_A2 is None and not particles.any():
        dose_e_A2 = TYPICAL_DOSE_E_A2  # There is no signal to set a ratio by.
    if dose_e_A2 is None:
        return None
    mean = mean_over_noise(dose_e_A2, conditions.ice_noise, diameter_A / SNR_PIXELS_PER_DIAMETER)
    return mean * protein_A * signal_per_protein_A(conditions.voltage_kV)


def draw_centres(
    rng: np.random.Generator, shape: tuple[int, int], n: int, distance_px: float, rim_px: float
) -> NDArray[np.float64]:
    """Return ``(n, 2)`` random centres (x_px, y_px), `distance_px` from each other and `rim_px` from the rim.

    Random sequential addition, as `cryoseg_ext.simulation.placement.place_centres`, but of exactly `n`.

    Raises
    ------
    CryosegError
        If so many do not fit.
    """
    extent = np.array(shape[::-1]) - 2 * rim_px
    centres = np.empty((0, 2))
    for dart in rng.uniform(size=(200 * n, 2)) * extent + rim_px:
        if len(centres) == n:
            break
        if len(centres) == 0 or ((centres - dart) ** 2).sum(axis=1).min() >= distance_px**2:
            centres = np.append(centres, dart[None], axis=0)
    if len(centres) < n or extent.min() <= 0:
        raise CryosegError(
            f"{n} particles do not fit into {shape[1]} x {shape[0]} px at least {distance_px:.0f} px apart: "
            "ask for fewer, or for a larger micrograph"
        )
    return centres
