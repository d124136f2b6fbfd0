"""Label and instance maps of one micrograph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len
from scipy.ndimage import label
from scipy.spatial.transform import Rotation

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.labels.canvas import Canvas, Image, Instances
from cryoseg_ext.labels.projection import project_particles
from cryoseg_ext.simulation.instances import OUTLINE_BLUR
from cryoseg_ext.simulation.placement import blur, silhouette, typical_density
from cryoseg_ext.simulation.volume import Projector, li_threshold

Mask = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
ThresholdRule = Literal["auto", "li", "otsu"] | float

SOFT_EDGE = 0.2
"""A soft disc falls from 1 to 0 between 1 - this and 1 + this times its radius."""
MAX_PARTICLES = np.iinfo(np.int16).max


@dataclass(frozen=True)
class MaskOptions:
    """How the projected density becomes a mask.

    Parameters
    ----------
    threshold : "auto", "li", "otsu" or float
        A number is a fraction of the typical density (the median where there is density). "auto" is the rule
        of the simulator's own truth, 0.3 of it. "li" and "otsu" find the level themselves: Li & Lee 1993,
        Otsu 1979.
    min_object : float
        Smaller objects are removed: an area in Å^2 or, below 1, a fraction of the disc of the particle's
        diameter.
    closing_A : float
        Radius in Å of the closing, which fills gaps and holes up to twice as wide; 0 leaves them.
    """

    threshold: ThresholdRule = "auto"
    min_object: float = 0.0
    closing_A: float = 0.0


def label_particles(
    projector: Projector,
    orientations: Rotation,
    centres_px: FloatArray,
    shape: tuple[int, int],
    pixel_size_A: float,
    diameter_A: float,
    options: MaskOptions,
) -> tuple[NDArray[np.int8], Instances]:
    """Label the pixels that the projections of a map cover.

    Parameters
    ----------
    projector : Projector
        The map.
    orientations : Rotation
        `n` rotations of the map into the microscope's frame.
    centres_px : NDArray[np.float64]
        ``(n, 2)`` where the map's origin lies on the micrograph, (x_px, y_px).
    shape : tuple of int
        (y, x) of the micrograph.
    pixel_size_A : float
        Å/px of the micrograph.
    diameter_A : float
        Maximum extent of the particle in Å.
    options : MaskOptions
        Threshold, smallest object, closing.

    Returns
    -------
    labels : NDArray[np.int8]
        ``(y, x)``: 0 background, 1 particle.
    instances : NDArray[np.int16]
        ``(y, x)``: 0 background, else the number of the particle with most density there, from 1.

    Raises
    ------
    CryosegError
        If there are more particles than can be numbered.
    """
    _check_count(centres_px)
    diameter_px = diameter_A / pixel_size_A
    # The blur wraps around, and an object cut by the rim must not count as a small one.
    margin = int(np.ceil(diameter_px))
    padded = tuple(next_fast_len(n + 2 * margin, real=True) for n in shape)
    canvas = project_particles(
        projector,
        orientations,
        centres_px + margin,
        (padded[0], padded[1]),
        pixel_size_A,
        OUTLINE_BLUR * diameter_A,
    )
    mask = _tidy(
        threshold(canvas.density, diameter_px, options.threshold), pixel_size_A, diameter_px, options
    )
    crop = np.s_[margin : margin + shape[0], margin : margin + shape[1]]
    # Closing can reach where no particle is.
    labels = (mask & (canvas.instances > 0))[crop]
    return labels.astype(np.int8), np.where(labels, canvas.instances[crop], np.int16(0))


def threshold(density: Image, diameter_px: float, rule: ThresholdRule) -> Mask:
    """Return where a ``(y, x)`` projected density counts as particle, by a rule of `MaskOptions`."""
    if rule == "auto":
        return silhouette(density, diameter_px)
    smooth = blur(density, OUTLINE_BLUR * diameter_px)
    if isinstance(rule, str):
        from skimage.filters import threshold_otsu

        level = li_threshold(smooth) if rule == "li" else threshold_otsu(smooth)
    else:
        level = rule * typical_density(density)
    mask: Mask = smooth > level
    return mask


def _tidy(mask: Mask, pixel_size_A: float, diameter_px: float, options: MaskOptions) -> Mask:
    if options.closing_A:
        from skimage.morphology import isotropic_closing

        mask = isotropic_closing(mask, options.closing_A / pixel_size_A)
    if options.min_object:
        objects, _ = label(mask)
        area_px = (
            options.min_object * np.pi / 4 * diameter_px**2
            if options.min_object < 1
            else options.min_object / pixel_size_A**2
        )
        large = np.bincount(objects.ravel()) >= area_px
        large[0] = False
        mask = large[objects]
    return mask


def label_discs(
    centres_px: FloatArray, shape: tuple[int, int], diameter_px: float, *, soft: bool
) -> tuple[NDArray[np.int8] | Image, Instances]:
    """Label discs around coordinates.

    Parameters
    ----------
    centres_px : NDArray[np.float64]
        ``(n, 2)`` centres (x_px, y_px).
    shape : tuple of int
        (y, x) of the micrograph.
    diameter_px : float
        Of the discs.
    soft : bool
        Whether the edge falls smoothly, as half a cosine, through 0.5 at the given diameter.

    Returns
    -------
    labels : NDArray[np.int8] or NDArray[np.float32]
        ``(y, x)``: 0 background, 1 particle; float32 with values between them if `soft`.
    instances : NDArray[np.int16]
        ``(y, x)``: 0 background, else the number of the disc whose centre is nearest, from 1.

    Raises
    ------
    CryosegError
        If there are more particles than can be numbered.
    """
    _check_count(centres_px)
    canvas = Canvas(shape)
    radius = diameter_px / 2
    side = int(np.ceil(diameter_px * (1 + SOFT_EDGE))) + 1
    for number, centre in enumerate(centres_px, start=1):
        x0, y0 = np.floor(centre - (side - 1) / 2).astype(int)
        x, y = np.arange(side) + x0 - centre[0], np.arange(side) + y0 - centre[1]
        inwards = (1 - np.hypot(x, y[:, None]) / radius).astype(np.float32)
        canvas.add(inwards, inwards, (int(y0), int(x0)), number)
    inside = canvas.strongest >= 0
    instances = np.where(inside, canvas.instances, np.int16(0))
    if not soft:
        return inside.astype(np.int8), instances
    phase = np.clip(canvas.strongest / SOFT_EDGE, -1, 1)
    return (0.5 + 0.5 * np.sin(np.pi / 2 * phase)).astype(np.float32), instances


def _check_count(centres_px: FloatArray) -> None:
    if len(centres_px) > MAX_PARTICLES:
        raise CryosegError(
            f"{len(centres_px)} particles cannot be numbered in 16 bits: remove duplicates and picks in noise"
        )
