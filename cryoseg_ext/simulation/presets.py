"""Conditions of a usual session, and draws of those that change from one micrograph to the next."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cryoseg_ext.simulation.conditions import Conditions, draw_conditions

TYPICAL_DOSE_E_A2 = 40.0
"""Dose of a usual session in e/Å^2."""
TYPICAL_DEFOCUS_UM = (0.8, 2.5)
"""Range of the underfocus in a usual session in µm."""

TYPICAL = Conditions(
    defocus_um=1.8,
    astigmatism_um=0.05,
    astigmatism_angle_deg=30.0,
    voltage_kV=300.0,
    spherical_aberration_mm=2.7,
    amplitude_contrast=0.1,
    phase_shift_deg=0.0,
    b_factor_A2=150.0,
    weighted_dose_e_A2=None,
    drift_A=0.0,
    snr=0.7,
    dose_e_A2=TYPICAL_DOSE_E_A2,
    detector_blur_px=0.4,
    ice_noise=0.3,
    noise_length_A=10.0,
    ice_gradient=0.5,
    ripple=0.0,
    ripple_length=1.0,
    noise_gradient=0.0,
    thickness_gradient=0.1,
    contrast_spread=0.1,
    coverage=0.25,
    spacing=1.0,
    clustering=0.3,
    preferred_view=False,
    contaminated=True,
    particles_on_film=False,
    low_pass=None,
    high_pass=None,
    local_contrast=None,
    spectral_gain=None,
    skew=0.0,
    clip=None,
)
"""A 300 kV session of a well-behaved specimen at 40 e/Å^2, motion-corrected and otherwise unprocessed.

Its `snr` takes effect where the dose is removed, as in the paper's protocol."""

_CHANGING = (
    "defocus_um",
    "astigmatism_um",
    "astigmatism_angle_deg",
    "ice_gradient",
    "thickness_gradient",
    "coverage",
    "clustering",
    "contaminated",
)


def draw_micrograph_conditions(
    rng: np.random.Generator, session: Conditions, defocus_um: tuple[float, float] | None
) -> Conditions:
    """Return the conditions of one micrograph: its own ice, particles and focus, all else from its session.

    Parameters
    ----------
    rng : np.random.Generator
        Source of the micrograph's own conditions.
    session : Conditions
        Conditions that all micrographs of the session share: microscope, noise, processing.
    defocus_um : tuple of float or None
        Range of the mean underfocus in µm, drawn uniformly; None draws it as `draw_conditions` does.
    """
    drawn = draw_conditions(rng)
    if defocus_um is not None:
        chosen = float(rng.uniform(*defocus_um))
        relative = drawn.astigmatism_um / drawn.defocus_um
        drawn = replace(drawn, defocus_um=chosen, astigmatism_um=relative * chosen)
    return replace(session, **{name: getattr(drawn, name) for name in _CHANGING})
