"""The files a finished job leaves for RELION and for its user."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cryoseg_ext.image.areas import AreaShares, MicrographQuality, assess
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.picks import Picks
from cryoseg_ext.report import load_preview
from relion_wrapper.nodes import detect_relion_version, write_output_nodes
from relion_wrapper.paths import PICK_NAME, TUBES_NAME
from relion_wrapper.picking import PlannedMicrograph
from relion_wrapper.star import (
    MicrographsStar,
    with_quality,
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
    areas : Sequence[AreaShares]
        How much of each is contaminated or dead.
    threshold : float
        The lowest figure of merit of a pick.
    options : PickingOptions
        What was stated of the particles, and the rest.
    skipped : Mapping[str, str]
        What is wrong with the micrographs that were not processed, by name.
    """

    star: MicrographsStar
    planned: Sequence[PlannedMicrograph]
    candidates: Sequence[Picks]
    areas: Sequence[AreaShares]
    threshold: float
    options: PickingOptions
    skipped: Mapping[str, str]

    @cached_property
    def picks(self) -> list[Picks]:
        """The picks at or above the threshold."""
        return [candidates.above(self.threshold) for candidates in self.candidates]

    @cached_property
    def qualities(self) -> list[MicrographQuality]:
        """The quality measures at the threshold."""
        return [assess(picks, areas) for picks, areas in zip(self.picks, self.areas, strict=True)]

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
    write_micrographs_star(job_directory / "micrographs.star", with_quality(result.star, result.qualities))
    coordinates = {one.name: one.files.coordinates for one in result.planned}
    write_coordinate_lists(job_directory, PICK_NAME, result.star.path, coordinates)
    tubes = {one.name: one.files.tubes for one in result.planned if picks[one.name].tube_id is not None}
    if tubes:
        write_coordinate_lists(job_directory, TUBES_NAME, result.star.path, tubes)
    else:
        # An earlier run may have picked along filaments.
        for name in (f"{TUBES_NAME}.star", f"coords_suffix_{TUBES_NAME}.star"):
            (job_directory / name).unlink(missing_ok=True)
    write_summary_star(job_directory / "summary.star", dict(zip(result.names, result.qualities, strict=True)))
    write_candidates_star(
        job_directory / "candidates.star", dict(zip(result.names, result.candidates, strict=True))
    )
    write_particles_star(job_directory / "particles.star", result.star, picks)
    write_output_nodes(job_directory, detect_relion_version(job_directory))


def write_reports(job_directory: Path, result: JobResult) -> None:
    """Write ``logfile.pdf`` and ``review.html``, which show one micrograph from each stretch of the run."""
    from cryoseg_ext.report.pdf import Overlay, Report, overlay_of_picks, write_report
    from cryoseg_ext.report.review import write_review

    overlays: dict[int, Overlay] = {}
    for one, picks in zip(result.planned, result.picks, strict=True):
        if one.stretch not in overlays and (preview := load_preview(one.files.preview)):
            overlays[one.stretch] = overlay_of_picks(
                one.name, preview, picks, result.options, one.pixel_size_A
            )
    report = Report(
        title=f"{job_directory.as_posix()}: particles of {result.options.stated_size}",
        threshold=result.threshold,
        candidates=result.candidates,
        overlays=list(overlays.values()),
        skipped=list(result.skipped.values()),
    )
    write_report(job_directory / "logfile.pdf", report)
    write_review(job_directory / "review.html", report, result.names, result.qualities)
