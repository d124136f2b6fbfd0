"""Writing picks for RELION, CryoSPARC and others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import replace_text
from cryoseg_ext.formats.coordinates import STAR_LABELS, write_coordinates_csv
from cryoseg_ext.formats.groups import write_particle_group
from cryoseg_ext.formats.micrographs import KnownMicrographs
from cryoseg_ext.formats.names import without_extensions
from cryoseg_ext.formats.particles import PickedExposure, particle_dataset
from cryoseg_ext.formats.paths import after_job_folder
from cryoseg_ext.formats.star import quoted, write_table
from cryoseg_ext.picks import Picks


def write_csv_folder(folder: Path, picks: Mapping[str, Picks]) -> None:
    """Write a CSV file (x, y in pixels, and score) for each micrograph."""
    for name, path in _paths(folder, list(picks), ".csv", keep_folders=False).items():
        write_coordinates_csv(path, picks[name])


def write_star_folder(folder: Path, picks: Mapping[str, Picks], known: KnownMicrographs) -> None:
    """Write RELION's coordinate files.

    For micrographs of RELION each file lies where RELION looks for it, and the lists that Extract takes are
    written: ``autopick.star`` for RELION 4 and 5, ``coords_suffix_autopick.star`` for 3.1.
    """
    paths = _paths(folder, list(picks), "_autopick.star", keep_folders=known.of_relion)
    for name, path in paths.items():
        write_table(path, "", STAR_LABELS, _rows(picks[name]))
    if known.of_relion:
        rows = (f"{quoted(name)} {quoted(path.as_posix())}" for name, path in paths.items())
        columns = ("rlnMicrographName", "rlnMicrographCoordinates")
        write_table(folder / "autopick.star", "coordinate_files", columns, rows)
        replace_text(folder / "coords_suffix_autopick.star", f"{known.path.as_posix()}\n")


def write_particles_star(path: Path, picks: Mapping[str, Picks], known: KnownMicrographs) -> None:
    """Write one table of all picks, with the optics groups of their micrographs where they are known."""
    columns, table, end_of = [*STAR_LABELS, "rlnMicrographName"], "", {name: quoted(name) for name in picks}
    if known.optics is not None:
        columns, table = [*columns, "rlnOpticsGroup"], "particles"
        end_of = {name: f"{end} {known.by_name[name].optics_group}" for name, end in end_of.items()}
    rows = (f"{row} {end_of[name]}" for name, one in picks.items() for row in _rows(one))
    write_table(path, table, columns, rows, known.optics)


def write_particles_cs(path: Path, picks: Mapping[str, Picks], known: KnownMicrographs) -> None:
    """Write picks as CryoSPARC's particles, ``.cs`` and ``.csg`` side by side.

    Raises
    ------
    CryosegError
        If the micrographs are not those of CryoSPARC, which knows them by number.
    """
    picked: list[PickedExposure] = []
    for name, one in picks.items():
        exposure = known.by_name[name].exposure
        if exposure is None:
            raise CryosegError(
                f"{path}: CryoSPARC knows micrographs by number: give its exposures (.csg) as --micrographs"
            )
        picked.append(PickedExposure(exposure, one))
    table = particle_dataset(picked, min_distance_A=0)
    write_particle_group(path.with_suffix(".csg"), table, "Converted picks", known.version)


def _paths(folder: Path, names: Sequence[str], end: str, *, keep_folders: bool) -> dict[str, Path]:
    stems = {name: _path_in_job(name) if keep_folders else without_extensions(name) for name in names}
    paths = {name: folder / f"{stem}{end}" for name, stem in stems.items()}
    owner: dict[Path, str] = {}
    for name, path in paths.items():
        if owner.setdefault(path, name) != name:
            raise CryosegError(f"{owner[path]} and {name} would share {path}: convert them into two folders")
    return paths


def _path_in_job(name: str) -> str:
    relative = PurePosixPath(after_job_folder(name).lstrip("/"))
    # A path that leaves the project must not leave the folder too.
    return relative.stem if ".." in relative.parts else str(relative.with_suffix(""))


def _rows(picks: Picks) -> Iterator[str]:
    columns = zip(picks.x_px.tolist(), picks.y_px.tolist(), picks.score.tolist(), strict=True)
    # Two digits: single precision in CryoSPARC's file must not make 100.9998 of 101, as RELION truncates.
    return (f"{x:.2f} {y:.2f} {score:.6f} 0 0.0" for x, y, score in columns)
