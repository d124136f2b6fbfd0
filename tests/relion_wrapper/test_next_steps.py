"""What a finished job says about the next ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from relion_wrapper.nodes import RelionVersion
from tests.engine import DIAMETER_A, blobs, filament, write_micrograph
from tests.integration.pipeline import job_star

if TYPE_CHECKING:
    from tests.relion_wrapper.conftest import Project

JOB = "External/job002"


def _steps(project: Project, capfd: pytest.CaptureFixture[str], *more: str) -> list[str]:
    """Run the job and return what it says in the end."""
    assert project.run(*more) == 0
    lines = [line.strip() for line in capfd.readouterr().out.splitlines()]
    first = next(number for number, line in enumerate(lines) if " per micrograph: median " in line)
    return lines[first:]


@pytest.mark.parametrize(
    ("version", "coordinates"),
    [
        (None, f"{JOB}/autopick.star (RELION 3.1: coords_suffix_autopick.star)"),
        (RelionVersion.V3_1, f"{JOB}/coords_suffix_autopick.star"),
        (RelionVersion.V4_0, f"{JOB}/autopick.star"),
        (RelionVersion.V5_0, f"{JOB}/autopick.star"),
    ],
)
def test_the_next_steps_name_files_and_fields(
    project: Project,
    capfd: pytest.CaptureFixture[str],
    version: RelionVersion | None,
    coordinates: str,
) -> None:
    if version:
        project.job.mkdir(parents=True)
        (project.job / "job.star").write_text(
            job_star(version, "relion.external", {"in_mic": "micrographs.star"})
        )
    picks, box, extraction, classification = _steps(project, capfd)
    assert picks.startswith("Picks per micrograph: median 2, from 2 to 2; circles of 100 Å")
    assert box.startswith("Box size: 30 px at 5 Å/px")
    assert extraction == (
        f"Next: Particle extraction with micrograph STAR file: {JOB}/micrographs.star, Input coordinates: "
        f"{coordinates}, Particle box size (pix): 30"
    )
    assert classification == "Then: 2D classification of its particles.star with Mask diameter (A): 110"
    for word in extraction.replace(",", " ").split():
        if word.startswith(JOB):
            assert (project.folder / word).is_file()
    # A run that has nothing to do says the same.
    assert _steps(project, capfd) == [picks, box, extraction, classification]


def test_a_small_pixel_is_scaled_down_and_two_need_two_jobs(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    extraction = _steps(project, capfd, "--pixel_size", "1.5")[2]
    assert extraction.endswith(
        "Particle box size (pix): 100, Rescale particles: Yes, Re-scaled size (pixels): 40"
    )
    text = (project.folder / "micrographs.star").read_text()
    other = "opticsGroup2 2 2.5 1.25 300.0 2.7 0.1\n"
    text = text.replace("\n\n\ndata_micrographs", f"\n{other}\n\ndata_micrographs")
    text = text.replace("mic.1.mrc 1 ", "mic.1.mrc 2 ")
    write_micrograph(project.folder / project.names[1], blobs(1), 2.5)
    (project.folder / "micrographs.star").write_text(text)
    box, extraction = _steps(project, capfd)[1:3]
    assert box.startswith("Box size: 60 px at 2.5 Å/px, 30 px at 5 Å/px")
    assert "box size (pix)" not in extraction


def test_without_defocus_the_ctf_comes_first(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    star = project.folder / "micrographs.star"
    star.write_text(star.read_text().replace("_rlnDefocusU", "_rlnCtfMaxResolution"))
    ctf, extraction = _steps(project, capfd)[2:4]
    assert ctf == (
        f"Next: CTF estimation on {JOB}/micrographs.star, which has no defocus yet; the picks stay valid"
    )
    assert extraction.startswith(
        "Then: Particle extraction with micrograph STAR file: its micrographs_ctf.star, Input coordinates: "
    )


def test_filaments_go_to_helical_extraction(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    project.engine.candidates = filament((30.0, 50.0, 70.0), 60.0)
    segments, extraction = _steps(project, capfd, "--helical_rise", "100")
    assert segments == "Segments per micrograph: median 3, from 3 to 3"
    assert extraction.endswith(
        f"Extract helical segments: Yes, Tube diameter (A): {1.1 * DIAMETER_A:.0f}, Use bimodal angular "
        "priors: Yes, Coordinates are start-end only: No"
    )


def test_no_picks_have_no_next_step(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    steps = _steps(project, capfd, "--threshold", "1")
    assert [step.split(":")[0] for step in steps] == ["Picks per micrograph", "Box size"]
