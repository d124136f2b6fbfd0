"""Conditions of a usual session, and draws of those that change from one micrograph to the next."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cryoseg_ext.simulation.conditions import Conditions, draw_conditions

TYPICAL_DEFOCUS_UM = (0.8, 2.5)
"""Range of the underfocus in a usual session in µm."""

TYPICAL = Conditions()
"""A 300 kV session of a well-behaved specimen at 40 e/Å^2, motion-corrected and otherwise unprocessed.

Its `snr` takes effect where the dose is removed, as in the paper's protocol."""

_CHANGING = (
    *("defocus_um", "astigmatism_um", "astigmatism_angle_deg"),
    *("ice_gradient", "thickness_gradient", "coverage", "clustering", "contaminated"),
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
