"""The microscope, the detector and the file: from projected density to grey values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from scipy.fft import irfft2, rfft2
from torch_ctf import calculate_ctf_2d

from cryoseg_ext.arrays import Image, Mask
from cryoseg_ext.simulation.conditions import GAIN_FREQUENCIES, Conditions
from cryoseg_ext.simulation.dose import dose_weighted_envelope
from cryoseg_ext.simulation.placement import blur, frequency_squared, smooth_field

SNR_PIXELS_PER_DIAMETER = 24
"""The signal-to-noise ratio is stated for pixels of this fraction of the particle diameter."""


@dataclass(frozen=True)
class Scale:
    """The lengths that set the scale of a micrograph.

    Parameters
    ----------
    pixel_size_A : float
        Å/px.
    diameter_A : float
        Maximum extent of the particles in Å.
    """

    pixel_size_A: float
    diameter_A: float

    @property
    def diameter_px(self) -> float:
        """Maximum extent of the particles in px."""
        return self.diameter_A / self.pixel_size_A

    @property
    def snr_pixel_A(self) -> float:
        """Width in Å of the pixels for which the signal-to-noise ratio is stated."""
        return self.diameter_A / SNR_PIXELS_PER_DIAMETER


def form_image(
    rng: Generator,
    density: Image,
    particles: Mask,
    scale: Scale,
    conditions: Conditions,
    signal_at_dose: float | None = None,
) -> tuple[Image, Image]:
    """Form the image of a projected density in the weak-phase approximation, and noise of its own spectrum.

    Parameters
    ----------
    rng : np.random.Generator
        Source of the drift's direction, the uneven ice and the noise.
    density : NDArray[np.float32]
        ``(y, x)`` projected density.
    particles : NDArray[np.bool_]
        ``(y, x)`` pixels in whose signal ``conditions.snr`` is measured.
    scale : Scale
        Pixel size and particle diameter.
    conditions : Conditions
        Microscope, ice and noise.
    signal_at_dose : float, optional
        Signal, before the contrast transfer, of one unit of projected density, in units of the noise. By
        default the signal is scaled to ``conditions.snr``.

    Returns
    -------
    clean : NDArray[np.float32]
        ``(y, x)`` signal, in which particles are dark at underfocus.
    noise : NDArray[np.float32]
        ``(y, x)`` noise and background, in units of the noise in pixels of 1/24 of the diameter.
    """
    shape = (density.shape[0], density.shape[1])
    k2 = frequency_squared(shape, scale.pixel_size_A)
    ctf = _contrast_transfer(shape, scale.pixel_size_A, conditions)
    envelope = np.exp(-conditions.b_factor_A2 / 4 * k2) * _drift(rng, shape, scale.pixel_size_A, conditions)
    if conditions.weighted_dose_e_A2 is not None:
        envelope *= dose_weighted_envelope(k2, conditions.weighted_dose_e_A2, conditions.voltage_kV)
    clean: Image = irfft2(rfft2(density) * -ctf * envelope, s=shape)
    thickness = np.exp(conditions.thickness_gradient * smooth_field(rng, shape, max(shape) / 3))
    signal = clean[particles].std() if particles.any() else 0.0
    factor = conditions.snr / max(float(signal), 1e-6) if signal_at_dose is None else signal_at_dose
    clean = clean * (thickness * np.float32(factor))
    return clean.astype(np.float32), _noise(rng, shape, k2, ctf * envelope, scale, conditions)


def _noise(
    rng: Generator, shape: tuple[int, int], k2: Image, transfer: Image, scale: Scale, conditions: Conditions
) -> Image:
    """Return the noise, part of which `transfer` modulates, and the uneven background."""
    spectrum = 1 / (1 + conditions.noise_length_A**2 * k2)
    power = spectrum**2 * (1 - conditions.ice_noise + conditions.ice_noise * 2 * transfer**2)
    in_band = power[k2 <= (0.5 / scale.snr_pixel_A) ** 2]
    variance = float(in_band.mean()) * (scale.pixel_size_A / scale.snr_pixel_A) ** 2
    white = rfft2(rng.standard_normal(shape, dtype=np.float32))
    noise: Image = irfft2(white * np.sqrt(power / variance), s=shape)
    if conditions.noise_gradient:
        field = smooth_field(rng, shape, max(shape) / 3)
        noise *= np.exp(np.float32(conditions.noise_gradient) * field)
    background = conditions.ice_gradient * smooth_field(rng, shape, max(shape) / 3)
    if conditions.ripple:
        length_px = conditions.ripple_length * scale.diameter_A / scale.pixel_size_A
        background = background + conditions.ripple * smooth_field(rng, shape, length_px)
    if conditions.streaks:
        background = background + conditions.streaks * _streaks(rng, shape, scale.diameter_px)
    return (noise + background).astype(np.float32)


def _streaks(rng: Generator, shape: tuple[int, int], diameter_px: float) -> Image:
    """Return a random field of unit variance whose features are several times longer than wide."""
    ky, kx = np.fft.fftfreq(shape[0]), np.fft.rfftfreq(shape[1])
    direction, width_px = rng.uniform(0, np.pi), diameter_px * rng.uniform(0.3, 2)
    along = ky[:, None] * np.sin(direction) + kx[None] * np.cos(direction)
    across = ky[:, None] * np.cos(direction) - kx[None] * np.sin(direction)
    reach = (width_px * rng.uniform(3, 12) * along) ** 2 + (width_px * across) ** 2
    field = irfft2(rfft2(rng.standard_normal(shape)) * np.exp(-2 * np.pi**2 * reach), s=shape)
    return (field / field.std()).astype(np.float32)


def _drift(rng: Generator, shape: tuple[int, int], pixel_size_A: float, conditions: Conditions) -> Image:
    """Return the envelope of a Gaussian blur along a random direction."""
    direction = rng.uniform(0, np.pi)
    ky, kx = np.fft.fftfreq(shape[0], pixel_size_A), np.fft.rfftfreq(shape[1], pixel_size_A)
    along = ky[:, None] * np.sin(direction) + kx[None] * np.cos(direction)
    return np.exp(-2 * (np.pi * conditions.drift_A * along) ** 2).astype(np.float32)


def _contrast_transfer(shape: tuple[int, int], pixel_size_A: float, conditions: Conditions) -> Image:
    ctf = calculate_ctf_2d(
        defocus=conditions.defocus_um,
        astigmatism=conditions.astigmatism_um,
        astigmatism_angle=conditions.astigmatism_angle_deg,
        voltage=conditions.voltage_kV,
        spherical_aberration=conditions.spherical_aberration_mm,
        amplitude_contrast=conditions.amplitude_contrast,
        phase_shift=conditions.phase_shift_deg,
        pixel_size=pixel_size_A,
        image_shape=shape,
        rfft=True,
        fftshift=False,
    )
    return ctf.to(torch.float32).numpy()


def process_file(image: Image, scale: Scale, conditions: Conditions) -> Image:
    """Filter the image and change its grey values, as the detector and other programs do.

    Parameters
    ----------
    image : NDArray[np.float32]
        ``(y, x)`` image with its noise.
    scale : Scale
        Pixel size and particle diameter.
    conditions : Conditions
        Blur of the detector, filters and change of contrast.

    Returns
    -------
    NDArray[np.float32]
        ``(y, x)`` image as it is stored.
    """
    diameter_A = scale.diameter_A
    k2 = frequency_squared(image.shape, scale.pixel_size_A)
    transfer = np.exp(-2 * (np.pi * conditions.detector_blur_px * scale.pixel_size_A) ** 2 * k2)
    if conditions.low_pass is not None:
        cutoff = conditions.low_pass * SNR_PIXELS_PER_DIAMETER / diameter_A
        transfer *= 1 / (1 + (k2 / cutoff**2) ** 4)
    if conditions.high_pass is not None:
        transfer *= 1 - np.exp(-k2 * (conditions.high_pass * diameter_A) ** 2)
    if conditions.spectral_gain is not None:
        octave = 0.5 * np.log(np.maximum(k2 * diameter_A**2, 1e-6))
        transfer *= np.exp(np.interp(octave, np.log(GAIN_FREQUENCIES), conditions.spectral_gain))
    image = irfft2(rfft2(image) * transfer, s=image.shape).astype(np.float32)
    if conditions.local_contrast is not None:
        image = _even_contrast(image, conditions.local_contrast * diameter_A / scale.pixel_size_A)
    if conditions.skew:
        image = np.expm1(conditions.skew * (image - image.mean()) / image.std()) / conditions.skew
    if conditions.clip is not None:
        limit = conditions.clip * image.std()
        image = np.clip(image, image.mean() - limit, image.mean() + limit)
    return image


def _even_contrast(image: Image, length_px: float) -> Image:
    """Return `image` in units of its own standard deviation within `length_px`, about its local mean."""
    mean = blur(image, length_px)
    variance = blur((image - mean) ** 2, length_px)
    return (image - mean) / np.sqrt(np.maximum(variance, 1e-3 * variance.mean()))
