"""Particle picks on one micrograph."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree


@dataclass(frozen=True)
class Picks:
    """Particle centres on one micrograph, in falling order of score.

    Parameters
    ----------
    x_px, y_px : NDArray[np.float64]
        ``(n,)`` centres in pixels of the micrograph on disk; 0 is the centre of the first stored column or
        row, and y grows with the stored row.
    score : NDArray[np.float64]
        ``(n,)`` calibrated probability that the pick is a particle, in [0, 1] (the figure of merit); on
        filaments the mean particle probability along them.
    diameter_A : NDArray[np.float64], optional
        ``(n,)`` longest extent of each particle in Å; None where sizes were not measured.
    psi_deg : NDArray[np.float64], optional
        ``(n,)`` RELION's in-plane angle of the long axis; nan for a particle without one. A particle whose
        long axis points along (dx, dy) in stored pixels has ``psi = -degrees(arctan2(dy, dx))``, and a
        rotation by psi lays it along x. An axis has no direction: psi lies in (-90, 90], except on filaments.
        This is the sign and zero of RELION's helical picker (``autopicker.cpp``: psi prior = -1 times the
        tube's angle) and of its Extract job, whose priors are compared in the tests with a drawn filament.
    tube_id : NDArray[np.float64], optional
        ``(n,)`` number of the filament, from 1, of a segment; the segments of one are in order along it.
    track_length_A : NDArray[np.float64], optional
        ``(n,)`` length along the filament from its first segment in Å.
    """

    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    score: NDArray[np.float64]
    diameter_A: NDArray[np.float64] | None = None
    psi_deg: NDArray[np.float64] | None = None
    tube_id: NDArray[np.float64] | None = None
    track_length_A: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.score)

    def columns(self) -> dict[str, NDArray[np.float64]]:
        """Return what is known of each pick, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def at(self, index: NDArray[Any]) -> Picks:
        """Return the picks at `index`, which may also be a mask."""
        return Picks(**{name: value[index] for name, value in self.columns().items()})

    def above(self, threshold: float) -> Picks:
        """Return the picks whose score is at least `threshold`."""
        return self.at(self.score >= threshold)

    def inside(self, x0_px: float, y0_px: float, x1_px: float, y1_px: float) -> Picks:
        """Return the picks in a rectangle or on its rim."""
        return self.at(
            (self.x_px >= x0_px) & (self.y_px >= y0_px) & (self.x_px <= x1_px) & (self.y_px <= y1_px)
        )


def apart(x_px: NDArray[np.float64], y_px: NDArray[np.float64], min_distance_px: float) -> NDArray[np.bool_]:
    """Return which points survive when each, in the order given, removes the later ones too near to it."""
    xy_px = np.stack([x_px, y_px], axis=1)
    alive = np.ones(len(xy_px), np.bool_)
    if len(xy_px) == 0:
        return alive
    neighbours = cKDTree(xy_px)
    for first, near in enumerate(neighbours.query_ball_tree(neighbours, min_distance_px)):
        if alive[first]:
            alive[[other for other in near if other > first]] = False
    return alive


def instance_centres(instances: NDArray[np.generic]) -> Picks:
    """Return the mean position of the pixels of each particle.

    Parameters
    ----------
    instances : NDArray[np.generic]
        ``(y, x)``: 0 background, else the number of the particle.
    """
    rows, columns = np.nonzero(instances)
    _, number, count = np.unique(instances[rows, columns], return_inverse=True, return_counts=True)
    x_px, y_px = np.bincount(number, columns) / count, np.bincount(number, rows) / count
    return Picks(x_px, y_px, np.ones(len(count)))
