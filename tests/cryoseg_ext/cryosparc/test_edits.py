"""What was decided by hand on the page of a job, taken into it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from cryoseg_ext.cryosparc import pick_exposures
from cryoseg_ext.options.job import JobOptions
from cryoseg_ext.options.size import ParticleSize
from tests.cryoseg_ext.cryosparc.instance import Instance
from tests.cryoseg_ext.cryosparc.session import DIAMETER_A


@pytest.mark.usefixtures("environment")
def test_edits_are_taken_into_a_job_by_the_command_that_its_page_shows(
    instance: Instance, tmp_path: Path
) -> None:
    options = JobOptions(ParticleSize(DIAMETER_A))
    job = pick_exposures("P3", "W1", "J12:exposures_accepted", options)
    page = (job.folder / "review.html").read_text()
    data = json.loads(re.search(r'<script id="data"[^>]*>(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    assert data["commands"] == [
        [
            "Take them into this job",
            f"cryoseg cryosparc pick --project P3 --job {job.uid} --particle_diameter {DIAMETER_A:g} "
            "--in_coords {edits} --threshold {threshold}",
        ]
    ]
    rejected, edited, other = data["names"]
    edits = tmp_path / "edits.star"
    edits.write_text(
        "data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnSelected #2\n_cryosegEdited #3\n"
        f"{rejected} 0 0\n{edited} 1 1\n\ndata_particles\n\nloop_\n_rlnMicrographName #1\n"
        "_rlnCoordinateX #2\n_rlnCoordinateY #3\n_rlnAutopickFigureOfMerit #4\n"
        f"{edited} 12.25 30.50 1.000000\n"
    )
    again = pick_exposures("P3", None, None, replace(options, in_coords=edits), job=job.uid)
    paths = [str(path) for path in instance.particles["location/micrograph_path"]]
    assert again.n_particles == len(paths) < job.n_particles
    assert paths.count(edited) == 1
    assert set(paths) == {edited, other}
    row = paths.index(edited)
    ny, nx = instance.particles["location/micrograph_shape"][row]
    assert instance.particles["location/center_x_frac"][row] == pytest.approx(12.25 / nx, rel=1e-6)
    assert instance.particles["location/center_y_frac"][row] == pytest.approx(30.5 / ny, rel=1e-6)
