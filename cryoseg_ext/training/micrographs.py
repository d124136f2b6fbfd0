"""Real micrographs with the picks or masks that a user trusts, at the working scale."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.arrays import FloatArray
from cryoseg_ext.image.scale import WorkingMicrograph
from cryoseg_ext.picks import Picks


@dataclass(frozen=True)
class LabelledMicrograph:
    """A micrograph with the labels that a user gives.

    Parameters
    ----------
    name : str
        Its name in the user's list.
    working : WorkingMicrograph
        The normalised micrograph at the working scale.
    xy_px : NDArray[np.float64]
        ``(n, 2)`` labelled centres (x, y) in working pixels.
    classes : NDArray[np.int8] or None
        ``(y, x)`` classes of `cryoseg_ext.network.classes` at the working scale. None where there are only
        picks.
    """

    name: str
    working: WorkingMicrograph
    xy_px: FloatArray
    classes: NDArray[np.int8] | None = None


def working_xy_px(working: WorkingMicrograph, picks: Picks) -> FloatArray:
    """Return ``(n, 2)`` centres (x, y) in working pixels of picks on the micrograph on disk."""
    return np.stack(working.from_source_px(picks.x_px, picks.y_px), axis=1)


def fingerprint(micrographs: Sequence[LabelledMicrograph]) -> str:
    """Return a hexadecimal digest of the images and labels, whatever the names of the files."""
    digest = hashlib.sha256()
    for micrograph in micrographs:
        classes = np.zeros(0, np.int8) if micrograph.classes is None else micrograph.classes
        for array in (micrograph.working.image, micrograph.xy_px, classes):
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
