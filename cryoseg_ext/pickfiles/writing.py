"""Writing picks for RELION, CryoSPARC and others.

Rows are formatted here, one by one: `starfile` would take 20 s for a million particles, and hold them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from cryoseg_ext.coordinates import STAR_LABELS, write_coordinates_csv
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import replace_text, replacing
from cryoseg_ext.pickfiles.micrographs import KnownMicrographs
from cryoseg_ext.pickfiles.names import without_extensions
from cryoseg_ext.pickfiles.paths import after_job_folder
from cryoseg_ext.picks import Picks

if TYPE_CHECKING:
    import pandas as pd


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
        _write_table(path, "", STAR_LABELS, _rows(picks[name]))
    if known.of_relion:
        rows = (f"{_quoted(name)} {_quoted(path.as_posix())}" for name, path in paths.items())
        columns = ("rlnMicrographName", "rlnMicrographCoordinates")
        _write_table(folder / "autopick.star", "coordinate_files", columns, rows)
        replace_text(folder / "coords_suffix_autopick.star", f"{known.path.as_posix()}\n")


def write_particles_star(path: Path, picks: Mapping[str, Picks], known: KnownMicrographs) -> None:
    """Write one table of all picks, with the optics groups of their micrographs where they are known."""
    columns, table, end_of = [*STAR_LABELS, "rlnMicrographName"], "", {name: _quoted(name) for name in picks}
    if known.optics is not None:
        columns, table = [*columns, "rlnOpticsGroup"], "particles"
        end_of = {name: f"{end} {known.by_name[name].optics_group}" for name, end in end_of.items()}
    rows = (f"{row} {end_of[name]}" for name, one in picks.items() for row in _rows(one))
    _write_table(path, table, columns, rows, known.optics)


def write_particle_group(path: Path, picks: Mapping[str, Picks], known: KnownMicrographs) -> None:
    """Write picks as CryoSPARC's particles, ``.cs`` and ``.csg`` side by side.

    Raises
    ------
    CryosegError
        If the micrographs are not those of CryoSPARC, which knows them by number.
    """
    from cryoseg_ext.cryosparc import groups, particles

    picked: list[particles.PickedExposure] = []
    for name, one in picks.items():
        exposure = known.by_name[name].exposure
        if exposure is None:
            raise CryosegError(
                f"{path}: CryoSPARC knows micrographs by number: give its exposures (.csg) as --micrographs"
            )
        picked.append(particles.PickedExposure(exposure, one))
    table = particles.particle_dataset(picked, min_distance_A=0)
    groups.write_particle_group(path.with_suffix(".csg"), table, "Converted picks", known.version)


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


def _write_table(
    path: Path,
    table: str,
    columns: Iterable[str],
    rows: Iterable[str],
    optics: pd.DataFrame | None = None,
) -> None:
    import starfile

    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        if optics is not None:
            file.write(starfile.to_string({"optics": optics}, float_format="%.9g", na_rep="nan"))
        file.write(f"\ndata_{table}\n\nloop_\n")
        file.writelines(f"_{column} #{number}\n" for number, column in enumerate(columns, start=1))
        file.writelines(f"{row}\n" for row in rows)
        file.write("\n")


def _quoted(value: str) -> str:
    return f'"{value}"' if " " in value else value
