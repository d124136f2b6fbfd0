"""Whether a micrograph seems to have the other contrast than the user says."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.extract.extraction import extract
from cryoseg_ext.image.repair import RepairedMicrograph
from cryoseg_ext.image.scale import WORKING_DIAMETER_PX, WorkingMicrograph, to_working_scale
from cryoseg_ext.model.checkpoint import Model
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.pipeline import PickedMicrograph, calibration_of, maps_of
from cryoseg_ext.size.contrast import expected_number, is_clearly_more, opposite_contrast

LARGER = (1.5, 1.5**2)
"""Diameters that are looked at too, in stated ones: at half the true one hardly a particle is found.

Smaller ones are not needed: at twice the true diameter most particles are still found.
"""


def contrast_hint(picked: PickedMicrograph, model: Model, options: PickingOptions) -> str | None:
    """Return a sentence for the user where the other contrast shows clearly more particles.

    Costs one to two more runs of the network, so use it for one micrograph only.

    Parameters
    ----------
    picked : PickedMicrograph
        The result with `options`.
    model : Model
        The network.
    options : PickingOptions
        What the user decided.
    """
    # Of a mixture of sizes, `picked` has the middle one's scale.
    diameter_A = options.diameters_A[len(options.diameters_A) // 2]
    larger = _larger(picked.working, diameter_A)
    opposite = [
        (replace(working, image=-working.image), size_A)
        for working, size_A in [(picked.working, diameter_A), *larger]
    ]
    n_given = expected_number(picked.candidates.score)
    n_opposite = max(_n_found(opposite, model, options))
    # The given contrast at larger diameters matters only where it could change the answer.
    if is_clearly_more(n_opposite, n_given):
        n_given = max([n_given, *_n_found(larger, model, options)])
    if not is_clearly_more(n_opposite, n_given):
        return None
    contrast, remedy = opposite_contrast(invert=options.invert)
    return (
        f"the first micrograph shows about {n_opposite:.0f} particles if protein is {contrast}, and "
        f"{n_given:.0f} if not: look at it, and if so {remedy}"
    )


def _larger(working: WorkingMicrograph, diameter_A: float) -> list[tuple[WorkingMicrograph, float]]:
    """Return the micrograph at the scales of larger particles, as far as it holds one."""
    repaired = RepairedMicrograph(working.image, working.valid)
    scaled = []
    for factor in LARGER:
        with suppress(CryosegError):
            size_A = factor * diameter_A
            scaled.append((to_working_scale(repaired, diameter_A / WORKING_DIAMETER_PX, size_A), size_A))
    return scaled


def _n_found(
    scaled: Sequence[tuple[WorkingMicrograph, float]], model: Model, options: PickingOptions
) -> list[float]:
    """Return the expected number of particles at each scale."""
    calibration = calibration_of(model, options.crf)
    found = [
        extract(maps_of(working, model, options.crf), working, size_A, calibration, options.extraction)
        for working, size_A in scaled
    ]
    return [expected_number(picks.score) for picks in found]
