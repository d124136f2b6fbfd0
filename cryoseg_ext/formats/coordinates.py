"""RELION's files of picks, written: coordinates of a micrograph, the lists of them, tables of particles.

Coordinates count from 0, in pixels of the micrograph as stored, and y grows with the stored row: the box of a
pick is ``mrcfile.data[y - N/2 : y + N/2, x - N/2 : x + N/2]``. Nothing is flipped.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import numpy as np

from cryoseg_ext.files import replace_text
from cryoseg_ext.formats.micrographs import MicrographList
from cryoseg_ext.formats.star import format_rows, loop_lines, quoted, write_table
from cryoseg_ext.formats.tubes import tube_ends
from cryoseg_ext.picks import Picks

# RELION's JoinStar wants class and psi in every coordinate file; its own LoG picker writes dummies.
STAR_LABELS = (
    "rlnCoordinateX",
    "rlnCoordinateY",
    "rlnAutopickFigureOfMerit",
    "rlnClassNumber",
    "rlnAnglePsi",
)
SIZE_LABEL = "rlnParticleDiameter"
"""RELION knows it as a number in Å, and Extract carries it into particles.star."""
# As RELION's helical autopicker writes them.
HELICAL_LABELS = (
    "rlnHelicalTubeID",
    "rlnAngleTiltPrior",
    "rlnAnglePsiPrior",
    "rlnHelicalTrackLengthAngst",
    "rlnAnglePsiFlipRatio",
)
NAME_LABEL, LIST_LABEL = "rlnMicrographName", "rlnMicrographCoordinates"
SUFFIX_FILE = "coords_suffix_"
# Decimals of converted coordinates: single precision in CryoSPARC's file must not make 100.9998 of 101, as
# RELION truncates.
CONVERTED_DECIMALS = 2
# What particles inherit from their micrograph; file names and motion stay behind.
_INHERITED = (
    "rlnOpticsGroup",
    "rlnDefocusU",
    "rlnDefocusV",
    "rlnDefocusAngle",
    "rlnPhaseShift",
    "rlnCtfBfactor",
    "rlnCtfScalefactor",
    "rlnCtfMaxResolution",
    "rlnCtfFigureOfMerit",
    "rlnVoltage",
    "rlnSphericalAberration",
    "rlnAmplitudeContrast",
    "rlnMagnification",
    "rlnDetectorPixelSize",
)


def star_labels(picks: Iterable[Picks]) -> tuple[str, ...]:
    """Return the columns of a STAR file of picks: `STAR_LABELS`, and what else any of them knows."""
    known = {name for some in picks for name in some.columns()}
    size = (SIZE_LABEL,) if "diameter_A" in known else ()
    return STAR_LABELS + size + (HELICAL_LABELS if "tube_id" in known else ())


def star_rows(picks: Picks, labels: Collection[str], decimals: int = 0, end: str = "") -> str:
    """Return the values of `star_labels` as lines of text, without the last line end.

    psi is 0 where a particle has no axis, the size where it has no mask.

    Parameters
    ----------
    picks : Picks
        The picks of one micrograph.
    labels : collection of str
        The columns, as `star_labels` returns them.
    decimals : int
        Digits to which coordinates are rounded; to the nearest pixel by default, because RELION's Extract
        truncates.
    end : str
        What stands at the end of each line.
    """
    columns = picks.columns()
    nothing = np.zeros(len(picks))
    x_px, y_px = np.round(picks.x_px, decimals) + 0.0, np.round(picks.y_px, decimals) + 0.0
    values, row = [x_px, y_px, picks.score], "%12.6f %12.6f %9.6f 0 0.000000"
    if picks.psi_deg is not None:
        values.append(np.nan_to_num(picks.psi_deg))
        row = "%12.6f %12.6f %9.6f 0 %.6f"
    if SIZE_LABEL in labels:
        values.append(np.nan_to_num(columns.get("diameter_A", nothing)))
        row += " %.1f"
    if HELICAL_LABELS[0] in labels:
        of_tubes = [columns.get(name, nothing) for name in ("tube_id", "psi_deg", "track_length_A")]
        values += map(np.nan_to_num, of_tubes)
        # Tilt 90: in the plane of the micrograph. Flip ratio 0.5: the polarity is not known.
        row += " %.0f 90.000000 %.6f %.6f 0.500000"
    return format_rows(row, values, end)


def write_coordinates_star(path: Path, picks: Picks, decimals: int = 0) -> None:
    """Write picks as the coordinate file of a micrograph; segments of filaments with their priors.

    Parameters
    ----------
    path : Path
        The file to write.
    picks : Picks
        The picks.
    decimals : int
        As in `star_rows`.
    """
    labels = star_labels([picks])
    # A file that is not streamed stays as it is where nothing changes.
    replace_text(path, "".join(loop_lines("", labels, [star_rows(picks, labels, decimals)])))


def write_tubes_star(path: Path, picks: Picks) -> None:
    """Write the filaments as start-end coordinates, for Extract with ``--helical_tubes``; see `tube_ends`."""
    rows = format_rows("%.2f %.2f", tube_ends(picks).T)
    replace_text(path, "".join(loop_lines("", STAR_LABELS[:2], [rows])))


def write_coordinate_lists(
    folder: Path, kind: str, in_mics: Path, coordinates: Iterable[tuple[str, Path]]
) -> None:
    """Write the lists that lead RELION to the coordinate files.

    ``KIND.star`` is RELION 4's and 5's; ``coords_suffix_KIND.star`` is RELION 3.1's, one line with the path
    of the micrographs STAR file.

    Parameters
    ----------
    folder : Path
        The folder of the picking job.
    kind : str
        What the coordinate files end in, without ``.star``.
    in_mics : Path
        The STAR file of the micrographs.
    coordinates : iterable of (str, Path)
        The name of each micrograph and its coordinate file.
    """
    rows = (f"{quoted(name)} {quoted(path.as_posix())}" for name, path in coordinates)
    write_table(folder / f"{kind}.star", "coordinate_files", (NAME_LABEL, LIST_LABEL), rows)
    replace_text(folder / f"{SUFFIX_FILE}{kind}.star", f"{in_mics.as_posix()}\n")


def write_particles_star(
    path: Path, picks: Mapping[str, Picks], micrographs: MicrographList, decimals: int = CONVERTED_DECIMALS
) -> None:
    """Write one table of all picks, with the optics and CTF columns of their micrographs.

    There are no images yet: RELION's own jobs want the coordinate files and an Extract job.

    Parameters
    ----------
    path : Path
        The file to write.
    picks : Mapping[str, Picks]
        The picks by the name of their micrograph.
    micrographs : MicrographList
        The micrographs.
    decimals : int
        As in `star_rows`.
    """
    table, optics = micrographs.table, micrographs.optics
    inherited: list[str] = [] if table is None else [label for label in _INHERITED if label in table]
    end_of = {name: quoted(name) for name in picks}
    if table is not None:
        known = table.loc[table[NAME_LABEL].isin(list(picks)), [NAME_LABEL, *inherited]]
        values_of = known.itertuples(index=False)
        end_of = {str(name): " ".join(map(quoted, map(str, [name, *values]))) for name, *values in values_of}
    labels = star_labels(picks.values())
    rows = (star_rows(some, labels, decimals, f" {end_of[name]}") for name, some in picks.items())
    columns = (*labels, NAME_LABEL, *inherited)
    write_table(path, "" if optics is None else "particles", columns, rows, optics)
