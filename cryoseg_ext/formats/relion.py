"""Picks in RELION's STAR files, versions 3.0 to 5.0."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.paths import folder_above
from cryoseg_ext.formats.table import LocatedPicks, number_columns, sorted_picks, split_rows

if TYPE_CHECKING:
    import pandas as pd

COORDINATES = ["rlnCoordinateX", "rlnCoordinateY"]
_NAME, _SCORE, _LIST = "rlnMicrographName", "rlnAutopickFigureOfMerit", "rlnMicrographCoordinates"
# What RELION's manual picker writes where it has no score.
_NO_SCORE = -999.0
_PICKER_SUFFIXES = ("_autopick", "_manualpick")
SUFFIX_FILE = "coords_suffix_"


def read_star(path: Path) -> dict[str, LocatedPicks]:
    """Read the picks of a STAR file: coordinates of one micrograph, a list of such files, or particles.

    Raises
    ------
    CryosegError
        If the file, or one that it lists, cannot be read or holds no coordinates.
    """
    if path.name.startswith(SUFFIX_FILE):
        return _read_suffix_file(path)
    tables = read_tables(path)
    for table in tables.values():
        if _LIST in table:
            return _read_list(path, table)
        if set(COORDINATES).issubset(table):
            if _NAME in table:
                return _read_particles(path, table, tables.get("optics"))
            return {micrograph_of(path): _located(path, table)}
    raise CryosegError(
        f"{path} holds no coordinates: give a coordinate file, autopick.star or particles.star"
    )


def read_coordinates(path: Path) -> LocatedPicks | None:
    """Read the coordinate file of one micrograph; None where a STAR file is something else."""
    for table in read_tables(path).values():
        if set(COORDINATES).issubset(table) and _NAME not in table:
            return _located(path, table)
    return None


def micrograph_of(path: Path) -> str:
    """Return the name of the micrograph whose coordinate file this is: its stem without picker's suffix."""
    for suffix in _PICKER_SUFFIXES:
        if path.stem.endswith(suffix):
            return path.stem.removesuffix(suffix)
    return path.stem


def read_tables(path: Path) -> dict[str, pd.DataFrame]:
    """Read the tables of a STAR file; a block of single values becomes a table of one row.

    Raises
    ------
    CryosegError
        If the file is missing or no STAR file.
    """
    import pandas as pd
    import starfile

    try:
        tables = starfile.read(path, always_dict=True, parse_as_string=[_NAME, _LIST])
    except FileNotFoundError:
        raise CryosegError(f"{path} does not exist: check the path and the current folder") from None
    except OSError as error:
        raise CryosegError(f"{path} cannot be read ({error.strerror}): mend its permissions") from None
    except (ValueError, TypeError, IndexError, AttributeError) as error:
        # What starfile raises on a malformed table depends on where it is malformed.
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        raise CryosegError(f"{path} is not a readable STAR file ({reason}): write it again") from None
    return {
        name: table if isinstance(table, pd.DataFrame) else pd.DataFrame([table])
        for name, table in tables.items()
    }


def _read_list(path: Path, table: pd.DataFrame) -> dict[str, LocatedPicks]:
    """Read the coordinate files that ``autopick.star`` or ``manualpick.star`` lists."""
    files = [Path(file) for file in table[_LIST]]
    if not files:
        return {}
    root = Path() if files[0].exists() else folder_above(path, files[0])
    if root is None:
        raise CryosegError(
            f"{path} lists {files[0]}, which is in no folder above it: keep the list in its RELION project"
        )
    found: dict[str, LocatedPicks] = {}
    for name, file in zip(table[_NAME].map(str), files, strict=True):
        tables = read_tables(root / file)
        with_coordinates = [one for one in tables.values() if set(COORDINATES).issubset(one)]
        if not with_coordinates:
            raise CryosegError(
                f"{root / file} holds no coordinates: pick {name} again or remove it from {path}"
            )
        found[name] = _located(root / file, with_coordinates[0])
    return found


def _read_suffix_file(path: Path) -> dict[str, LocatedPicks]:
    """Read the coordinate files below RELION 3.1's ``coords_suffix_autopick.star``.

    Its one line names the micrographs STAR file; the coordinate files are named by their suffix alone.
    """
    suffix = f"_{path.stem.removeprefix(SUFFIX_FILE)}"
    files = sorted(file for file in path.parent.rglob(f"*{suffix}.star") if file.name != path.name)
    if not files:
        raise CryosegError(
            f"there are no files *{suffix}.star in the folders below {path.parent}: pick first"
        )
    found: dict[str, LocatedPicks] = {}
    for file in files:
        located = read_coordinates(file)
        if located is not None:
            found[file.relative_to(path.parent).as_posix().removesuffix(f"{suffix}.star")] = located
    return found


def _read_particles(path: Path, table: pd.DataFrame, optics: pd.DataFrame | None) -> dict[str, LocatedPicks]:
    """Read a table with the picks of many micrographs."""
    size_of_group = group_pixel_sizes(optics)
    groups = table["rlnOpticsGroup"].map(str).to_numpy() if "rlnOpticsGroup" in table else [""] * len(table)
    x_px, y_px, score = _columns(path, table)
    found: dict[str, LocatedPicks] = {}
    for name, rows in zip(*split_rows(table[_NAME].to_numpy(dtype=object)), strict=True):
        picks = sorted_picks(x_px[rows], y_px[rows], score[rows])
        found[name] = LocatedPicks(picks, size_of_group.get(groups[rows[0]]), scored=_SCORE in table)
    return found


def group_pixel_sizes(optics: pd.DataFrame | None) -> dict[str, float]:
    """Return the micrographs' pixel size in Å/px of each optics group that has one."""
    columns = ["rlnOpticsGroup", "rlnMicrographPixelSize"]
    if optics is None or not set(columns).issubset(optics):
        return {}
    rows = optics[columns].itertuples(index=False, name=None)
    return {
        str(group): float(size_A) for group, size_A in rows if isinstance(size_A, int | float) and size_A > 0
    }


def _located(path: Path, table: pd.DataFrame) -> LocatedPicks:
    return LocatedPicks(sorted_picks(*_columns(path, table)), scored=_SCORE in table)


def _columns(
    path: Path, table: pd.DataFrame
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return x and y in pixels and the score of each row."""
    try:
        x_px, y_px = number_columns(table, COORDINATES)
        (score,) = number_columns(table, [_SCORE]) if _SCORE in table else (np.ones(len(table)),)
    except ValueError:
        raise CryosegError(
            f"{path} has a coordinate or score that is no finite number: write it again"
        ) from None
    return x_px, y_px, np.where(score == _NO_SCORE, 1.0, score)
