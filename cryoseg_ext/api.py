"""The Python interface: one call for one micrograph."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.image.reading import read_micrograph
from cryoseg_ext.image.repair import repair
from cryoseg_ext.image.scale import to_working_scale
from cryoseg_ext.model.checkpoint import Model, load_model
from cryoseg_ext.model.inference import run_network
from cryoseg_ext.options.crf import CrfChoice, CrfOptions
from cryoseg_ext.options.extraction import ExtractionOptions
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.picks import Picks
from cryoseg_ext.pipeline import pick_micrograph, refined_maps


@dataclass(frozen=True)
class Segmentation:
    """Segmentation of one micrograph, at the working scale of about 24 pixels to a particle.

    Parameters
    ----------
    probability : NDArray[np.float32]
        ``(y, x)`` probability of particle, after the conditional random field.
    network_probability : NDArray[np.float32]
        ``(y, x)`` the same before it.
    contaminant : NDArray[np.float32]
        ``(y, x)`` probability of contamination, such as ice or carbon.
    step_px : tuple of float
        (y, x) micrograph pixels per pixel of the maps.

    Examples
    --------
    >>> import numpy as np
    >>> maps = np.array([[0.2, 0.9], [0.5, 0.1]], np.float32)
    >>> Segmentation(maps, maps, np.zeros_like(maps), (4.0, 4.0)).mask.tolist()
    [[False, True], [True, False]]
    """

    probability: NDArray[np.float32]
    network_probability: NDArray[np.float32]
    contaminant: NDArray[np.float32]
    step_px: tuple[float, float]

    @property
    def mask(self) -> NDArray[np.bool_]:
        """``(y, x)`` where a particle is more likely than not."""
        return self.probability >= 0.5


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

    Examples
    --------
    >>> import numpy as np
    >>> from cryoseg_ext import pick
    >>> noise = np.random.default_rng(0).normal(size=(400, 600)).astype(np.float32)
    >>> result = pick(noise, particle_diameter_A=160, pixel_size_A=4.0)
    >>> result.threshold, len(result.candidates.above(0.5)) == len(result.picks)
    (0.61, True)
    >>> result.probability.shape == result.mask.shape
    True
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
        Longest extent of the particle in Å.
    pixel_size_A : float, optional
        Å/px; from the file's header by default.
    threshold : float, optional
        Lowest score of a pick, 0 to 1; the model's own by default.
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

    Examples
    --------
    >>> import numpy as np
    >>> from cryoseg_ext import pick
    >>> noise = np.random.default_rng(0).normal(size=(400, 600)).astype(np.float32)
    >>> result = pick(noise, particle_diameter_A=160, pixel_size_A=4.0)
    >>> len(result.picks) <= len(result.candidates)
    True
    """
    network = model or _default_model()
    options = PickingOptions(particle_diameter_A, extraction, crf, invert=invert)
    array, size_A = _read(image, pixel_size_A)
    try:
        picked = pick_micrograph(array, size_A, network, options)
    except CryosegError as error:
        raise error.about(_name(image)) from error
    least = network.threshold if threshold is None else threshold
    return PickResult(
        picked.candidates.above(least),
        picked.candidates,
        least,
        picked.probability,
        picked.mask,
        picked.working.step_px,
    )


def segment(
    image: ArrayLike | str | Path,
    *,
    particle_diameter_A: float,
    pixel_size_A: float | None = None,
    crf: CrfChoice | CrfOptions | None = CrfChoice(),
    invert: bool = False,
    model: Model | None = None,
) -> Segmentation:
    """Mark the particle pixels of one micrograph.

    Parameters
    ----------
    image, particle_diameter_A, pixel_size_A, crf, invert, model
        As in `pick`.

    Raises
    ------
    CryosegError
        If the file or its content cannot be used, or no pixel size is known.

    Examples
    --------
    >>> import numpy as np
    >>> from cryoseg_ext import segment
    >>> noise = np.random.default_rng(0).normal(size=(400, 600)).astype(np.float32)
    >>> result = segment(noise, particle_diameter_A=160, pixel_size_A=4.0)
    >>> result.probability.shape == result.mask.shape
    True
    >>> [round(float(step), 1) for step in result.step_px]
    [1.7, 1.7]
    """
    network = model or _default_model()
    array, size_A = _read(image, pixel_size_A)
    try:
        working = to_working_scale(repair(array, invert=invert), size_A, particle_diameter_A)
    except CryosegError as error:
        raise error.about(_name(image)) from error
    output = run_network(working.image, network)
    maps = refined_maps(output, working, network, crf)
    return Segmentation(maps.particle, expit(output.particle_logit), maps.contaminant, working.step_px)


def _read(image: ArrayLike | str | Path, pixel_size_A: float | None) -> tuple[NDArray[np.float32], float]:
    """Return grey values and Å/px."""
    if isinstance(image, (str, Path)):
        micrograph = read_micrograph(Path(image))
        array, pixel_size_A = micrograph.image, pixel_size_A or micrograph.pixel_size_A
    else:
        array = np.asarray(image, dtype=np.float32)
    if pixel_size_A is None:
        raise CryosegError(f"{_name(image)}: no pixel size is known; give pixel_size_A")
    return array, pixel_size_A


def _name(image: ArrayLike | str | Path) -> str:
    return str(image) if isinstance(image, (str, Path)) else "image"


@cache
def _default_model() -> Model:
    return load_model()
