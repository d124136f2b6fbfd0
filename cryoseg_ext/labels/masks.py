"""Label and instance maps of one micrograph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from cryoseg_ext.arrays import FloatArray, Image, Mask
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.refined import RefinedParticles
from cryoseg_ext.labels.canvas import Canvas, Instances
from cryoseg_ext.labels.projection import project_particles
from cryoseg_ext.simulation.placement import OUTLINE_BLUR, blur, pad_field, silhouette, typical_density
from cryoseg_ext.simulation.volume import Projector, li_threshold

ThresholdRule = Literal["auto", "li", "otsu"] | float

SOFT_EDGE = 0.2
"""Half the width of the edge of a soft disc, in radii."""
MAX_PARTICLES = np.iinfo(np.int16).max
"""Largest number of particles that an instance map can hold."""


@dataclass(frozen=True)
class MaskOptions:
    """How the projected density becomes a mask.

    Parameters
    ----------
    threshold : "auto", "li", "otsu" or float
        Level above which density is particle. A number is a fraction of the typical density (the median
        where there is density); "auto" is 0.3 of it, as in the simulator's truth; "li" and "otsu" choose the
        level automatically (Li & Lee 1993, Otsu 1979).
    min_object : float
        Size below which objects are removed: an area in Å^2 or, below 1, a fraction of the disc of the
        particle's diameter.
    closing_A : float
        Radius in Å of the closing, which fills gaps and holes up to twice as wide; 0 for none.
    """

    threshold: ThresholdRule = "auto"
    min_object: float = 0.0
    closing_A: float = 0.0


def label_particles(
    projector: Projector,
    particles: RefinedParticles,
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
    particles : RefinedParticles
        Positions and orientations of the map on the micrograph.
    shape : tuple of int
        ``(y, x)`` of the micrograph in px.
    pixel_size_A : float
        Å/px of the micrograph.
    diameter_A : float
        Maximum extent of the particle in Å.
    options : MaskOptions
        Threshold, smallest object, closing.

    Returns
    -------
    labels : NDArray[np.int8]
        ``(y, x)`` classes, background or particle, see `cryoseg_ext.network.classes`.
    instances : NDArray[np.int16]
        ``(y, x)`` number, from 1, of the particle with the highest density; 0 in the background.

    Raises
    ------
    CryosegError
        If there are more particles than can be numbered.
    """
    _check_count(len(particles))
    diameter_px = diameter_A / pixel_size_A
    # The blur wraps around, and an object cut by the rim must not count as a small one.
    margin, padded, crop = pad_field(shape, diameter_px)
    centres_px = particles.centres_px(pixel_size_A) + margin
    canvas = project_particles(
        projector, particles.orientations, centres_px, padded, pixel_size_A, OUTLINE_BLUR * diameter_A
    )
    mask = threshold(canvas.density, diameter_px, options.threshold)
    mask = _tidy(mask, pixel_size_A, diameter_px, options)
    # Closing can extend to pixels that no particle covers.
    labels = (mask & (canvas.instances > 0))[crop]
    return labels.astype(np.int8), np.where(labels, canvas.instances[crop], np.int16(0))


def threshold(density: Image, diameter_px: float, rule: ThresholdRule) -> Mask:
    """Return the pixels in which a projected density counts as particle.

    Parameters
    ----------
    density : NDArray[np.float32]
        ``(y, x)`` projected density.
    diameter_px : float
        Maximum extent of the particle in px.
    rule : ThresholdRule
        Level, as in `MaskOptions`.
    """
    if rule == "auto":
        return silhouette(density, diameter_px)
    smooth = blur(density, OUTLINE_BLUR * diameter_px)
    if isinstance(rule, str):
        from skimage.filters import threshold_otsu

        level = li_threshold(smooth) if rule == "li" else threshold_otsu(smooth)
    else:
        level = rule * typical_density(density)
    return smooth > level


def _tidy(mask: Mask, pixel_size_A: float, diameter_px: float, options: MaskOptions) -> Mask:
    """Return the mask closed and without small objects."""
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
        ``(y, x)`` of the micrograph in px.
    diameter_px : float
        Diameter of the discs in px.
    soft : bool
        Whether the edge falls smoothly, as half a cosine, through 0.5 at the given diameter.

    Returns
    -------
    labels : NDArray[np.int8] or NDArray[np.float32]
        ``(y, x)`` classes, background or particle; if `soft`, numbers from 0 to 1 between them.
    instances : NDArray[np.int16]
        ``(y, x)`` number, from 1, of the disc whose centre is nearest; 0 in the background.

    Raises
    ------
    CryosegError
        If there are more particles than can be numbered.
    """
    _check_count(len(centres_px))
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


def _check_count(n: int) -> None:
    if n > MAX_PARTICLES:
        raise CryosegError(
            f"{n} particles cannot be numbered in 16 bits: remove duplicates and picks in noise"
        )
