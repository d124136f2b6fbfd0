"""Maps of a micrograph in the folder of a job: before and after the conditional random field."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from cryoseg_ext.files import replacing, write_mrc
from cryoseg_ext.picks import Picks
from cryoseg_ext.report.canvas import Canvas
from cryoseg_ext.report.content import Overlay
from cryoseg_ext.report.pages import draw_overlay
from cryoseg_ext.report.pixels import as_png, draw_pixels
from cryoseg_ext.report.preview import make_preview

if TYPE_CHECKING:
    from cryoseg_ext.image.scale import WorkingMicrograph
    from cryoseg_ext.job.micrograph import MicrographResult

_STAGES = {"network_": "network", "": "after the CRF"}
_ENDS = tuple(f"{stage}{kind}.mrc" for stage in _STAGES for kind in ("probability", "mask"))
MASK_FROM = 0.5
"""Probability from which a pixel is particle."""


def map_files(stem: Path) -> list[Path]:
    """Return the files that `write_maps` writes of a micrograph; `stem` is their path without ends."""
    return [stem.with_name(f"{stem.name}_{end}") for end in _ENDS] + [stem.with_name(f"{stem.name}.png")]


def write_maps(stem: Path, result: MicrographResult) -> None:
    """Write probability and mask (0 or 1) as MRC, before and after the CRF, and a picture that shows both.

    They are at the working scale, about 24 pixels to a particle, with their pixel size in the header.
    """
    picked = result.maps
    assert picked is not None
    size_y_A, size_x_A = result.working_pixel_A
    voxel_A = (size_x_A, size_y_A, result.image_pixel_A)
    maps = {"network_": expit(picked.particle_logit), "": picked.probability}
    for stage, probability in maps.items():
        write_mrc(stem.with_name(f"{stem.name}_{stage}probability.mrc"), probability, voxel_A)
        mask = (probability >= MASK_FROM).astype(np.int8)
        write_mrc(stem.with_name(f"{stem.name}_{stage}mask.mrc"), mask, voxel_A)
    _write_picture(stem.with_name(f"{stem.name}.png"), picked.working, maps)


def _write_picture(path: Path, working: WorkingMicrograph, maps: dict[str, np.ndarray]) -> None:
    """Draw the micrograph alone, with the network's outlines, and with those after the CRF."""
    masks = {"micrograph": np.zeros(working.image.shape, np.bool_)}
    masks |= {title: maps[stage] >= MASK_FROM for stage, title in _STAGES.items()}

    def draw(canvas: Canvas) -> None:
        for number, (title, mask) in enumerate(masks.items()):
            preview = make_preview(working.image, mask, working.source_shape)
            overlay = Overlay(title, preview, Picks(*np.zeros((3, 0))), working.diameter_px)
            draw_overlay(canvas, (30 + 365 * number, 10, 330, 370), overlay, legend=False)

    with replacing(path) as temporary:
        temporary.write_bytes(as_png(draw_pixels(draw, (1100, 390), dpi=110)))
