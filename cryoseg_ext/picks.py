"""Particle picks on one micrograph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.arrays import FloatArray, Mask


@dataclass(frozen=True)
class Picks:
    """Particle centres on one micrograph, in descending order of score.

    Parameters
    ----------
    x_px, y_px : NDArray[np.float64]
        ``(n,)`` centres in pixels of the micrograph on disk; 0 is the centre of the first stored column or
        row, and y grows with the stored row.
    score : NDArray[np.float64]
        ``(n,)`` calibrated probability that the pick is a particle, in [0, 1] (the figure of merit); for
        segments of filaments the mean particle probability along the filament.
    diameter_A : NDArray[np.float64], optional
        ``(n,)`` longest extent of each particle in Å; None if sizes were not measured.
    psi_deg : NDArray[np.float64], optional
        ``(n,)`` RELION's in-plane angle of the long axis in degrees; NaN for a particle without one. A
        particle whose long axis points along (dx, dy) in stored pixels has
        ``psi = -degrees(arctan2(dy, dx))``, and a rotation by psi lays it along x. An axis has no direction,
        so psi lies in (-90, 90], except on filaments. Sign and zero are those of RELION's helical picker
        (``autopicker.cpp``: psi prior = -1 times the tube's angle) and of its Extract job.
    tube_id : NDArray[np.float64], optional
        ``(n,)`` number of the segment's filament, from 1; the segments of a filament are in order along it.
    track_length_A : NDArray[np.float64], optional
        ``(n,)`` length along the filament from its first segment in Å.

    Examples
    --------
    >>> import numpy as np
    >>> picks = Picks(x_px=np.array([10.0, 40.5]), y_px=np.array([7.0, 90.0]), score=np.array([0.9, 0.3]))
    >>> len(picks.above(0.5)), float(picks.above(0.5).y_px[0])
    (1, 7.0)
    """

    x_px: FloatArray
    y_px: FloatArray
    score: FloatArray
    diameter_A: FloatArray | None = None
    psi_deg: FloatArray | None = None
    tube_id: FloatArray | None = None
    track_length_A: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.score)

    def columns(self) -> dict[str, FloatArray]:
        """Return the columns that are present, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def at(self, index: NDArray[Any]) -> Picks:
        """Return the picks at `index`, an array of positions or a boolean mask."""
        return Picks(**{name: value[index] for name, value in self.columns().items()})

    def above(self, threshold: float) -> Picks:
        """Return the picks whose score is at least `threshold`."""
        return self.at(self.score >= threshold)

    def inside(self, x0_px: float, y0_px: float, x1_px: float, y1_px: float) -> Picks:
        """Return the picks in a rectangle or on its edge.

        Parameters
        ----------
        x0_px, y0_px : float
            Corner of the smallest coordinates.
        x1_px, y1_px : float
            Corner of the largest coordinates.
        """
        return self.at(
            (self.x_px >= x0_px) & (self.y_px >= y0_px) & (self.x_px <= x1_px) & (self.y_px <= y1_px)
        )


def concatenate(parts: Sequence[Picks]) -> Picks:
    """Return the picks of all parts in the order given, with the columns of the first part."""
    columns = [part.columns() for part in parts]
    return Picks(**{name: np.concatenate([part[name] for part in columns]) for name in columns[0]})


def apart(x: FloatArray, y: FloatArray, min_distance: float | FloatArray) -> Mask:
    """Return which points remain when each one, in the order given, removes later points too close to it.

    Parameters
    ----------
    x, y : NDArray[np.float64]
        ``(n,)`` coordinates, in the unit of `min_distance`.
    min_distance : float or NDArray[np.float64]
        Distance up to which two points are too close, or ``(n,)`` that of each point: the larger one of a
        pair counts.
    """
    from scipy.spatial import cKDTree

    xy = np.stack([x, y], axis=1)
    alive = np.ones(len(xy), np.bool_)
    if len(xy) == 0:
        return alive
    # The first of each pair is the earlier point.
    pairs = cKDTree(xy).query_pairs(np.max(min_distance), output_type="ndarray")
    if isinstance(min_distance, np.ndarray):
        distance = np.linalg.norm(xy[pairs[:, 1]] - xy[pairs[:, 0]], axis=1)
        pairs = pairs[distance <= min_distance[pairs].max(axis=1)]
    first, later = pairs[np.argsort(pairs[:, 0])].T
    for start, stop in pairwise([*np.flatnonzero(np.diff(first, prepend=-1)), len(first)]):
        if alive[first[start]]:
            alive[later[start:stop]] = False
    return alive


def instance_centres(instances: NDArray[np.generic]) -> Picks:
    """Return the mean position of the pixels of each particle.

    Parameters
    ----------
    instances : NDArray[np.generic]
        ``(y, x)`` labels: 0 for background, otherwise the number of the particle.
    """
    rows, columns = np.nonzero(instances)
    _, number, count = np.unique(instances[rows, columns], return_inverse=True, return_counts=True)
    x_px, y_px = np.bincount(number, columns) / count, np.bincount(number, rows) / count
    return Picks(x_px, y_px, np.ones(len(count)))
