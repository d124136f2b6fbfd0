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
from numpy.typing import NDArray

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
from cryoseg_ext.formats.lines import problems_of
from cryoseg_ext.formats.paths import exists, folder_above
from cryoseg_ext.formats.picks.format import FileOptions, LocatedByName, NoPicksError, PickFormat
from cryoseg_ext.formats.star import numbers, optics_column
from cryoseg_ext.formats.star_reading import read_tables
from cryoseg_ext.formats.table import (
    NO_PICKS,
    Column,
    LocatedPicks,
    finite_rows,
    known_numbers,
    make_picks,
    number_columns,
    shift_remark,
    split_rows,
    with_remarks,
)
from cryoseg_ext.picks import Picks
from cryoseg_ext.progress import tracked

if TYPE_CHECKING:
    import pandas as pd

_X, _Y = "rlnCoordinateX", "rlnCoordinateY"
_SCORE, _PSI = "rlnAutopickFigureOfMerit", "rlnAnglePsi"
# What RELION's manual picker writes where it has no score and no angle.
_NOTHING = -999.0
_PICKER_ENDS = ("_autopick", "_manualpick")
_SHIFTS_A = ("rlnOriginXAngst", "rlnOriginYAngst")
_SHIFTS_PX = ("rlnOriginX", "rlnOriginY")
# What has to be a number in each row.
_NUMBERS = (_X, _Y, _SCORE, *_SHIFTS_A, *_SHIFTS_PX)
# A file that is longer is no empty file with some line ends.
_LEAST_BYTES = 1024


def read_star(path: Path) -> LocatedByName:
    """Read the picks of a STAR file: coordinates of one micrograph, a list of such files, or particles.

    The origin shifts of refined particles are subtracted. An ``rlnAnglePsi`` of 0 throughout is a dummy, and
    so is -999; ``rlnAnglePsiPrior``, the angle of a filament, stands before it.

    Raises
    ------
    CryosegError
        If the file, or one that it lists, cannot be read or holds no coordinates.
    """
    if path.name.startswith(SUFFIX_FILE):
        return _read_suffix_file(path)
    if _is_empty(path):
        return {_micrograph_of(path): NO_PICKS}
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
    if _is_empty(path):
        return {_micrograph_of(path): NO_PICKS}
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
    root = Path() if exists(files[0]) else folder_above(path, files[0])
    if root is None:
        raise CryosegError(
            f"{path} lists {files[0]}, which is in no folder above it: keep the list in its RELION project"
        )
    found: LocatedByName = {}
    remarks = [*problems_of(table)]
    listed = list(zip(table[NAME_LABEL].map(str), files, strict=True))
    for name, file in tracked(listed, "Reading files of picks", quick=True):
        try:
            found[name] = _read_coordinates(root / file)
        except CryosegError as error:  # noqa: PERF203 - a bad file must not cost the others
            remarks.append(f"{name}, in {path}: {error}")
    if remarks and not found:
        raise CryosegError(remarks[0])
    return with_remarks(found, remarks)


def _read_coordinates(path: Path) -> LocatedPicks:
    """Read the coordinate file of a micrograph; RELION writes an empty one where it found nothing."""
    if _is_empty(path):
        return NO_PICKS
    table = next((one for one in read_tables(path).values() if {_X, _Y}.issubset(one)), None)
    if table is None:
        raise CryosegError(
            f"{path} holds no coordinates: pick its micrograph again or remove it from the list"
        )
    return _located(path, table).in_order()


def _is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size < _LEAST_BYTES and not path.read_bytes().strip()
    except (OSError, ValueError):
        # Said in a sentence where the file is read.
        return False


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
    remarks = []
    for file in tracked(files, "Reading files of picks", quick=True):
        name = file.relative_to(path.parent).as_posix().removesuffix(f"{suffix}.star")
        try:
            (found[name],) = _read_in_folder(file).values()
        except NoPicksError:
            continue
        except CryosegError as error:
            remarks.append(str(error))
    if remarks and not found:
        raise CryosegError(remarks[0])
    return with_remarks(found, remarks)


def _read_particles(path: Path, table: pd.DataFrame, optics: pd.DataFrame | None) -> LocatedByName:
    """Read a table with the picks of many micrographs."""
    table = finite_rows(table, _NUMBERS, path)
    sizes_A, originals_A = (
        optics_column(table, optics, label)
        for label in ("rlnMicrographPixelSize", "rlnMicrographOriginalPixelSize")
    )
    images_A = _image_sizes(table, optics)
    if {"rlnDetectorPixelSize", "rlnMagnification"}.issubset(table):
        sizes_A = images_A
    # Where neither motion correction nor Extract binned, there is one size.
    sizes_A = np.where(np.isnan(sizes_A) & (images_A == originals_A), images_A, sizes_A)
    every = _located(path, table)
    shift_A = _shifts(table, images_A)
    lost = bool(np.isnan(shift_A).any())
    shift_A = np.nan_to_num(shift_A)
    every = replace(every, shift_A=shift_A if np.any(shift_A) else None)
    found: LocatedByName = {}
    parts = list(zip(*split_rows(table[NAME_LABEL].to_numpy(dtype=object)), strict=True))
    for name, rows in tracked(parts, "Sorting picks by micrograph", quick=True):
        located = replace(
            every.at(rows),
            pixel_size_A=_known_size(sizes_A[rows[0]]),
            original_A=_known_size(originals_A[rows[0]]),
        )
        found[name] = located.centred(located.pixel_size_A).in_order()
    remarks = [*every.remarks]
    if lost:
        remarks.append(
            f"{path}: origin shifts in pixels of the particle images are not applied, as their pixel size "
            "is not known: add rlnImagePixelSize"
        )
    if every.shift_A is not None and any(one.shift_A is None for one in found.values()):
        remarks.append(shift_remark(path, shift_A))
    return with_remarks({name: replace(one, remarks=()) for name, one in found.items()}, remarks)


def _known_size(size_A: float) -> float | None:
    return float(size_A) if 0 < size_A < float("inf") else None


def _image_sizes(table: pd.DataFrame, optics: pd.DataFrame | None) -> Column:
    """Return Å/px of the image of each particle, nan where it is not known."""
    if {"rlnDetectorPixelSize", "rlnMagnification"}.issubset(table):
        # RELION 3.0 has a single table.
        detector_um, magnification = (
            numbers(table["rlnDetectorPixelSize"]),
            numbers(table["rlnMagnification"]),
        )
        return (1e4 * detector_um / magnification).to_numpy(np.float64)
    return optics_column(table, optics, "rlnImagePixelSize")


def _shifts(table: pd.DataFrame, images_A: Column) -> NDArray[np.float64]:
    """Return ``(n, 2)`` origin shifts in Å; before RELION 3.1 they are in pixels of the particle image."""
    if set(_SHIFTS_A).issubset(table):
        return np.stack([numbers(table[label]) for label in _SHIFTS_A], axis=1)
    if not set(_SHIFTS_PX).issubset(table):
        return np.zeros((len(table), 2))
    shift_px = np.stack([numbers(table[label]) for label in _SHIFTS_PX], axis=1)
    return np.where(shift_px == 0, 0.0, shift_px * images_A[:, None])


def _located(path: Path, table: pd.DataFrame) -> LocatedPicks:
    """Return the picks of a table, in its order."""
    table = finite_rows(table, _NUMBERS, path)
    x_px, y_px = number_columns(table, [_X, _Y])
    (score,) = number_columns(table, [_SCORE]) if _SCORE in table else (np.ones(len(table)),)
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
    return LocatedPicks(picks, scored=_SCORE in table, lengths_px=lengths_px, remarks=problems_of(table))


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
    write_coordinate_lists(folder, _PICKER_ENDS[0][1:], in_mics, coordinates.items())


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
