"""One simulated micrograph: particles, ice and contaminants, through the microscope to grey values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from cryoseg_ext.arrays import FloatArray, Image, Mask
from cryoseg_ext.network.classes import BACKGROUND, CONTAMINANT, PARTICLE
from cryoseg_ext.simulation import dose
from cryoseg_ext.simulation.conditions import TYPICAL_DOSE_E_A2, Conditions
from cryoseg_ext.simulation.contaminants import draw_contaminants
from cryoseg_ext.simulation.film import CONTINUOUS_SHARE, Film, draw_film, draw_potential
from cryoseg_ext.simulation.imaging import Scale, form_image, process_file
from cryoseg_ext.simulation.instances import PlacedParticles, instance_map
from cryoseg_ext.simulation.placement import draw_orientations, pad_field, place_centres, project, silhouette
from cryoseg_ext.simulation.specimens import Specimen
from cryoseg_ext.simulation.stain import with_stain

FILM_SHARE = 0.2
"""Share of the contaminated micrographs that show the edge of a carbon film."""


@dataclass(frozen=True)
class SimulatedMicrograph:
    """A micrograph and the truth about it.

    Parameters
    ----------
    image, clean : NDArray[np.float32]
        ``(y, x)`` with and without noise. Particles are dark, as in a raw micrograph; the noise has variance
        1 in pixels of 1/24 of the particle diameter.
    labels : NDArray[np.int8]
        ``(y, x)`` class of each pixel, see `cryoseg_ext.network.classes`.
    x_px, y_px : NDArray[np.float64]
        ``(n,)`` projected centres of mass, in px, of the intact particles inside the field.
    conditions : Conditions
        Conditions of the simulation, with the parameters of the CTF.
    placed : PlacedParticles
        All particles, also those cut by the rim or hidden by a contaminant.
    """

    image: Image
    clean: Image
    labels: NDArray[np.int8]
    x_px: FloatArray
    y_px: FloatArray
    conditions: Conditions
    placed: PlacedParticles

    @property
    def orientations(self) -> Rotation:
        """The `n` rotations of the specimen into the microscope's frame; the beam runs along z."""
        return self.placed.orientations[self.placed.number > 0]

    @cached_property
    def instances(self) -> NDArray[np.int32]:
        """``(y, x)`` instance map: k on the pixels of the k-th particle of `x_px`, counted from 1; else 0.

        Where particles overlap, the pixel belongs to the one with the highest projected density. The map is
        computed at first use, because training does not need it.
        """
        return instance_map(self.placed, self.labels == PARTICLE)


def simulate_micrograph(
    rng: Generator,
    shape: tuple[int, int],
    pixel_size_A: float,
    specimen: Specimen,
    diameter_A: float,
    conditions: Conditions,
) -> SimulatedMicrograph:
    """Simulate one micrograph, in the weak-phase approximation, of particles at random positions.

    Parameters
    ----------
    rng : np.random.Generator
        Source of positions, orientations, contaminants and noise.
    shape : tuple of int
        ``(y, x)`` in px.
    pixel_size_A : float
        Å/px.
    specimen : Specimen
        The molecule.
    diameter_A : float
        Its maximum extent in Å.
    conditions : Conditions
        Preparation, imaging and processing.
    """
    return simulate_at(rng, shape, Scale(pixel_size_A, diameter_A), specimen, conditions, None)


def simulate_at(
    rng: Generator,
    shape: tuple[int, int],
    scale: Scale,
    specimen: Specimen,
    conditions: Conditions,
    centres_px: FloatArray | None,
) -> SimulatedMicrograph:
    """Simulate one micrograph of particles at given positions, else as `simulate_micrograph`.

    Parameters
    ----------
    rng : np.random.Generator
        Source of orientations, contaminants and noise.
    shape : tuple of int
        ``(y, x)`` in px.
    scale : Scale
        Pixel size and maximum extent of the molecule.
    specimen : Specimen
        The molecule.
    conditions : Conditions
        Preparation, imaging and processing.
    centres_px : NDArray[np.float64] or None
        ``(n, 2)`` centres of mass (x, y) of the particles; those that touch a film without particles are left
        out. None draws them with the coverage, spacing and clustering of `conditions`.
    """
    margin, padded, crop = pad_field(shape, scale.diameter_px)
    film = _draw_film(rng, padded, conditions)
    if centres_px is None:
        centres = place_centres(
            rng, padded, scale.diameter_px, conditions.coverage, conditions.spacing, conditions.clustering
        )
    else:
        centres = centres_px + margin
    if film is not None and not conditions.particles_on_film:
        centres = centres[film.beyond_px(*centres.T) < -scale.diameter_px / 2]
    orientations = draw_orientations(rng, len(centres), conditions.preferred_view)
    contrast = np.exp(conditions.contrast_spread * rng.normal(size=len(centres)))
    particles = project(specimen, orientations, centres, padded, scale.diameter_px, contrast)
    density, labels = add_contaminants(rng, particles, film, specimen, scale, conditions)
    if conditions.stain and particles.any():
        density = with_stain(rng, density, scale.diameter_px, conditions.stain)
    # At the rim of the padded field a film meets the ice of the opposite side.
    visible = np.zeros(padded, np.bool_)
    visible[crop] = labels[crop] == PARTICLE
    image, clean, conditions = expose(rng, density, visible, specimen, scale, conditions)

    kept = labels[centres[:, 1].astype(int), centres[:, 0].astype(int)] != CONTAMINANT
    x_px, y_px = centres.T - margin
    kept &= (x_px > -0.5) & (x_px < shape[1] - 0.5) & (y_px > -0.5) & (y_px < shape[0] - 0.5)
    number = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    placed = PlacedParticles(specimen, scale.diameter_px, centres - margin, orientations, number)
    return SimulatedMicrograph(
        image[crop], clean[crop], labels[crop], x_px[kept], y_px[kept], conditions, placed
    )


def _draw_film(rng: Generator, shape: tuple[int, int], conditions: Conditions) -> Film | None:
    if not conditions.contaminated or rng.uniform() >= FILM_SHARE:
        return None
    continuous = rng.uniform() < CONTINUOUS_SHARE and not conditions.particles_on_film
    return draw_film(rng, shape, continuous=continuous)


def add_contaminants(
    rng: Generator,
    particles: Image,
    film: Film | None,
    specimen: Specimen,
    scale: Scale,
    conditions: Conditions,
) -> tuple[Image, NDArray[np.int8]]:
    """Return the density of everything in the field, and the class of each pixel.

    Parameters
    ----------
    rng : np.random.Generator
        Source of their kinds, numbers and positions.
    particles : NDArray[np.float32]
        ``(y, x)`` projected density of the particles.
    film : Film or None
        Carbon film.
    specimen : Specimen
        The molecule.
    scale : Scale
        Pixel size and maximum extent of the molecule.
    conditions : Conditions
        Conditions of the simulation.
    """
    outline = silhouette(particles, scale.diameter_px)
    labels = np.where(outline, PARTICLE, BACKGROUND).astype(np.int8)
    if not conditions.contaminated:
        return particles, labels
    extra, where = draw_contaminants(rng, particles, outline, scale.diameter_px, specimen)
    density = particles + extra
    labels[where] = CONTAMINANT
    if film is not None:
        y, x = np.ogrid[: density.shape[0], : density.shape[1]]
        beyond_px = film.beyond_px(x, y)
        potential = draw_potential(rng, beyond_px, scale.pixel_size_A)
        density += potential / np.float32(dose.POTENTIAL_V * _protein_A(specimen, scale))
        labels[beyond_px > 0] = CONTAMINANT
    return density, labels


def expose(
    rng: Generator, density: Image, particles: Mask, specimen: Specimen, scale: Scale, conditions: Conditions
) -> tuple[Image, Image, Conditions]:
    """Return the image with and without noise, and the conditions with the ratio that a dose results in.

    Parameters
    ----------
    rng : np.random.Generator
        Source of the noise.
    density : NDArray[np.float32]
        ``(y, x)`` projected density of everything.
    particles : NDArray[np.bool_]
        ``(y, x)`` pixels in whose signal the ratio is measured.
    specimen : Specimen
        The molecule, whose density the signal at a dose is of.
    scale : Scale
        Pixel size and maximum extent of the molecule.
    conditions : Conditions
        Conditions of the simulation.
    """
    signal_at_dose = _signal_at_dose(conditions, particles, specimen, scale)
    clean, noise = form_image(rng, density, particles, scale, conditions, signal_at_dose)
    image = process_file(clean + noise, scale, conditions)
    if signal_at_dose is not None and particles.any():
        conditions = replace(conditions, snr=float(clean[particles].std()))
    return image, clean, conditions


def _signal_at_dose(
    conditions: Conditions, particles: Mask, specimen: Specimen, scale: Scale
) -> float | None:
    """Return the signal of one unit of projected density at the dose; None where `snr` decides."""
    dose_e_A2 = conditions.dose_e_A2
    if dose_e_A2 is None and not particles.any():
        dose_e_A2 = TYPICAL_DOSE_E_A2  # Without particles there is no signal to set a ratio by.
    if dose_e_A2 is None:
        return None
    mean = dose.mean_over_noise(dose_e_A2, conditions.ice_noise, scale.snr_pixel_A)
    return mean * _protein_A(specimen, scale) * dose.signal_per_protein_A(conditions.voltage_kV)


def _protein_A(specimen: Specimen, scale: Scale) -> float:
    return dose.protein_A_per_density(specimen, scale.diameter_A, scale.pixel_size_A)
