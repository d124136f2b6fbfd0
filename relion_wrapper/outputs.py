"""The files a finished job leaves for RELION and for its user."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cryoseg_ext.picks import Picks
from cryoseg_ext.report import load_preview
from relion_wrapper.nodes import detect_relion_version, write_output_nodes
from relion_wrapper.paths import PICK_NAME, TUBES_NAME
from relion_wrapper.picking import PlannedMicrograph
from relion_wrapper.star import (
    MicrographsStar,
    write_candidates_star,
    write_coordinate_lists,
    write_micrographs_star,
    write_particles_star,
    write_summary_star,
)


@dataclass(frozen=True)
class JobResult:
    """What was picked; the sequences have one entry per processed micrograph, in the same order.

    Parameters
    ----------
    star : MicrographsStar
        The input's rows of the processed micrographs.
    planned : Sequence[PlannedMicrograph]
        Their files and pixel sizes.
    candidates : Sequence[Picks]
        All their candidates.
    threshold : float
        The lowest figure of merit of a pick.
    particle_diameter_A : float
        The particle diameter in Å.
    skipped : Mapping[str, str]
        What is wrong with the micrographs that were not processed, by name.
    """

    star: MicrographsStar
    planned: Sequence[PlannedMicrograph]
    candidates: Sequence[Picks]
    threshold: float
    particle_diameter_A: float
    skipped: Mapping[str, str]

    @cached_property
    def picks(self) -> list[Picks]:
        """The picks at or above the threshold."""
        return [candidates.above(self.threshold) for candidates in self.candidates]

    @property
    def names(self) -> list[str]:
        """The names of the processed micrographs."""
        return [one.name for one in self.planned]


def write_coordinates(result: JobResult, names: Container[str]) -> None:
    """Write the coordinate files of the micrographs called `names`."""
    for one, picks in zip(result.planned, result.picks, strict=True):
        if one.name in names:
            one.files.write_coordinates(picks)


def write_stars(job_directory: Path, result: JobResult) -> None:
    """Write the STAR files of the whole job."""
    picks = dict(zip(result.names, result.picks, strict=True))
    write_micrographs_star(job_directory / "micrographs.star", result.star)
    coordinates = {one.name: one.files.coordinates for one in result.planned}
    write_coordinate_lists(job_directory, PICK_NAME, result.star.path, coordinates)
    tubes = {one.name: one.files.tubes for one in result.planned if picks[one.name].tube_id is not None}
    if tubes:
        write_coordinate_lists(job_directory, TUBES_NAME, result.star.path, tubes)
    else:
        # An earlier run may have picked along filaments.
        for name in (f"{TUBES_NAME}.star", f"coords_suffix_{TUBES_NAME}.star"):
            (job_directory / name).unlink(missing_ok=True)
    write_summary_star(job_directory / "summary.star", picks)
    write_candidates_star(
        job_directory / "candidates.star", dict(zip(result.names, result.candidates, strict=True))
    )
    write_particles_star(job_directory / "particles.star", result.star, picks)
    write_output_nodes(job_directory, detect_relion_version(job_directory))


def write_logfile(job_directory: Path, result: JobResult) -> None:
    """Write ``logfile.pdf``, with the overlay of one micrograph from each stretch of the run."""
    from cryoseg_ext.report.pdf import Overlay, Report, write_report

    overlays: dict[int, Overlay] = {}
    for one, picks in zip(result.planned, result.picks, strict=True):
        if one.stretch not in overlays and (preview := load_preview(one.files.preview)):
            diameter_px = result.particle_diameter_A / one.pixel_size_A
            overlays[one.stretch] = Overlay(one.name, preview, picks, diameter_px)
    report = Report(
        title=f"{job_directory.as_posix()}: particles of {result.particle_diameter_A:g} Å",
        threshold=result.threshold,
        candidates=result.candidates,
        overlays=list(overlays.values()),
        skipped=list(result.skipped.values()),
    )
    write_report(job_directory / "logfile.pdf", report)
