"""RELION's own Extract takes what the job says about it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import mrcfile
import pytest
import starfile

from relion_wrapper.nodes import RelionVersion
from tests.integration.conftest import PARTICLE_DIAMETER_A, PIXEL_SIZE_A
from tests.integration.pipeline import relion_version

if TYPE_CHECKING:
    from tests.integration.conftest import RelionProject

OPTIONS = {
    "micrograph STAR file": "star_mics",
    "Input coordinates": "coords_suffix",
    "Particle box size (pix)": "extract_size",
    "Rescale particles": "do_rescale",
    "Re-scaled size (pixels)": "rescale",
}
"""RELION's names of the fields in its job.star."""


@pytest.mark.relion
def test_extract_runs_with_the_fields_that_the_job_has_said(
    picked_project: tuple[RelionProject, str],
) -> None:
    project, job = picked_project
    (told,) = re.findall("Next: Particle extraction with (.*)", project.printed(job))
    fields = dict(field.split(": ") for field in told.split(", "))
    options: dict[str, str | int] = {OPTIONS[name]: value for name, value in fields.items()}
    options |= {"do_queue": "No", "nr_mpi": 1}
    if relion_version() is not RelionVersion.V3_1:
        options |= {"do_float16": "No"}
    name = project.add_job("relion.extract", options)
    assert project.run_job(name) == "Succeeded", project.printed(name)
    particles = starfile.read(project.folder / name / "particles.star", always_dict=True)["particles"]
    assert len(particles) == sum(map(len, project.picks_px(job).values()))
    stack = particles["rlnImageName"][0].partition("@")[2]
    with mrcfile.open(project.folder / stack) as images:
        assert images.data.shape[-1] >= 1.5 * PARTICLE_DIAMETER_A / PIXEL_SIZE_A
