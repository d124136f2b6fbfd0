"""One simulated micrograph: particles, ice and contaminants, through the microscope to grey values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2
from torch_ctf import calculate_ctf_2d

from cryoseg_ext.simulation.conditions import Conditions
from cryoseg_ext.simulation.contaminants import draw_contaminants
from cryoseg_ext.simulation.placement import (
    Image,
    blur,
    draw_orientations,
    frequency_squared,
    place_centres,
    project,
    smooth_field,
)
from cryoseg_ext.simulation.specimens import Specimen

BACKGROUND, PARTICLE, CONTAMINANT = 0, 1, 2
SNR_PIXELS_PER_DIAMETER = 24
"""The signal-to-noise ratio is stated for pixels of this fraction of the particle diameter."""


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
    level = _typical_density(density, centres)
    labels = np.where(blur(density, 0.05 * diameter_px) > 0.3 * level, PARTICLE, BACKGROUND).astype(np.int8)
    if conditions.contaminated:
        extra, where = draw_contaminants(rng, field, diameter_px, specimen, level)
        density = density + extra
        labels[where] = CONTAMINANT
    clean, noise = _image(rng, density, labels == PARTICLE, pixel_size_A, diameter_A, conditions)
    image = _process(clean + noise, pixel_size_A, diameter_A, conditions)

    crop = np.s_[margin : margin + shape[0], margin : margin + shape[1]]
    kept = labels[centres[:, 1].astype(int), centres[:, 0].astype(int)] != CONTAMINANT
    x_px, y_px = centres[kept].T - margin
    inside = (x_px > -0.5) & (x_px < shape[1] - 0.5) & (y_px > -0.5) & (y_px < shape[0] - 0.5)
    return SimulatedMicrograph(image[crop], clean[crop], labels[crop], x_px[inside], y_px[inside])


def _typical_density(density: Image, centres: NDArray[np.float64]) -> float:
    """Return the median projected density where there is any."""
    occupied = density[density > 0.05 * density.max()] if len(centres) else np.ones(1)
    return float(np.median(occupied))


def _image(
    rng: np.random.Generator,
    density: Image,
    particles: NDArray[np.bool_],
    pixel_size_A: float,
    diameter_A: float,
    conditions: Conditions,
) -> tuple[Image, Image]:
    """Return the clean image and the noise, scaled to the signal-to-noise ratio asked for."""
    shape = density.shape
    k2 = frequency_squared(shape, pixel_size_A)
    ctf = _contrast_transfer(shape, pixel_size_A, conditions)
    envelope = np.exp(-conditions.b_factor_A2 / 4 * k2)
    clean: Image = irfft2(rfft2(density) * -ctf * envelope, s=shape)
    thickness = np.exp(
        conditions.thickness_gradient * smooth_field(rng, (shape[0], shape[1]), max(shape) / 3)
    )
    signal = clean[particles].std() if particles.any() else 0.0
    clean = clean * (thickness * np.float32(conditions.snr / max(float(signal), 1e-6)))

    unit_A = diameter_A / SNR_PIXELS_PER_DIAMETER
    spectrum = 1 / (1 + conditions.noise_length_A**2 * k2)
    power = spectrum**2 * (1 - conditions.ice_noise + conditions.ice_noise * 2 * (ctf * envelope) ** 2)
    in_band = power[k2 <= (0.5 / unit_A) ** 2]
    variance = float(in_band.mean()) * (pixel_size_A / unit_A) ** 2
    white = rfft2(rng.standard_normal(shape, dtype=np.float32))
    noise: Image = irfft2(white * np.sqrt(power / variance), s=shape)
    gradient = conditions.ice_gradient * smooth_field(rng, (shape[0], shape[1]), max(shape) / 3)
    return clean.astype(np.float32), (noise + gradient).astype(np.float32)


def _contrast_transfer(shape: tuple[int, ...], pixel_size_A: float, conditions: Conditions) -> Image:
    ctf = calculate_ctf_2d(
        defocus=conditions.defocus_um,
        astigmatism=conditions.astigmatism_um,
        astigmatism_angle=conditions.astigmatism_angle_deg,
        voltage=conditions.voltage_kV,
        spherical_aberration=conditions.spherical_aberration_mm,
        amplitude_contrast=conditions.amplitude_contrast,
        phase_shift=0.0,
        pixel_size=pixel_size_A,
        image_shape=(shape[0], shape[1]),
        rfft=True,
        fftshift=False,
    )
    transfer: Image = ctf.to(torch.float32).numpy()
    return transfer


def _process(image: Image, pixel_size_A: float, diameter_A: float, conditions: Conditions) -> Image:
    """Filter and stretch as files from other programs often are."""
    k2 = frequency_squared(image.shape, pixel_size_A)
    transfer = np.ones_like(k2)
    if conditions.low_pass is not None:
        cutoff = conditions.low_pass * SNR_PIXELS_PER_DIAMETER / diameter_A
        transfer *= 1 / (1 + (k2 / cutoff**2) ** 4)
    if conditions.high_pass is not None:
        transfer *= 1 - np.exp(-k2 * (conditions.high_pass * diameter_A) ** 2)
    image = irfft2(rfft2(image) * transfer, s=image.shape).astype(np.float32)
    if conditions.clip is not None:
        limit = conditions.clip * image.std()
        image = np.clip(image, image.mean() - limit, image.mean() + limit)
    return image
