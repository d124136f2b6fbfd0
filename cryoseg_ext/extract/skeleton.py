"""The middle lines of a mask of filaments: ordered, smooth, and cut where filaments cross."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_splprep
from scipy.ndimage import binary_dilation, convolve, distance_transform_edt, label
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree
from skimage.morphology import skeletonize

from cryoseg_ext.arrays import FloatArray, Mask

_EIGHT = np.ones((3, 3), np.int8)
"""Structuring element of 8-connected pixels."""
_STUB_PX = 3
"""Length of the stub that a removed spur leaves in its junction."""
_SMOOTH_PX = 1.2
"""Root mean square distance of the smooth axis from the pixels of the skeleton."""
_SAMPLE_PX = 0.25
"""Distance between two samples of the smooth axis."""


@dataclass(frozen=True)
class Axis:
    """The middle line of a filament, sampled finely.

    Parameters
    ----------
    x_px, y_px : NDArray[np.float64]
        ``(n,)`` points in pixels.
    track_px : NDArray[np.float64]
        ``(n,)`` length along the line from its first point in pixels.
    """

    x_px: FloatArray
    y_px: FloatArray
    track_px: FloatArray

    @property
    def length_px(self) -> float:
        """Length of the line in pixels."""
        return float(self.track_px[-1])

    def at(self, track_px: NDArray[np.floating]) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return x, y in pixels and arctan2(dy, dx) of the direction in degrees at lengths along the line."""
        x_px, y_px = (np.interp(track_px, self.track_px, values) for values in (self.x_px, self.y_px))
        # Vectors are interpolated, because an angle would jump from 180 to -180 degrees.
        dx, dy = (
            np.interp(track_px, self.track_px, np.gradient(values, self.track_px))
            for values in (self.x_px, self.y_px)
        )
        return x_px, y_px, np.degrees(np.arctan2(dy, dx))


def filament_axes(mask: Mask, shortest_spur_px: float) -> Iterator[Axis]:
    """Yield the smooth middle line of each filament, or of each piece between two crossings.

    Parameters
    ----------
    mask : NDArray[np.bool_]
        ``(y, x)``, True on filaments.
    shortest_spur_px : float
        Length in pixels below which a side branch of the skeleton is due to a rough outline; about the width
        of the filament.
    """
    skeleton = _without_spurs(skeletonize(mask), shortest_spur_px)
    junctions = _junctions(skeleton)
    # Near a crossing the skeleton lies on neither filament.
    clear = distance_transform_edt(~junctions) > shortest_spur_px / 2 if junctions.any() else ~junctions
    branches, n = label(skeleton & clear, structure=_EIGHT)
    rows, columns = np.nonzero(branches)
    number = branches[rows, columns]
    for branch in range(1, n + 1):
        xy = np.stack([columns[number == branch], rows[number == branch]], axis=1).astype(np.float64)
        if len(xy) > 3:
            yield _smooth(_longest_path(xy))


def _junctions(skeleton: Mask) -> Mask:
    """Return the pixels where three or more branches meet, and their neighbours."""
    return binary_dilation(skeleton & (_neighbours(skeleton) > 2), _EIGHT)


def _without_spurs(skeleton: Mask, shortest_px: float) -> Mask:
    """Return the skeleton without the short branches that have a free end."""
    junctions = _junctions(skeleton)
    branches, _ = label(skeleton & ~junctions, structure=_EIGHT)
    length = np.bincount(branches.ravel())
    free, joined = (np.zeros(len(length), np.bool_) for _ in range(2))
    free[branches[skeleton & (_neighbours(skeleton) <= 1)]] = True
    joined[branches[binary_dilation(junctions, _EIGHT)]] = True
    spur = free & joined & (length < shortest_px)
    spur[0] = False
    if not spur.any():
        return skeleton
    pruned = skeleton & ~spur[branches]
    # The root of a spur in the junction remains as a stub; it is removed with as much of each end.
    for _ in range(_STUB_PX):
        pruned &= _neighbours(pruned) > 1
    # A branch may have become a spur by now.
    return _without_spurs(skeletonize(pruned), shortest_px)


def _neighbours(skeleton: Mask) -> NDArray[np.int8]:
    """Count skeleton neighbours (8-connected); valid on skeleton pixels only."""
    return convolve(skeleton.astype(np.int8), _EIGHT, mode="constant") - 1


def _longest_path(xy: FloatArray) -> FloatArray:
    """Return the pixels (x, y) of a branch in order from end to end: the longest of the shortest paths."""
    i, j = cKDTree(xy).query_pairs(1.5, output_type="ndarray").T
    steps = coo_array((np.hypot(*(xy[i] - xy[j]).T), (i, j)), shape=(len(xy), len(xy))).tocsr()
    first = int(dijkstra(steps, directed=False, indices=0).argmax())
    distance, before = dijkstra(steps, directed=False, indices=first, return_predecessors=True)
    path = [int(distance.argmax())]
    while path[-1] != first:
        path.append(int(before[path[-1]]))
    return xy[path[::-1]]


def _smooth(path: FloatArray) -> Axis:
    """Return a smoothing spline through the pixels of a path (Dierckx 1982), sampled finely."""
    with warnings.catch_warnings():
        # Of a rare path no spline is as far as asked; the one that is returned is nearer.
        warnings.simplefilter("ignore", RuntimeWarning)
        spline, _ = make_splprep(path.T, s=len(path) * _SMOOTH_PX**2)
    x_px, y_px = spline(np.linspace(0, 1, max(int(len(path) / _SAMPLE_PX), 8)))
    track_px = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x_px), np.diff(y_px)))])
    return Axis(x_px, y_px, track_px)
