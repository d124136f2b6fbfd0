"""Picks as CryoSPARC's particles: the slots ``location`` and ``pick_stats``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.groups import Exposure
from cryoseg_ext.formats.table import LocatedPicks, sorted_picks, split_rows
from cryoseg_ext.picks import Picks

if TYPE_CHECKING:
    from cryosparc.dataset import Dataset

# Name, type and width of every column, as Inspect Picks and Extract want them.
PARTICLE_FIELDS: tuple[tuple[str, str] | tuple[str, str, tuple[int, ...]], ...] = (
    ("location/micrograph_uid", "<u8"),
    ("location/exp_group_id", "<u4"),
    ("location/micrograph_path", "O"),
    ("location/micrograph_shape", "<u4", (2,)),
    ("location/center_x_frac", "<f4"),
    ("location/center_y_frac", "<f4"),
    ("location/micrograph_psize_A", "<f4"),
    ("location/min_dist_A", "<f4"),
    ("pick_stats/ncc_score", "<f4"),
    ("pick_stats/power", "<f4"),
    ("pick_stats/template_idx", "<u4"),
    ("pick_stats/angle_rad", "<f4"),
)


@dataclass(frozen=True)
class PickedExposure:
    """The picks of an exposure.

    Parameters
    ----------
    exposure : Exposure
        The exposure.
    picks : Picks
        The picks, in pixels of its image: of the micrograph, or of a denoised or binned copy.
    """

    exposure: Exposure
    picks: Picks


def particle_dataset(picked: Sequence[PickedExposure], min_distance_A: float) -> Dataset:
    """Return picks as a new data set of particles, with fresh uids.

    Parameters
    ----------
    picked : Sequence[PickedExposure]
        The picks of each exposure; there may be none at all.
    min_distance_A : float
        Least distance between two picks in Å.
    """
    from cryosparc.dataset import Dataset

    particles: Dataset = Dataset.allocate(sum(len(one.picks) for one in picked), list(PARTICLE_FIELDS))
    fill_particles(particles, picked, min_distance_A)
    return particles


def fill_particles(particles: Dataset, picked: Sequence[PickedExposure], min_distance_A: float) -> None:
    """Put picks into a data set that has a row for each.

    Parameters
    ----------
    particles : Dataset
        Its columns are filled as far as they are known; such as ``job.alloc_output("particles", n)``.
    picked : Sequence[PickedExposure]
        The picks of each exposure.
    min_distance_A : float
        Least distance between two picks in Å.
    """
    start = 0
    for one in picked:
        end = start + len(one.picks)
        for name, values in particle_columns(one, min_distance_A).items():
            if name in particles:
                particles[name][start:end] = values
        start = end


def particle_columns(picked: PickedExposure, min_distance_A: float) -> dict[str, ArrayLike]:
    """Return what stands in each column for the picks of one exposure, single values for all of them.

    ``center_x_frac = x_px / nx`` and ``center_y_frac = y_px / ny`` of the image that was picked; y grows
    with the stored row, so nothing is flipped. The score is both ``ncc_score`` and ``power``: Inspect Picks
    asks for both.
    """
    exposure, picks = picked.exposure, picked.picks
    ny, nx = exposure.image_shape
    return {
        "location/micrograph_uid": exposure.uid,
        "location/exp_group_id": exposure.exp_group_id,
        "location/micrograph_path": exposure.path,
        "location/micrograph_shape": exposure.shape,
        "location/center_x_frac": picks.x_px / nx,
        "location/center_y_frac": picks.y_px / ny,
        "location/micrograph_psize_A": exposure.pixel_size_A,
        "location/min_dist_A": min_distance_A,
        "pick_stats/ncc_score": picks.score,
        "pick_stats/power": picks.score,
        "pick_stats/template_idx": 0,
        "pick_stats/angle_rad": 0.0,
    }


def located_picks(source: object, particles: Dataset) -> dict[str, LocatedPicks]:
    """Return the picks of each micrograph in CryoSPARC's particles.

    ``x_px = center_x_frac * nx`` and ``y_px = center_y_frac * ny`` of the micrograph whose shape stands
    beside them; y grows with the stored row, so nothing is flipped.

    Parameters
    ----------
    source : object
        Where they come from, for messages.
    particles : Dataset
        With the slot ``location``, and ``pick_stats`` for the scores.

    Raises
    ------
    CryosegError
        If there are no locations.
    """
    if not {"location/micrograph_path", "location/micrograph_shape"}.issubset(particles):
        raise CryosegError(
            f"{source} has no particle locations: give the .csg of the particles, not one of its .cs files"
        )
    names, rows_of = split_rows(particles["location/micrograph_path"])
    shapes = np.asarray(particles["location/micrograph_shape"], np.int64)
    x_px = np.asarray(particles["location/center_x_frac"], np.float64) * shapes[:, 1]
    y_px = np.asarray(particles["location/center_y_frac"], np.float64) * shapes[:, 0]
    score = _column(particles, "pick_stats/ncc_score", missing=1.0)
    sizes_A = _column(particles, "location/micrograph_psize_A", missing=0.0)
    found: dict[str, LocatedPicks] = {}
    for name, rows in zip(names, rows_of, strict=True):
        ny, nx = shapes[rows[0]].tolist()
        picks = sorted_picks(x_px[rows], y_px[rows], score[rows])
        found[name.removeprefix(">")] = LocatedPicks(picks, float(sizes_A[rows[0]]) or None, (ny, nx))
    return found


def _column(particles: Dataset, name: str, missing: float) -> NDArray[np.float64]:
    return np.asarray(particles[name] if name in particles else np.full(len(particles), missing), np.float64)
