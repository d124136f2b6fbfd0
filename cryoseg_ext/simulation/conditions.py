"""How one micrograph was prepared, imaged and processed, and random draws of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cryoseg_ext.simulation.outlines import log_uniform

GAIN_FREQUENCIES = (0.5, 1.0, 2.0, 4.0, 8.0, 12.0)
"""Frequencies at which `Conditions.spectral_gain` is given, in cycles per particle diameter."""
TYPICAL_DOSE_E_A2 = 40.0
"""Dose of a usual session in e/Å^2."""


@dataclass(frozen=True)
class Conditions:
    """Preparation, imaging and processing of one micrograph; by default those of a usual session.

    Parameters
    ----------
    defocus_um, astigmatism_um, astigmatism_angle_deg : float
        Mean underfocus and half the difference of the largest and smallest underfocus, in µm; angle of the
        astigmatism in degrees.
    voltage_kV, spherical_aberration_mm, amplitude_contrast, phase_shift_deg : float
        Accelerating voltage, Cs, amplitude contrast (a fraction), and the phase shift of a phase plate in
        degrees, 0 without one.
    b_factor_A2 : float
        B factor in Å^2: the signal has the envelope ``exp(-B k^2 / 4)``.
    weighted_dose_e_A2 : float or None
        Total dose of a dose-weighted file in e/Å^2, whose damage is then not in the B factor; None if the
        file is not dose-weighted.
    drift_A : float
        Standard deviation, in Å, of the uncorrected motion of the specimen during the exposure, along one
        direction.
    snr : float
        Standard deviation of the signal inside particles over that of the noise, in pixels of 1/24 of the
        particle diameter. Where a dose is given, the simulation replaces it with the ratio that results.
    dose_e_A2 : float or None
        Electrons per Å^2, which decide the signal-to-noise ratio through the physical contrast of protein in
        ice and the shot noise; None where `snr` decides.
    detector_blur_px : float
        Standard deviation of the detector's point spread in pixels of the micrograph.
    ice_noise : float
        Share of the noise variance that the CTF modulates, as it does scattering by ice and carbon, in
        [0, 1].
    noise_length_A : float
        Length L in Å of correlated noise, whose amplitude spectrum is ``1 / (1 + (k L)^2)``; 0 for white
        noise.
    ice_gradient : float
        Standard deviation of the smooth background, in units of the noise.
    ripple, ripple_length : float
        Standard deviation of uneven ice as fine as particles, in units of the noise, and the length in
        particle diameters over which it is correlated.
    streaks : float
        Standard deviation of long, straight streaks of thicker ice, in units of the noise; 0 for none.
    stain : float
        Depth of the negative stain beside a particle, in the typical density of particles; 0 for ice.
    noise_gradient : float
        Standard deviation, across the field, of the logarithm of the noise's strength, from uneven ice.
    thickness_gradient, contrast_spread : float
        Relative variation of the particles' contrast across the field, and from one particle to the next.
    coverage : float
        Share of the area that the particles' discs should cover, in [0, 1]; fewer fit in a crowded field.
    spacing : float
        Smallest distance between two particles in units of their maximum extent.
    clustering : float
        0 spreads the particles evenly, 1 leaves large parts of the field empty.
    preferred_view : bool
        Whether most particles are seen from the same side.
    contaminated : bool
        Whether ice crystals, aggregates, carbon or fragments are added.
    particles_on_film : bool
        Whether particles also lie on carbon film, where there is some, and not only in the ice of the holes.
    low_pass : float or None
        Cut-off of a low-pass filter in cycles per 1/24 of the diameter, as denoised or filtered files have;
        None for no filter.
    high_pass : float or None
        Length in particle diameters above which the background was removed; None where it was not.
    local_contrast : float or None
        Length in particle diameters over which the standard deviation was evened out, as adaptive contrast
        enhancement does; None where it was not.
    spectral_gain : tuple of float or None
        Logarithms of the factors by which another program multiplied the amplitudes at `GAIN_FREQUENCIES`,
        as in whitening, sharpening or a wrong detector correction; None for no such change.
    skew : float
        Grey values `z`, in standard deviations, were changed to ``(exp(skew z) - 1) / skew``, as on film, by
        gamma correction or by histogram equalisation; 0 leaves them.
    clip : float or None
        Number of standard deviations at which grey values were clipped, as in contrast stretching; None for
        no clipping.
    """

    defocus_um: float = 1.8
    astigmatism_um: float = 0.05
    astigmatism_angle_deg: float = 30.0
    voltage_kV: float = 300.0
    spherical_aberration_mm: float = 2.7
    amplitude_contrast: float = 0.1
    phase_shift_deg: float = 0.0
    b_factor_A2: float = 150.0
    weighted_dose_e_A2: float | None = None
    drift_A: float = 0.0
    snr: float = 0.7
    dose_e_A2: float | None = TYPICAL_DOSE_E_A2
    detector_blur_px: float = 0.4
    ice_noise: float = 0.3
    noise_length_A: float = 10.0
    ice_gradient: float = 0.5
    ripple: float = 0.0
    ripple_length: float = 1.0
    streaks: float = 0.0
    stain: float = 0.0
    noise_gradient: float = 0.0
    thickness_gradient: float = 0.1
    contrast_spread: float = 0.1
    coverage: float = 0.25
    spacing: float = 1.0
    clustering: float = 0.3
    preferred_view: bool = False
    contaminated: bool = True
    particles_on_film: bool = False
    low_pass: float | None = None
    high_pass: float | None = None
    local_contrast: float | None = None
    spectral_gain: tuple[float, ...] | None = None
    skew: float = 0.0
    clip: float | None = None


def draw_conditions(rng: np.random.Generator) -> Conditions:
    """Return random conditions that span the sessions of users."""
    phase_plate = rng.uniform() < 0.06
    defocus_um = log_uniform(rng, 0.2, 1.0) if phase_plate else log_uniform(rng, 0.4, 4.0)
    return Conditions(
        defocus_um=defocus_um,
        astigmatism_um=float(rng.uniform(0, 0.05) * defocus_um),
        astigmatism_angle_deg=float(rng.uniform(0, 180)),
        voltage_kV=float(rng.choice([300.0, 300.0, 200.0, 120.0])),
        spherical_aberration_mm=float(rng.choice([2.7, 2.7, 1.4, 0.01])),
        amplitude_contrast=float(rng.uniform(0.07, 0.12)),
        phase_shift_deg=float(rng.uniform(30, 120)) if phase_plate else 0.0,
        b_factor_A2=log_uniform(rng, 50, 500),
        drift_A=log_uniform(rng, 1, 8) if rng.uniform() < 0.3 else 0.0,
        snr=log_uniform(rng, 0.15, 2.0),
        dose_e_A2=None,
        detector_blur_px=0.0,
        ice_noise=float(rng.uniform(0, 0.8) if rng.uniform() < 0.7 else 0.0),
        noise_length_A=log_uniform(rng, 4, 50) if rng.uniform() < 0.8 else 0.0,
        ice_gradient=log_uniform(rng, 0.05, 3.0),
        ripple=log_uniform(rng, 0.03, 0.5) if rng.uniform() < 0.5 else 0.0,
        ripple_length=log_uniform(rng, 0.25, 2.0),
        streaks=log_uniform(rng, 0.1, 1.5) if rng.uniform() < 0.06 else 0.0,
        thickness_gradient=float(rng.uniform(0, 0.4)),
        contrast_spread=float(rng.uniform(0, 0.25)),
        coverage=float(rng.uniform(0.02, 0.6)),
        spacing=float(rng.uniform(0.6, 1.15)),
        clustering=float(rng.uniform() ** 2),
        preferred_view=bool(rng.uniform() < 0.2),
        contaminated=bool(rng.uniform() < 0.55),
        low_pass=log_uniform(rng, 0.06, 0.4) if rng.uniform() < 0.6 else None,
        high_pass=float(rng.uniform(1.0, 4.0)) if rng.uniform() < 0.25 else None,
        local_contrast=log_uniform(rng, 0.5, 4.0) if rng.uniform() < 0.2 else None,
        clip=float(rng.uniform(1.5, 4.0)) if rng.uniform() < 0.2 else None,
        particles_on_film=bool(rng.uniform() < 0.25),
        weighted_dose_e_A2=log_uniform(rng, 20, 80) if rng.uniform() < 0.5 else None,
        noise_gradient=float(rng.uniform(0, 0.2)) if rng.uniform() < 0.4 else 0.0,
        spectral_gain=tuple(rng.normal(0, 0.4, len(GAIN_FREQUENCIES)).tolist())
        if rng.uniform() < 0.4
        else None,
        skew=float(rng.normal(0, 0.2)) if rng.uniform() < 0.3 else 0.0,
    )
