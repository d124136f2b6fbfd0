"""Picks in RELION's STAR files, versions 3.0 to 5.0.

Coordinates count from 0, in pixels of the micrograph as stored, and y grows with the stored row; see
`cryoseg_ext.formats.coordinates`, which writes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.coordinates import (
    LIST_LABEL,
    NAME_LABEL,
    SIZE_LABEL,
    SUFFIX_FILE,
    write_coordinate_lists,
    write_coordinates_star,
    write_particles_star,
)
from cryoseg_ext.formats.paths import folder_above
from cryoseg_ext.formats.picks.format import FileOptions, LocatedByName, NoPicksError, PickFormat
from cryoseg_ext.formats.star import optics_column, read_tables
from cryoseg_ext.formats.table import (
    Column,
    LocatedPicks,
    known_numbers,
    make_picks,
    number_columns,
    split_rows,
)
from cryoseg_ext.picks import Picks

if TYPE_CHECKING:
    import pandas as pd

_X, _Y = "rlnCoordinateX", "rlnCoordinateY"
_SCORE, _PSI = "rlnAutopickFigureOfMerit", "rlnAnglePsi"
# What RELION's manual picker writes where it has no score and no angle.
_NOTHING = -999.0
_PICKER_ENDS = ("_autopick", "_manualpick")


def read_star(path: Path) -> LocatedByName:
    """Read the picks of a STAR file: coordinates of one micrograph, a list of such files, or particles.

    Shifts from a refinement are not applied. An ``rlnAnglePsi`` of 0 throughout is a dummy, and so is -999;
    ``rlnAnglePsiPrior``, the angle of a filament, stands before it.

    Raises
    ------
    CryosegError
        If the file, or one that it lists, cannot be read or holds no coordinates.
    """
    if path.name.startswith(SUFFIX_FILE):
        return _read_suffix_file(path)
    tables = read_tables(path)
    for table in tables.values():
        if LIST_LABEL in table:
            return _read_list(path, table)
        if {_X, _Y}.issubset(table):
            if NAME_LABEL in table:
                return _read_particles(path, table, tables.get("optics"))
            return {_micrograph_of(path): _located(path, table).in_order()}
    raise NoPicksError(
        f"{path} holds no coordinates: give a coordinate file, autopick.star or particles.star"
    )


def _read_in_folder(path: Path) -> LocatedByName:
    """Read the coordinate file of one micrograph."""
    for table in read_tables(path).values():
        if {_X, _Y}.issubset(table) and NAME_LABEL not in table:
            return {_micrograph_of(path): _located(path, table).in_order()}
    raise NoPicksError(f"{path} holds no coordinates of one micrograph")


def _micrograph_of(path: Path) -> str:
    """Return the name of the micrograph whose coordinate file this is: its stem without picker's suffix."""
    end = next((end for end in _PICKER_ENDS if path.stem.endswith(end)), "")
    return path.stem.removesuffix(end)


def _read_list(path: Path, table: pd.DataFrame) -> LocatedByName:
    """Read the coordinate files that ``autopick.star`` or ``manualpick.star`` lists."""
    files = [Path(file) for file in table[LIST_LABEL]]
    if not files:
        return {}
    root = Path() if files[0].exists() else folder_above(path, files[0])
    if root is None:
        raise CryosegError(
            f"{path} lists {files[0]}, which is in no folder above it: keep the list in its RELION project"
        )
    found: LocatedByName = {}
    for name, file in zip(table[NAME_LABEL].map(str), files, strict=True):
        coordinates = next((one for one in read_tables(root / file).values() if {_X, _Y}.issubset(one)), None)
        if coordinates is None:
            raise CryosegError(
                f"{root / file} holds no coordinates: pick {name} again or remove it from {path}"
            )
        found[name] = _located(root / file, coordinates).in_order()
    return found


def _read_suffix_file(path: Path) -> LocatedByName:
    """Read the coordinate files below RELION 3.1's ``coords_suffix_autopick.star``.

    Its one line names the micrographs STAR file; the coordinate files are named by their suffix alone.
    """
    suffix = f"_{path.stem.removeprefix(SUFFIX_FILE)}"
    files = sorted(file for file in path.parent.rglob(f"*{suffix}.star") if file.name != path.name)
    if not files:
        raise CryosegError(
            f"there are no files *{suffix}.star in the folders below {path.parent}: pick first"
        )
    found: LocatedByName = {}
    for file in files:
        for table in read_tables(file).values():
            if {_X, _Y}.issubset(table) and NAME_LABEL not in table:
                name = file.relative_to(path.parent).as_posix().removesuffix(f"{suffix}.star")
                found[name] = _located(file, table).in_order()
    return found


def _read_particles(path: Path, table: pd.DataFrame, optics: pd.DataFrame | None) -> LocatedByName:
    """Read a table with the picks of many micrographs."""
    sizes_A = optics_column(table, optics, "rlnMicrographPixelSize")
    if {"rlnDetectorPixelSize", "rlnMagnification"}.issubset(table):
        sizes_A = (1e4 * table["rlnDetectorPixelSize"] / table["rlnMagnification"]).to_numpy(np.float64)
    every = _located(path, table)
    found: LocatedByName = {}
    for name, rows in zip(*split_rows(table[NAME_LABEL].to_numpy(dtype=object)), strict=True):
        size_A = float(sizes_A[rows[0]])
        located = every.at(rows).in_order()
        found[name] = replace(located, pixel_size_A=size_A if 0 < size_A < float("inf") else None)
    return found


def _located(path: Path, table: pd.DataFrame) -> LocatedPicks:
    """Return the picks of a table, in its order."""
    try:
        x_px, y_px = number_columns(table, [_X, _Y])
        (score,) = number_columns(table, [_SCORE]) if _SCORE in table else (np.ones(len(table)),)
    except ValueError:
        raise CryosegError(
            f"{path} has a coordinate or score that is no finite number: write it again"
        ) from None
    known = partial(known_numbers, table)
    picks = make_picks(
        x_px,
        y_px,
        np.where(score == _NOTHING, 1.0, score),
        diameter_A=_sizes(table),
        psi_deg=_angles(table),
        tube_id=known("rlnHelicalTubeID"),
        track_length_A=known("rlnHelicalTrackLengthAngst"),
    )
    # In pixels until RELION 3.0.
    track_px = known("rlnHelicalTrackLength")
    lengths_px = {} if track_px is None else {"track_length_A": track_px}
    return LocatedPicks(picks, scored=_SCORE in table, lengths_px=lengths_px)


def _sizes(table: pd.DataFrame) -> Column | None:
    # The second label is that of the candidates of our own jobs.
    sizes = (known_numbers(table, label, positive=True) for label in (SIZE_LABEL, "cryosegDiameter"))
    return next((one for one in sizes if one is not None), None)


def _angles(table: pd.DataFrame) -> Column | None:
    prior, psi = known_numbers(table, "rlnAnglePsiPrior"), known_numbers(table, _PSI)
    if prior is not None or psi is None:
        return prior
    psi = np.where(psi == _NOTHING, np.nan, psi)
    return psi if np.nan_to_num(psi).any() else None


def _write_file(path: Path, picks: Picks, options: FileOptions) -> None:
    write_coordinates_star(path, picks, options.decimals)


def _write_lists(folder: Path, in_mics: Path, coordinates: Mapping[str, Path]) -> None:
    write_coordinate_lists(folder, _PICKER_ENDS[0][1:], in_mics, coordinates)


STAR = PickFormat(
    name="star",
    title="RELION STAR",
    suffixes=(".star",),
    columns=frozenset({"score", "diameter_A", "psi_deg", "tube_id", "track_length_A"}),
    read=read_star,
    read_in_folder=_read_in_folder,
    lists=("autopick.star", "manualpick.star", f"{SUFFIX_FILE}*.star"),
    write_file=_write_file,
    write_table=write_particles_star,
    folder_end=f"{_PICKER_ENDS[0]}.star",
    write_lists=_write_lists,
)
