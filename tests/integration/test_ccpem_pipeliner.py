"""ccpem-pipeliner runs our External job."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
import starfile

if TYPE_CHECKING:
    from tests.integration.conftest import RelionProject

pytest.importorskip("pipeliner", reason="ccpem-pipeliner is not installed")

JOB_STAR = """
data_job

_rlnJobTypeLabel    relion.external
_rlnJobIsContinue    0
_rlnJobIsTomo    0

data_joboptions_values

loop_
_rlnJobOptionVariable #1
_rlnJobOptionValue #2
fn_exe cryoseg-relion
in_mic CtfFind/job003/micrographs_ctf.star
param1_label particle_diameter
param1_value {particle_diameter}
fn_output autopick.star
output_nodetype MicrographCoordsGroup
output_kwds relion:::autopick
nr_threads 1
do_queue No
other_args ""
"""

# In a process of its own: the pipeliner works in the current folder and sets up logging.
RUN_JOB = """
import json
from pipeliner.api.manage_project import PipelinerProject
project = PipelinerProject(make_new_project=True)
job = project.run_job("job.star", run_in_foreground=True)
status = project.wait_for_job_to_finish(job, timeout=120)
print(json.dumps({"job": job.output_dir, "status": status}))
"""


def _run(project: RelionProject, particle_diameter: str) -> tuple[str, str]:
    """Run the job in a fresh ccpem-pipeliner project and return its name and its status."""
    (project.folder / "default_pipeline.star").unlink()
    (project.folder / "job.star").write_text(JOB_STAR.format(particle_diameter=particle_diameter))
    printed = project.run(sys.executable, "-W", "ignore", "-c", RUN_JOB)
    (answer,) = [json.loads(line) for line in printed.splitlines() if line.startswith('{"job"')]
    return answer["job"], answer["status"]


def test_external_job_succeeds_and_the_picks_are_its_node(project: RelionProject) -> None:
    job, status = _run(project, "180")
    assert status == "Succeeded", project.printed(job)
    nodes = starfile.read(project.folder / "default_pipeline.star", always_dict=True)["pipeline_nodes"]
    types = dict(zip(nodes["rlnPipeLineNodeName"], nodes["rlnPipeLineNodeTypeLabel"], strict=True))
    assert types[f"{job}autopick.star"] == "MicrographCoordsGroup.star.relion.autopick"
    assert list(project.picks_px(job)) == list(project.truth_px)


def test_a_wrong_setting_fails_the_job(project: RelionProject) -> None:
    job, status = _run(project, "banana")
    assert status == "Failed"
    assert "banana" in project.printed(job)
