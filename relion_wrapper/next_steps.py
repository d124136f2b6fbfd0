"""What to do next in RELION, by the names of its jobs and of their fields.

The fields are called so in RELION 3.1, 4 and 5 alike; the file of the coordinates is another one in 3.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cryoseg_ext.job.advice import MASK_DIAMETERS, ExtractionBox, advise
from relion_wrapper.nodes import RelionVersion, detect_relion_version
from relion_wrapper.outputs import PICK_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from cryoseg_ext.job.result import JobResult
    from cryoseg_ext.options.picking import PickingOptions


def next_steps(directory: Path, result: JobResult) -> Iterator[str]:
    """Yield advice on the next jobs, a line each.

    Parameters
    ----------
    directory : Path
        The folder of the picking job.
    result : JobResult
        What was picked.
    """
    advice = advise(result)
    yield from advice.lines
    if not result.n_picks:
        return
    micrographs, first = f"{directory}/micrographs.star", "Next"
    if result.listed.table is not None and "rlnDefocusU" not in result.listed.table:
        yield f"Next: CTF estimation on {micrographs}, which has no defocus yet; the picks stay valid"
        micrographs, first = "its micrographs_ctf.star", "Then"
    of_kind = _filament_fields(result.options) if result.on_filaments else _box_fields(advice.boxes)
    fields = {"micrograph STAR file": micrographs, "Input coordinates": _coordinates(directory), **of_kind}
    words = ", ".join(f"{name}: {value}" for name, value in fields.items())
    yield f"{first}: Particle extraction with {words}"
    if not result.on_filaments:
        mask_A = MASK_DIAMETERS * result.options.particle_diameter_A
        yield f"Then: 2D classification of its particles.star with Mask diameter (A): {mask_A:.0f}"


def _box_fields(boxes: list[ExtractionBox]) -> dict[str, str]:
    # Of several pixel sizes, each needs a job of its own.
    if len(boxes) > 1:
        return {}
    fields = {"Particle box size (pix)": f"{boxes[0].size_px}"}
    if boxes[0].binned_px is not None:
        fields |= {"Rescale particles": "Yes", "Re-scaled size (pixels)": f"{boxes[0].binned_px}"}
    return fields


def _filament_fields(options: PickingOptions) -> dict[str, str]:
    return {
        "Extract helical segments": "Yes",
        "Tube diameter (A)": f"{MASK_DIAMETERS * options.particle_diameter_A:.0f}",
        "Use bimodal angular priors": "Yes",
        "Coordinates are start-end only": "No",
    }


def _coordinates(directory: Path) -> str:
    new, old = f"{directory}/{PICK_NAME}.star", f"coords_suffix_{PICK_NAME}.star"
    if not (directory / "job.star").exists():
        # Run from the command line, so that nothing says which RELION is used.
        return f"{new} (RELION 3.1: {old})"
    return f"{directory}/{old}" if detect_relion_version(directory) is RelionVersion.V3_1 else new
