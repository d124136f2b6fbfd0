"""Whether a micrograph seems to have the other contrast than the user says."""

from __future__ import annotations

from dataclasses import replace

from cryoseg_ext.extract.extraction import extract
from cryoseg_ext.model.checkpoint import Model
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.pipeline import PickedMicrograph, calibration_of, maps_of

CLEARLY_MORE, ENOUGH = 2.0, 20.0
"""On 28 simulated micrographs the wrong contrast had at most 1.2 times the sum of scores of the right one,
where there were hardly any particles, and less than half of it elsewhere."""


def contrast_hint(picked: PickedMicrograph, model: Model, options: PickingOptions) -> str | None:
    """Return a sentence for the user where the other contrast shows clearly more particles.

    Costs another run of the network, so ask it for one micrograph only.

    Parameters
    ----------
    picked : PickedMicrograph
        The result with `options`.
    model : Model
        The network.
    options : PickingOptions
        What the user decided.
    """
    working = replace(picked.working, image=-picked.working.image)
    diameters_A = options.diameters_A
    other = extract(
        maps_of(working, model, options.crf),
        working,
        # Of a mixture of sizes, `picked` has the middle one's scale.
        diameters_A[len(diameters_A) // 2],
        calibration_of(model, options.crf),
        options.extraction,
    )
    found, otherwise = float(picked.candidates.score.sum()), float(other.score.sum())
    if otherwise < max(CLEARLY_MORE * found, ENOUGH):
        return None
    do, contrast = ("leave out", "dark") if options.invert else ("give", "bright")
    return (
        f"the first micrograph shows about {otherwise:.0f} particles if protein is {contrast}, and "
        f"{found:.0f} if not: look at it, and if so {do} --invert"
    )
