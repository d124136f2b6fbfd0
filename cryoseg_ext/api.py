"""The Python interface: one call for one micrograph."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.image.reading import read_micrograph
from cryoseg_ext.model.checkpoint import Model, load_model
from cryoseg_ext.options.crf import CrfChoice, CrfOptions
from cryoseg_ext.options.extraction import ExtractionOptions
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.picks import Picks
from cryoseg_ext.pipeline import PickedMicrograph, pick_micrograph


@dataclass(frozen=True)
class PickResult:
    """Picks and segmentation of one micrograph.

    Parameters
    ----------
    picks : Picks
        At or above the threshold, best first, in pixels of the micrograph.
    candidates : Picks
        All down to a score of 0.02.
    threshold : float
        The score from which a candidate is a pick.
    probability, mask : NDArray
        ``(y, x)`` probability of particle and where it is at least one half, at the working scale.
    step_px : tuple of float
        (y, x) micrograph pixels per pixel of `probability`.
    """

    picks: Picks
    candidates: Picks
    threshold: float
    probability: NDArray[np.float32]
    mask: NDArray[np.bool_]
    step_px: tuple[float, float]


def pick(
    image: ArrayLike | str | Path,
    *,
    particle_diameter_A: float,
    pixel_size_A: float | None = None,
    threshold: float | None = None,
    min_distance_A: float | None = None,
    extraction: ExtractionOptions = ExtractionOptions(),
    crf: CrfChoice | CrfOptions | None = CrfChoice(),
    invert: bool = False,
    model: Model | None = None,
) -> PickResult:
    """Pick the particles of one micrograph.

    Parameters
    ----------
    image : array or path
        ``(y, x)`` grey values, protein dark unless `invert`, or an MRC or TIFF file.
    particle_diameter_A : float
        Largest extent of the particle in Å.
    pixel_size_A : float, optional
        Å/px; from the file's header by default.
    threshold : float, optional
        Lowest score of a pick; the model's own by default.
    min_distance_A : float, optional
        Smallest distance between two picks in Å; that of `extraction` by default.
    extraction : ExtractionOptions
        How picks are made of the network's maps.
    crf : CrfChoice, CrfOptions or None
        Changes of the model's own conditional random field, another one altogether, or none at all.
    invert : bool
        Whether protein is bright.
    model : Model, optional
        From `load_model`; the shipped default model when not given.

    Returns
    -------
    PickResult
        Coordinates are 0-based pixels (x along the rows of the array, y down its rows), not rounded.

    Raises
    ------
    CryosegError
        If the file or its content cannot be used, or no pixel size is known.
    """
    model = model or _default_model()
    if min_distance_A is not None:
        extraction = replace(extraction, min_distance_A=min_distance_A)
    options = PickingOptions(particle_diameter_A, extraction, crf, invert=invert)
    picked = _picked(image, pixel_size_A, model, options)
    threshold = model.threshold if threshold is None else threshold
    return PickResult(
        picked.candidates.above(threshold),
        picked.candidates,
        threshold,
        picked.probability,
        picked.mask,
        picked.working.step_px,
    )


def _picked(
    image: ArrayLike | str | Path, pixel_size_A: float | None, model: Model, options: PickingOptions
) -> PickedMicrograph:
    if isinstance(image, (str, Path)):
        micrograph = read_micrograph(Path(image))
        array, pixel_size_A = micrograph.image, pixel_size_A or micrograph.pixel_size_A
    else:
        array = np.asarray(image, dtype=np.float32)
    if pixel_size_A is None:
        raise CryosegError(f"{_name(image)}: no pixel size is known; give pixel_size_A")
    try:
        return pick_micrograph(array, pixel_size_A, model, options)
    except CryosegError as error:
        raise CryosegError(f"{_name(image)}: {error}") from error


def _name(image: ArrayLike | str | Path) -> str:
    return str(image) if isinstance(image, (str, Path)) else "image"


@cache
def _default_model() -> Model:
    return load_model()
