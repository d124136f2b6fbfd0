"""The STAR files that a finished picking job leaves for RELION and other programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from cryoseg_ext.files import replace_text
from cryoseg_ext.formats.coordinates import NAME_LABEL, write_coordinate_lists, write_particles_star
from cryoseg_ext.formats.star import format_rows, quoted, to_text, write_table
from relion_wrapper.nodes import OUTPUT_NODES_FILE, detect_relion_version, write_output_nodes

if TYPE_CHECKING:
    import pandas as pd

    from cryoseg_ext.image.areas import MicrographQuality
    from cryoseg_ext.job.result import JobResult
    from cryoseg_ext.picks import Picks

PICK_NAME, TUBES_NAME = "autopick", "tubes"
"""What coordinate files end in, without ``.star``: picks, and starts and ends of filaments."""
OUTPUT_NAMES = (
    *("micrographs.star", f"{PICK_NAME}.star", f"coords_suffix_{PICK_NAME}.star", "summary.star"),
    *("candidates.star", "particles.star", OUTPUT_NODES_FILE),
)
"""The files of a whole job."""


def write_outputs(job_directory: Path, result: JobResult, coordinates: Callable[[str, str], Path]) -> None:
    """Write the STAR files of the whole job.

    Parameters
    ----------
    job_directory : Path
        The folder of the job.
    result : JobResult
        What was picked.
    coordinates : callable
        Returns the coordinate file of a micrograph, from its name and `PICK_NAME` or `TUBES_NAME`.
    """
    picks, optics = result.picks, result.listed.optics
    table = _rows_of(result)
    tables = {"": with_quality(table, list(result.qualities.values()))}
    if optics is not None:
        tables = {"optics": optics, "micrographs": tables[""]}
    replace_text(job_directory / "micrographs.star", to_text(tables))
    in_mics = result.listed.path
    for kind, names in ((PICK_NAME, list(result.finished)), (TUBES_NAME, result.on_filaments)):
        if names:
            files = ((name, coordinates(name, kind)) for name in names)
            write_coordinate_lists(job_directory, kind, in_mics, files)
    if not result.on_filaments:
        # An earlier run may have picked along filaments.
        for name in (f"{TUBES_NAME}.star", f"coords_suffix_{TUBES_NAME}.star"):
            (job_directory / name).unlink(missing_ok=True)
    rows = (f"{quoted(name)} {one.mean_score:.6f} {one.n_picks}" for name, one in result.qualities.items())
    columns = (NAME_LABEL, "rlnAutopickFigureOfMerit", "rlnGroupNrParticles")
    write_table(job_directory / "summary.star", "", columns, rows)
    candidates = ((name, one.candidates) for name, one in result.finished.items())
    write_candidates_star(job_directory / "candidates.star", candidates)
    write_particles_star(job_directory / "particles.star", picks, result.listed, decimals=0)
    write_output_nodes(job_directory, detect_relion_version(job_directory))


def with_quality(table: pd.DataFrame, qualities: Iterable[MicrographQuality]) -> pd.DataFrame:
    """Return a table of micrographs with the quality of each under labels by which RELION can select.

    RELION's Subset selection knows no other labels than its own. The first two are its own pickers' for
    these numbers; no RELION job reads the others from a table of micrographs.
    """
    qualities = list(qualities)
    return table.assign(
        rlnGroupNrParticles=[one.n_picks for one in qualities],
        rlnAutopickFigureOfMerit=[round(one.mean_score, 6) for one in qualities],
        rlnImageWeight=[one.areas.usable for one in qualities],
        rlnClassDistribution=[one.areas.contaminated for one in qualities],
        rlnParticleSelectZScore=[one.areas.film for one in qualities],
        rlnMaxValueProbDistribution=[one.areas.mottled for one in qualities],
        rlnSortedIndex=[int(one.verdict) for one in qualities],
    )


def write_candidates_star(path: Path, candidates: Iterable[tuple[str, Picks]]) -> None:
    """Write all candidates of all micrographs, coordinates in pixels and not rounded."""
    rows = (
        format_rows(f"{quoted(name).replace('%', '%%')} %.2f %.2f %.6f", (some.x_px, some.y_px, some.score))
        for name, some in candidates
    )
    columns = (NAME_LABEL, "rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit")
    write_table(path, "candidates", columns, rows)


def _rows_of(result: JobResult) -> pd.DataFrame:
    """Return the rows of the input for the micrographs that were picked."""
    table = result.listed.table
    assert table is not None
    return table[table[NAME_LABEL].astype(str).isin(list(result.finished))]
