"""Long filaments: hollow tubes, helices, ribbons and plain rods, straight or bent, crossing or bundled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.spatial.transform import Rotation

from cryoseg_ext.arrays import FloatArray, Image, Mask
from cryoseg_ext.network.classes import CONTAMINANT, PARTICLE
from cryoseg_ext.simulation.conditions import Conditions
from cryoseg_ext.simulation.imaging import Scale
from cryoseg_ext.simulation.micrograph import add_contaminants, expose
from cryoseg_ext.simulation.outlines import log_uniform
from cryoseg_ext.simulation.placement import blur, pad_field, splat
from cryoseg_ext.simulation.specimens import centred, domain, in_ball

_PIECE = 1.5
"""Length, in widths, of the piece whose mass sets the contrast at a dose."""
_STEP = 0.25
"""Distance, in widths, of the points along an axis."""


@dataclass(frozen=True)
class FilamentField:
    """A micrograph of filaments and the truth about it.

    Parameters
    ----------
    image : NDArray[np.float32]
        ``(y, x)`` with noise, as `SimulatedMicrograph.image`.
    labels : NDArray[np.int8]
        ``(y, x)`` class of each pixel.
    axes_px : tuple of NDArray[np.float64]
        ``(n, 2)`` points (x, y) along the axis of each filament, a quarter of a width apart, also outside the
        field.
    """

    image: Image
    labels: NDArray[np.int8]
    axes_px: tuple[FloatArray, ...]


def simulate_filaments(
    rng: Generator, shape: tuple[int, int], scale: Scale, conditions: Conditions
) -> FilamentField:
    """Simulate a micrograph of filaments of one kind.

    Parameters
    ----------
    rng : np.random.Generator
        Source of the kind, of number and course of the filaments, of contaminants and noise.
    shape : tuple of int
        ``(y, x)`` in px.
    scale : Scale
        Pixel size, and the width of the filaments as the diameter.
    conditions : Conditions
        Preparation, imaging and processing.
    """
    width_px = scale.diameter_px
    margin, padded, crop = pad_field(shape, 2 * width_px)
    axes = _draw_axes(rng, padded, width_px)
    longest = max((len(axis) for axis in axes), default=0) * _STEP
    beads, weights, sigma = _draw_filament(rng, max(longest, _PIECE))
    density = np.zeros(padded, np.float32)
    for axis in axes:
        contrast = float(np.exp(conditions.contrast_spread * rng.normal()))
        xy, of_beads = _bent(beads, contrast * weights, axis, width_px)
        # What lies beyond the rim would come in again on the other side.
        inside = ((xy >= 0) & (xy <= np.array(padded[::-1]) - 1)).all(axis=1)
        density += splat(xy[inside], of_beads[inside], padded)
    density = blur(density, sigma * width_px)
    piece = np.abs(beads[:, 2]) <= _PIECE / 2
    specimen = centred(beads[piece], weights[piece], sigma, "filament")
    extent = 2 * np.percentile(np.linalg.norm(beads[piece], axis=1), 98)
    of_piece = Scale(scale.pixel_size_A, scale.diameter_A * float(extent))
    density, labels = add_contaminants(rng, density, None, specimen, scale, conditions)
    # Between the subunits of a filament there is filament too.
    labels[_bands(axes, padded, width_px) & (labels != CONTAMINANT)] = PARTICLE
    visible = np.zeros(padded, np.bool_)
    visible[crop] = labels[crop] == PARTICLE
    image, _, _ = expose(rng, density, visible, specimen, of_piece, conditions)
    return FilamentField(image[crop], labels[crop], tuple(axis - margin for axis in axes))


def _bands(axes: Sequence[FloatArray], shape: tuple[int, int], width_px: float) -> Mask:
    """Return where a field is nearer to an axis than half a width."""
    axis_mask = np.ones(shape, np.bool_)
    for axis in axes:
        finer = np.linspace(0, len(axis) - 1, int(2 * _STEP * width_px) * len(axis))
        x, y = (np.rint(np.interp(finer, np.arange(len(axis)), line)).astype(int) for line in axis.T)
        inside = (x >= 0) & (x < shape[1]) & (y >= 0) & (y < shape[0])
        axis_mask[y[inside], x[inside]] = False
    return distance_transform_edt(axis_mask) < width_px / 2


def _draw_axes(rng: Generator, shape: tuple[int, int], width_px: float) -> list[FloatArray]:
    """Return points (x, y) along random filaments, from rim to rim or shorter."""
    stiffness = log_uniform(rng, 8, 400)
    aligned, toward = rng.uniform() < 0.3, rng.uniform(0, np.pi)
    longest_px = 1.6 * float(np.hypot(*shape))
    axes: list[FloatArray] = []
    for _ in range(int(rng.integers(1, 9))):
        length_px = longest_px if rng.uniform() < 0.6 else width_px * log_uniform(rng, 4, 30)
        n = max(int(min(length_px, longest_px) / (_STEP * width_px)), 8)
        angle = toward + 0.15 * rng.normal() if aligned else rng.uniform(0, 2 * np.pi)
        # A worm-like chain: the direction forgets itself over the persistence length.
        bends = np.sqrt(_STEP / stiffness) * rng.normal(size=n)
        angles = angle + np.cumsum(np.convolve(bends, np.ones(4) / 2, "same"))
        steps = _STEP * width_px * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        points = np.cumsum(steps, axis=0)
        middle = points[n // 2]
        axis = points - middle + rng.uniform(size=2) * np.array(shape[::-1])
        axes.append(axis)
        for beside in range(1, 1 + (int(rng.integers(1, 4)) if rng.uniform() < 0.12 else 0)):
            normal = np.stack([-np.sin(angles), np.cos(angles)], axis=1)
            axes.append(axis + beside * width_px * rng.uniform(0.9, 1.3) * normal)
    return axes


def _bent(
    beads: FloatArray, weights: FloatArray, axis: FloatArray, width_px: float
) -> tuple[FloatArray, FloatArray]:
    """Return the positions (x, y) in px and the weights of the beads of a filament along an axis."""
    along = beads[:, 2] / _STEP + len(axis) / 2
    on = (along >= 0) & (along <= len(axis) - 1)
    at = along[on]
    tangent = np.gradient(axis, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    index = np.arange(len(axis))
    x, y, tx, ty = (np.interp(at, index, line) for line in (*axis.T, *tangent.T))
    across = beads[on, 0] * width_px
    return np.stack([x - ty * across, y + tx * across], axis=1), weights[on]


def _draw_filament(rng: Generator, length: float) -> tuple[FloatArray, FloatArray, float]:
    """Return ``(n, 3)`` beads of a straight filament along z about its middle, their weights and their width.

    All lengths are in widths of the filament.
    """
    draw = (_tube, _helix, _ribbon, _rod)[int(rng.choice(4, p=[0.3, 0.35, 0.25, 0.1]))]
    beads = draw(rng, length)
    beads[:, :2] /= 2 * np.percentile(np.hypot(beads[:, 0], beads[:, 1]), 98)
    beads[:, 2] -= (beads[:, 2].min() + beads[:, 2].max()) / 2
    weights = 1 + rng.uniform(0, 0.6) * rng.uniform(-1, 1, size=len(beads))
    return beads, weights, float(rng.uniform(0.03, 0.08))


def _turned(unit: FloatArray, n: int, twist_deg: float, rise: float) -> FloatArray:
    """Return `n` copies of a unit, each turned about z and moved along it."""
    turns = Rotation.from_euler("z", twist_deg * np.arange(n)[:, None], degrees=True).as_matrix()
    copies = unit @ turns.transpose(0, 2, 1)
    copies[:, :, 2] += rise * np.arange(n)[:, None]
    return copies.reshape(-1, 3)


def _tube(rng: Generator, length: float) -> FloatArray:
    """Return a hollow tube of protofilaments, such as a microtubule."""
    n_strands, rise = int(rng.integers(9, 17)), rng.uniform(0.15, 0.35)
    radius = 0.5 - rng.uniform(0.08, 0.15)
    unit = domain(rng, int(rng.integers(6, 14))) * (np.pi * radius / n_strands)
    ring = _turned(unit + np.array([radius, 0.0, 0.0]), n_strands, 360 / n_strands, rise / n_strands)
    return _turned(ring, int(length / rise) + 1, rng.uniform(0, 3), rise)


def _helix(rng: Generator, length: float) -> FloatArray:
    """Return one to three strands of domains that wind about the axis, such as actin."""
    starts, rise = int(rng.integers(1, 4)), rng.uniform(0.2, 0.5)
    unit = domain(rng, int(rng.integers(30, 90))) * rng.uniform(0.2, 0.3)
    unit = unit * np.array([1.0, 1.0, rng.uniform(0.7, 1.5)]) + np.array([rng.uniform(0.05, 0.3), 0.0, 0.0])
    strands = _turned(unit, starts, 360 / starts, rng.uniform(0, rise))
    return _turned(strands, int(length / rise) + 1, rng.uniform(-180, 180), rise)


def _ribbon(rng: Generator, length: float) -> FloatArray:
    """Return a flat fibril that twists slowly, such as an amyloid."""
    n = int(length * rng.integers(120, 300))
    flat = in_ball(rng, n) * np.array([0.5, rng.uniform(0.12, 0.4), 0.0])
    along = rng.uniform(0, length, size=n)
    twist = 2 * np.pi * along / rng.uniform(4, 30)
    x, y = flat[:, 0], flat[:, 1]
    return np.stack([x * np.cos(twist) - y * np.sin(twist), x * np.sin(twist) + y * np.cos(twist), along], 1)


def _rod(rng: Generator, length: float) -> FloatArray:
    """Return a plain cylinder."""
    n = int(length * rng.integers(80, 250))
    beads = in_ball(rng, n) * 0.5
    beads[:, 2] = rng.uniform(0, length, size=n)
    return beads
