"""Picks as CryoSPARC's particles: the slots ``location`` and ``pick_stats``, and ``filament`` for filaments.

``center_x_frac = x_px / nx`` and ``center_y_frac = y_px / ny`` of the micrograph whose shape stands beside
them; y grows with the stored row of the MRC file, so nothing is flipped.

The fields of ``filament`` are those of CryoSPARC's Filament Tracer, as listed in pull request 60 of
asarnow/pyem: ``filament_uid``, ``position_A`` along the filament, and ``filament_pose``, the angle in radians
of the filament's direction (dx, dy) in stored pixels. So ``psi = -degrees(filament_pose)``, as in
``dataframe_cryosparc_to_relion`` of jianglab/helicon; pyem's ``csparc2star`` has the same sign and adds 90
degrees. The sign of ``pick_stats/angle_rad`` is not documented; here it is that of ``filament_pose``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.groups import Exposure, check_column
from cryoseg_ext.formats.table import (
    Column,
    LocatedPicks,
    make_picks,
    shift_remark,
    split_rows,
    with_remarks,
)
from cryoseg_ext.formats.tubes import wrapped_deg
from cryoseg_ext.picks import Picks

if TYPE_CHECKING:
    from cryosparc.dataset import Dataset

PARTICLE_SLOTS = ("location", "pick_stats")
# Of both, the shifts of a 3-D refinement are the newer ones.
ALIGNED_SLOTS = ("alignments3D", "alignments2D")
READ_SLOTS = (*PARTICLE_SLOTS, "filament", *ALIGNED_SLOTS, "blob")
_PATH, _SHAPE = "location/micrograph_path", "location/micrograph_shape"
_X_FRACTION, _Y_FRACTION = "location/center_x_frac", "location/center_y_frac"
Field = tuple[str, str] | tuple[str, str, tuple[int, ...]]
"""Name, type and width of a column."""
# As Inspect Picks and Extract want them.
PARTICLE_FIELDS: tuple[Field, ...] = (
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
FILAMENT_FIELDS: tuple[Field, ...] = (
    ("filament/filament_uid", "<u8"),
    ("filament/filament_pose", "<f4"),
    ("filament/position_A", "<f4"),
)
# Numbers of filaments are told apart between micrographs by a multiple of this.
_MICROGRAPH_STEP = 1_000_000


@dataclass(frozen=True)
class PickedExposure:
    """The picks of an exposure.

    Parameters
    ----------
    exposure : Exposure
        The exposure.
    picks : Picks
        The picks, in pixels of the micrograph.
    """

    exposure: Exposure
    picks: Picks


def particle_dataset(picked: Sequence[PickedExposure], min_distance_A: float) -> Dataset:
    """Return picks as a new data set of particles, with fresh uids, and with filaments where there are any.

    Parameters
    ----------
    picked : Sequence[PickedExposure]
        The picks of each exposure; there may be none at all.
    min_distance_A : float
        Least distance between two picks in Å.
    """
    from cryosparc.dataset import Dataset

    helical = any(one.picks.tube_id is not None for one in picked)
    fields = [*PARTICLE_FIELDS, *(FILAMENT_FIELDS if helical else ())]
    particles: Dataset = Dataset.allocate(sum(len(one.picks) for one in picked), fields)
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
    for number, one in enumerate(picked, start=1):
        end = start + len(one.picks)
        columns = particle_columns(one, min_distance_A) | _filament_columns(one.picks, number)
        for name, values in columns.items():
            if name in particles:
                particles[name][start:end] = values
        start = end


def particle_columns(picked: PickedExposure, min_distance_A: float) -> dict[str, ArrayLike]:
    """Return what stands in each column for the picks of one exposure, single values for all of them.

    The score is both ``ncc_score`` and ``power``: Inspect Picks asks for both.
    """
    exposure, picks = picked.exposure, picked.picks
    ny, nx = exposure.shape
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
        "pick_stats/angle_rad": _pose(picks),
    }


def located_picks(source: object, particles: Dataset) -> dict[str, LocatedPicks]:
    """Return the picks of each micrograph in CryoSPARC's particles.

    The filaments of a micrograph are numbered from 1, in the order of their uids.

    Parameters
    ----------
    source : object
        Where they come from, for messages.
    particles : Dataset
        With the slot ``location``, and perhaps with the others of `READ_SLOTS`.

    Raises
    ------
    CryosegError
        If there are no locations.
    """
    if not {_PATH, _SHAPE}.issubset(particles):
        raise CryosegError(
            f"{source} has no particle locations: give the .csg of the particles, not one of its .cs files"
        )
    for name in (_PATH, _SHAPE, _X_FRACTION, _Y_FRACTION):
        check_column(source, particles, name, width=2 if name == _SHAPE else 1)
    particles, remarks = _usable(source, particles)
    shapes = np.asarray(particles[_SHAPE], np.int64)
    shift_A = _shifts(particles)
    picks = make_picks(
        np.asarray(particles[_X_FRACTION], np.float64) * shapes[:, 1],
        np.asarray(particles[_Y_FRACTION], np.float64) * shapes[:, 0],
        _column(particles, "pick_stats/ncc_score"),
        psi_deg=_psi(particles),
        track_length_A=_column(particles, "filament/position_A"),
    )
    every = LocatedPicks(picks, scored="pick_stats/ncc_score" in particles, shift_A=shift_A)
    uids, sizes_A = _filament_uids(particles), _column(particles, "location/micrograph_psize_A")
    found: dict[str, LocatedPicks] = {}
    for name, rows in zip(*split_rows(particles[_PATH]), strict=True):
        located = every.at(rows)
        located = replace(located, picks=_with_filaments(located.picks, uids[rows]))
        ny, nx = shapes[rows[0]].tolist()
        size_A = None if sizes_A is None else float(sizes_A[rows[0]]) or None
        located = replace(located.centred(size_A), pixel_size_A=size_A, shape=(ny, nx))
        found[name.removeprefix(">")] = located.in_order()
    if shift_A is not None and any(one.shift_A is None for one in found.values()):
        remarks.append(shift_remark(source, shift_A))
    return with_remarks(found, remarks)


def _usable(source: object, particles: Dataset) -> tuple[Dataset, list[str]]:
    """Return the particles whose place is known, and a remark on the others."""
    shapes = np.asarray(particles[_SHAPE], np.int64)
    fractions = np.stack([np.asarray(particles[name], np.float64) for name in (_X_FRACTION, _Y_FRACTION)])
    remarks = []
    has_shape, has_place = (shapes > 0).all(axis=1), np.isfinite(fractions).all(axis=0)
    for good, name, what in (
        (has_shape, _SHAPE, "no size of the micrograph"),
        (has_place, _X_FRACTION, "no finite number"),
    ):
        if not good.all():
            first = str(particles[_PATH][int(np.argmin(good))])
            remarks.append(
                f"{source} has {what} in {name} of {np.count_nonzero(~good)} of {good.size} particles, the "
                f"first on {first}: run the job that writes it again"
            )
    good = has_shape & has_place
    if remarks and not good.any():
        raise CryosegError(remarks[0])
    return (particles.mask(good) if remarks else particles), remarks


def _shifts(particles: Dataset) -> NDArray[np.float64] | None:
    """Return ``(n, 2)`` shifts in Å of aligned particles; None where there are none."""
    for slot in ALIGNED_SLOTS:
        size = next((name for name in (f"{slot}/psize_A", "blob/psize_A") if name in particles), None)
        if size and f"{slot}/shift" in particles:
            shift_px = np.asarray(particles[f"{slot}/shift"], np.float64)
            shift_A = np.nan_to_num(shift_px * np.asarray(particles[size], np.float64)[:, None])
            return shift_A if shift_A.any() else None
    return None


def _filament_columns(picks: Picks, number: int) -> dict[str, ArrayLike]:
    """Return the columns of filaments; `number` is that of the micrograph, from 1."""
    if picks.tube_id is None:
        return {}
    track_A = 0.0 if picks.track_length_A is None else np.nan_to_num(picks.track_length_A)
    uid = number * _MICROGRAPH_STEP + np.nan_to_num(picks.tube_id).astype(np.uint64)
    return {
        "filament/filament_uid": uid,
        "filament/filament_pose": _pose(picks),
        "filament/position_A": track_A,
    }


def _pose(picks: Picks) -> ArrayLike:
    return 0.0 if picks.psi_deg is None else np.nan_to_num(-np.radians(picks.psi_deg))


def _psi(particles: Dataset) -> Column:
    angle, pose = (
        np.zeros(len(particles)) if column is None else column
        for column in map(partial(_column, particles), ("pick_stats/angle_rad", "filament/filament_pose"))
    )
    return wrapped_deg(-np.degrees(np.where(_filament_uids(particles) > 0, pose, angle)))


def _with_filaments(picks: Picks, uids: NDArray[np.uint64]) -> Picks:
    """Return the picks of a micrograph with numbers of filaments, or without what is known of filaments only.

    An angle of 0 throughout is not known, but for filaments.
    """
    if uids.any():
        _, number = np.unique(uids, return_inverse=True)
        tube_id = number.astype(np.float64) + float(uids.min() > 0)
        return replace(picks, tube_id=tube_id)
    psi_deg = picks.psi_deg if np.any(picks.psi_deg) else None
    return replace(picks, psi_deg=psi_deg, track_length_A=None)


def _filament_uids(particles: Dataset) -> NDArray[np.uint64]:
    # As integers: numbers of 64 bits do not fit into floats.
    name = "filament/filament_uid"
    return np.asarray(particles[name] if name in particles else np.zeros(len(particles)), np.uint64)


def _column(particles: Dataset, name: str) -> Column | None:
    return np.asarray(particles[name], np.float64) if name in particles else None
