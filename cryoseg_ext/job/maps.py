"""Maps of a micrograph in the folder of a job: before and after the conditional random field."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from cryoseg_ext.files import replacing, write_mrc
from cryoseg_ext.picks import Picks
from cryoseg_ext.report.pdf import Overlay, draw_overlay
from cryoseg_ext.report.preview import make_preview

if TYPE_CHECKING:
    from cryoseg_ext.job.batch import BatchResult

_STAGES = {"network_": "network", "": "after the CRF"}
_ENDS = tuple(f"{stage}{kind}.mrc" for stage in _STAGES for kind in ("probability", "mask"))
MASK_FROM = 0.5
"""Probability from which a pixel is particle."""


def map_files(stem: Path) -> list[Path]:
    """Return the files that `write_maps` writes of a micrograph; `stem` is their path without ends."""
    return [stem.with_name(f"{stem.name}_{end}") for end in _ENDS] + [stem.with_name(f"{stem.name}.png")]


def write_maps(stem: Path, result: BatchResult) -> None:
    """Write probability and mask (0 or 1) as MRC, before and after the CRF, and a picture that shows both.

    They are at the working scale, about 24 pixels to a particle, with their pixel size in the header.
    """
    picked = result.picked
    size_y_A, size_x_A = result.working_pixel_A
    voxel_A = (size_x_A, size_y_A, result.prepared.pixel_size_A)
    maps = {"network_": expit(picked.particle_logit), "": picked.probability}
    for stage, probability in maps.items():
        write_mrc(stem.with_name(f"{stem.name}_{stage}probability.mrc"), probability, voxel_A)
        mask = (probability >= MASK_FROM).astype(np.int8)
        write_mrc(stem.with_name(f"{stem.name}_{stage}mask.mrc"), mask, voxel_A)
    _write_picture(stem.with_name(f"{stem.name}.png"), result, maps)


def _write_picture(path: Path, result: BatchResult, maps: dict[str, np.ndarray]) -> None:
    """Draw the micrograph alone, with the network's outlines, and with those after the CRF."""
    from matplotlib.figure import Figure

    working = result.picked.working
    masks = {"micrograph": np.zeros(working.image.shape, np.bool_)}
    masks |= {title: maps[stage] >= MASK_FROM for stage, title in _STAGES.items()}
    figure = Figure(figsize=(15, 5.4), layout="constrained")
    for (title, mask), ax in zip(masks.items(), figure.subplots(1, 3), strict=True):
        preview = make_preview(working.image, mask, working.source_shape)
        draw_overlay(ax, Overlay(title, preview, Picks(*np.zeros((3, 0))), working.diameter_px))
        ax.set_title(title)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110)
