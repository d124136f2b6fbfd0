"""The microscope, the detector and the file: from projected density to grey values."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2
from torch_ctf import calculate_ctf_2d

from cryoseg_ext.simulation.conditions import GAIN_FREQUENCIES, Conditions
from cryoseg_ext.simulation.dose import dose_weighted_envelope
from cryoseg_ext.simulation.placement import Image, blur, frequency_squared, smooth_field

SNR_PIXELS_PER_DIAMETER = 24
"""The signal-to-noise ratio is stated for pixels of this fraction of the particle diameter."""


def form_image(
    rng: np.random.Generator,
    density: Image,
    particles: NDArray[np.bool_],
    pixel_size_A: float,
    diameter_A: float,
    conditions: Conditions,
    signal_at_dose: float | None = None,
) -> tuple[Image, Image]:
    """Return the clean image and the noise, scaled to the signal-to-noise ratio asked for.

    Where `signal_at_dose` is given, it is what a unit of projected density adds to the image in units of the
    noise, before the contrast transfer.
    """
    shape = density.shape
    k2 = frequency_squared(shape, pixel_size_A)
    ctf = _contrast_transfer(shape, pixel_size_A, conditions)
    envelope = np.exp(-conditions.b_factor_A2 / 4 * k2) * _drift(rng, shape, pixel_size_A, conditions)
    if conditions.weighted_dose_e_A2 is not None:
        envelope *= dose_weighted_envelope(k2, conditions.weighted_dose_e_A2, conditions.voltage_kV)
    clean: Image = irfft2(rfft2(density) * -ctf * envelope, s=shape)
    thickness = np.exp(
        conditions.thickness_gradient * smooth_field(rng, (shape[0], shape[1]), max(shape) / 3)
    )
    signal = clean[particles].std() if particles.any() else 0.0
    scale = conditions.snr / max(float(signal), 1e-6) if signal_at_dose is None else signal_at_dose
    clean = clean * (thickness * np.float32(scale))

    unit_A = diameter_A / SNR_PIXELS_PER_DIAMETER
    spectrum = 1 / (1 + conditions.noise_length_A**2 * k2)
    power = spectrum**2 * (1 - conditions.ice_noise + conditions.ice_noise * 2 * (ctf * envelope) ** 2)
    in_band = power[k2 <= (0.5 / unit_A) ** 2]
    variance = float(in_band.mean()) * (pixel_size_A / unit_A) ** 2
    white = rfft2(rng.standard_normal(shape, dtype=np.float32))
    noise: Image = irfft2(white * np.sqrt(power / variance), s=shape)
    if conditions.noise_gradient:
        field = smooth_field(rng, (shape[0], shape[1]), max(shape) / 3)
        noise *= np.exp(np.float32(conditions.noise_gradient) * field)
    gradient = conditions.ice_gradient * smooth_field(rng, (shape[0], shape[1]), max(shape) / 3)
    if conditions.ripple:
        length_px = conditions.ripple_length * diameter_A / pixel_size_A
        gradient = gradient + conditions.ripple * smooth_field(rng, (shape[0], shape[1]), length_px)
    return clean.astype(np.float32), (noise + gradient).astype(np.float32)


def _drift(
    rng: np.random.Generator, shape: tuple[int, ...], pixel_size_A: float, conditions: Conditions
) -> Image:
    """Return the envelope of a Gaussian smear along a random direction."""
    direction = rng.uniform(0, np.pi)
    ky, kx = np.fft.fftfreq(shape[0], pixel_size_A), np.fft.rfftfreq(shape[1], pixel_size_A)
    along = ky[:, None] * np.sin(direction) + kx[None] * np.cos(direction)
    envelope: Image = np.exp(-2 * (np.pi * conditions.drift_A * along) ** 2).astype(np.float32)
    return envelope


def _contrast_transfer(shape: tuple[int, ...], pixel_size_A: float, conditions: Conditions) -> Image:
    ctf = calculate_ctf_2d(
        defocus=conditions.defocus_um,
        astigmatism=conditions.astigmatism_um,
        astigmatism_angle=conditions.astigmatism_angle_deg,
        voltage=conditions.voltage_kV,
        spherical_aberration=conditions.spherical_aberration_mm,
        amplitude_contrast=conditions.amplitude_contrast,
        phase_shift=conditions.phase_shift_deg,
        pixel_size=pixel_size_A,
        image_shape=(shape[0], shape[1]),
        rfft=True,
        fftshift=False,
    )
    transfer: Image = ctf.to(torch.float32).numpy()
    return transfer


def process_file(image: Image, pixel_size_A: float, diameter_A: float, conditions: Conditions) -> Image:
    """Filter and stretch as files from other programs often are."""
    k2 = frequency_squared(image.shape, pixel_size_A)
    transfer = np.exp(-2 * (np.pi * conditions.detector_blur_px * pixel_size_A) ** 2 * k2)
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
        image = _even_contrast(image, conditions.local_contrast * diameter_A / pixel_size_A)
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
    evened: Image = (image - mean) / np.sqrt(np.maximum(variance, 1e-3 * variance.mean()))
    return evened
