"""STAR files of a picking job, in and out.

The `starfile` package reads and writes the tables of micrographs (10,000 rows: 0.05 s and 0.26 s); see
`cryoseg_ext.formats.star` for those of picks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import replace_text
from cryoseg_ext.formats.coordinates import star_labels, star_rows
from cryoseg_ext.formats.star import quoted, to_text, write_table
from cryoseg_ext.image.areas import MicrographQuality
from cryoseg_ext.picks import Picks

if TYPE_CHECKING:
    import pandas as pd

_TEXT_COLUMNS = [
    "rlnMicrographName",
    "rlnMicrographNameNoDW",
    "rlnMicrographMetadata",
    "rlnMicrographMovieName",
    "rlnCtfImage",
    "rlnCtfPowerSpectrum",
    "rlnOpticsGroupName",
    "rlnMtfFileName",
]

# What particles inherit from their micrograph; file names and motion stay behind.
_INHERITED_COLUMNS = (
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


@dataclass(frozen=True)
class MicrographsStar:
    """A micrographs STAR file.

    Parameters
    ----------
    path : Path
        Where it was read from.
    micrographs : DataFrame
        One row per micrograph.
    optics : DataFrame | None
        One row per optics group; None in a file of RELION 3.0, which has a single unnamed table.
    """

    path: Path
    micrographs: pd.DataFrame
    optics: pd.DataFrame | None

    @cached_property
    def names(self) -> list[str]:
        """The micrographs' names, in order."""
        return [str(name) for name in self.micrographs["rlnMicrographName"]]

    def kept(self, names: Iterable[str]) -> MicrographsStar:
        """Return the file with only the micrographs called `names`, in their order here."""
        rows = self.micrographs["rlnMicrographName"].isin(list(names))
        return MicrographsStar(self.path, self.micrographs[rows], self.optics)


def read_micrographs_star(path: Path) -> MicrographsStar:
    """Read a micrographs STAR file of RELION 3.0 to 5.0.

    Raises
    ------
    CryosegError
        If the file is missing, not a STAR file, has no micrographs or no pixel size.
    """
    tables = _read_tables(path)
    if "micrographs" not in tables and "" not in tables:
        found = ", ".join(f"data_{name}" for name in tables) or "no tables"
        raise CryosegError(
            f"{path} has no micrographs ({found}): give the micrographs STAR file of an Import, MotionCorr, "
            "CtfFind or Select job as --in_mics"
        )
    micrographs = tables["micrographs"] if "micrographs" in tables else tables[""]
    if "rlnMicrographName" not in micrographs:
        raise CryosegError(
            f"{path} has no column rlnMicrographName: give a micrographs STAR file as --in_mics"
        )
    if micrographs.empty:
        raise CryosegError(f"{path} lists no micrographs: give a STAR file with at least one")
    star = MicrographsStar(path, micrographs, tables.get("optics"))
    _check_pixel_size_columns(star)
    return star


def pixel_sizes(star: MicrographsStar) -> list[float | CryosegError]:
    """Return the pixel size of each micrograph in Å/px, or what is wrong with it, in order.

    It is ``rlnMicrographPixelSize`` of the micrograph's optics group; in a file of RELION 3.0 it is
    ``10000 * rlnDetectorPixelSize / rlnMagnification``.
    """
    if star.optics is None:
        table = star.micrographs
        sizes = (
            table["rlnMicrographPixelSize"]
            if "rlnMicrographPixelSize" in table
            else 10000 * table["rlnDetectorPixelSize"] / table["rlnMagnification"]
        )
        return [_checked_size(name, size, star.path) for name, size in zip(star.names, sizes, strict=True)]
    by_group = dict(
        zip(star.optics["rlnOpticsGroup"].map(str), star.optics["rlnMicrographPixelSize"], strict=True)
    )
    return [
        _checked_size(name, by_group[group], star.path)
        if group in by_group
        else CryosegError(
            f"{name}: its optics group {group} is not in data_optics of {star.path}: add the group or mend "
            "the number in rlnOpticsGroup"
        )
        for name, group in zip(star.names, star.micrographs["rlnOpticsGroup"].map(str), strict=True)
    ]


def with_quality(star: MicrographsStar, qualities: Sequence[MicrographQuality]) -> MicrographsStar:
    """Return the file with the quality of each micrograph under labels by which RELION can select.

    RELION's Subset selection knows no other labels than its own. The first two are its own pickers' for
    these numbers; no RELION job reads the others from a table of micrographs.
    """
    table = star.micrographs.copy()
    columns: dict[str, Sequence[float]] = {
        "rlnGroupNrParticles": [one.n_picks for one in qualities],
        "rlnAutopickFigureOfMerit": [round(one.mean_score, 6) for one in qualities],
        "rlnImageWeight": [one.areas.usable for one in qualities],
        "rlnClassDistribution": [one.areas.contaminated for one in qualities],
        "rlnParticleSelectZScore": [one.areas.film for one in qualities],
    }
    for label, values in columns.items():
        table[label] = values
    return MicrographsStar(star.path, table, star.optics)


def write_micrographs_star(path: Path, star: MicrographsStar) -> None:
    """Write a micrographs STAR file that RELION reads; optics table and all columns are kept."""
    if star.optics is None:
        replace_text(path, to_text({"": star.micrographs}))
    else:
        replace_text(path, to_text({"optics": star.optics, "micrographs": star.micrographs}))


def write_coordinate_lists(
    job_directory: Path, kind: str, in_mics: Path, coordinates: Mapping[str, Path]
) -> None:
    """Write the lists that lead RELION to the coordinate files.

    ``KIND.star`` is RELION 4's and 5's; ``coords_suffix_KIND.star`` is RELION 3.1's, one line with the path
    of the micrographs STAR file.

    Parameters
    ----------
    job_directory : Path
        The picking job's folder.
    kind : str
        What the coordinate files end in, without ``.star``.
    in_mics : Path
        The micrographs STAR file the job was given.
    coordinates : Mapping[str, Path]
        The coordinate file of each micrograph.
    """
    rows = (f"{quoted(name)} {quoted(path.as_posix())}" for name, path in coordinates.items())
    write_table(
        job_directory / f"{kind}.star",
        "coordinate_files",
        ("rlnMicrographName", "rlnMicrographCoordinates"),
        rows,
    )
    replace_text(job_directory / f"coords_suffix_{kind}.star", f"{in_mics.as_posix()}\n")


def write_summary_star(path: Path, qualities: Mapping[str, MicrographQuality]) -> None:
    """Write the mean figure of merit and the number of picks of each micrograph."""
    rows = (f"{quoted(name)} {one.mean_score:.6f} {one.n_picks}" for name, one in qualities.items())
    write_table(path, "", ("rlnMicrographName", "rlnAutopickFigureOfMerit", "rlnGroupNrParticles"), rows)


def write_candidates_star(path: Path, candidates: Mapping[str, Picks]) -> None:
    """Write all candidates of all micrographs, coordinates in pixels and not rounded."""
    rows = (
        f"{quoted(name)} {x:.2f} {y:.2f} {s:.6f}"
        for name, p in candidates.items()
        for x, y, s in zip(p.x_px.tolist(), p.y_px.tolist(), p.score.tolist(), strict=True)
    )
    columns = ("rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit")
    write_table(path, "candidates", columns, rows)


def write_particles_star(path: Path, star: MicrographsStar, picks: Mapping[str, Picks]) -> None:
    """Write the picks with the optics and CTF columns of their micrographs, for other programs.

    There are no images yet: RELION's own jobs want the coordinate files and an Extract job.
    """
    inherited = [column for column in _INHERITED_COLUMNS if column in star.micrographs]
    of_micrograph = {
        str(name): " ".join(map(quoted, map(str, values)))
        for name, *values in star.micrographs[["rlnMicrographName", *inherited]].itertuples(index=False)
    }
    labels = star_labels(picks.values())
    rows = (
        f"{row} {quoted(name)} {of_micrograph[name]}"
        for name, p in picks.items()
        for row in star_rows(p, labels)
    )
    columns = (*labels, "rlnMicrographName", *inherited)
    write_table(path, "" if star.optics is None else "particles", columns, rows, star.optics)


def _read_tables(path: Path) -> dict[str, pd.DataFrame]:
    import pandas as pd
    import starfile

    try:
        tables = starfile.read(path, always_dict=True, parse_as_string=_TEXT_COLUMNS)
    except FileNotFoundError:
        raise CryosegError(f"{path} does not exist: give the micrographs STAR file as --in_mics") from None
    except OSError as error:
        raise CryosegError(f"{path} cannot be read ({error.strerror}): mend its permissions") from None
    except (ValueError, TypeError, IndexError) as error:
        # What starfile raises on a malformed table depends on where it is malformed.
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        raise CryosegError(f"{path} is not a readable STAR file ({reason}): write it again") from None
    return {
        name: table if isinstance(table, pd.DataFrame) else pd.DataFrame([table])
        for name, table in tables.items()
    }


def _check_pixel_size_columns(star: MicrographsStar) -> None:
    mend = "import the micrographs again with their pixel size"
    if star.optics is None:
        old_style = {"rlnDetectorPixelSize", "rlnMagnification"}.issubset(star.micrographs)
        if not old_style and "rlnMicrographPixelSize" not in star.micrographs:
            raise CryosegError(
                f"{star.path} has no pixel size (neither data_optics nor rlnDetectorPixelSize and "
                f"rlnMagnification): {mend}"
            )
    elif "rlnMicrographPixelSize" not in star.optics:
        raise CryosegError(f"{star.path} has no pixel size (rlnMicrographPixelSize in data_optics): {mend}")
    elif "rlnOpticsGroup" not in star.optics or "rlnOpticsGroup" not in star.micrographs:
        raise CryosegError(f"{star.path} lacks the column rlnOpticsGroup in one of its tables: {mend}")


def _checked_size(name: str, size: object, star_path: Path) -> float | CryosegError:
    if isinstance(size, int | float | np.number) and 0 < float(size) < np.inf:
        return float(size)
    return CryosegError(
        f"{name}: its pixel size in {star_path} is {size}: mend the pixel size of its optics group"
    )
