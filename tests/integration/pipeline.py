"""The files of RELION's pipeline as 3.1 writes them, and as 4 and 5 do."""

from __future__ import annotations

import functools
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import starfile

from relion_wrapper.nodes import RelionVersion

_JOB_TYPES = {"relion.external": 99, "relion.extract": 5, "relion.select.onvalue": 7}
"""RELION 3.1's numbers of the jobs that later releases name."""
_STATUS_NAMES = {0: "Running", 1: "Scheduled", 2: "Succeeded", 3: "Failed", 4: "Aborted"}
"""RELION 3.1's numbers of the states that later releases name."""
_STAR_VERSIONS = {RelionVersion.V3_1: 30001, RelionVersion.V4_0: 30001, RelionVersion.V5_0: 50001}


@functools.cache
def relion_version() -> RelionVersion:
    """Return the release line of the installed programs."""
    command = ["relion_preprocess", "--version"]
    return version_in(subprocess.run(command, capture_output=True, text=True, check=False).stdout)


def version_in(printed: str) -> RelionVersion:
    """Return the release line from what a program of RELION prints for ``--version``."""
    number = re.search(r"version:? *(\d+)", printed, re.IGNORECASE)
    assert number, f"no version of RELION: {printed}"
    return {3: RelionVersion.V3_1, 4: RelionVersion.V4_0}.get(int(number[1]), RelionVersion.V5_0)


def job_star(version: RelionVersion, job_type: str, options: Mapping[str, str | int]) -> str:
    """Return the ``job.star`` of a job.

    Parameters
    ----------
    version : RelionVersion
        The RELION that reads it.
    job_type : str
        Type as RELION 4 and 5 name it, such as ``relion.external``.
    options : mapping
        Values of the options by name.
    """
    kind = f"_rlnJobTypeLabel {job_type}\n_rlnJobIsContinue 0\n_rlnJobIsTomo 0\n"
    if version is RelionVersion.V3_1:
        kind = f"_rlnJobType {_JOB_TYPES[job_type]}\n_rlnJobIsContinue 0\n"
    rows = "".join(f"{name} {value if value != '' else chr(34) * 2}\n" for name, value in options.items())
    comment = f"# version {_STAR_VERSIONS[version]}"
    return (
        f"\n{comment}\n\ndata_job\n\n{kind}\n\n{comment}\n\ndata_joboptions_values\n\nloop_\n"
        f"_rlnJobOptionVariable #1\n_rlnJobOptionValue #2\n{rows}\n"
    )


def statuses_of(pipeline: Path) -> dict[str, str]:
    """Return the status of each job of a ``default_pipeline.star``: RELION 3.1 writes a number."""
    processes = starfile.read(pipeline, always_dict=True).get("pipeline_processes")
    if processes is None:
        return {}
    if "rlnPipeLineProcessStatusLabel" in processes:
        statuses = processes["rlnPipeLineProcessStatusLabel"].astype(str)
    else:
        statuses = processes["rlnPipeLineProcessStatus"].astype(int).map(_STATUS_NAMES)
    return dict(zip(processes["rlnPipeLineProcessName"].astype(str), statuses, strict=True))


def nodes_of(pipeline: Path) -> dict[str, str | int]:
    """Return the type of each node of a ``default_pipeline.star``: RELION 3.1 writes a number."""
    nodes = starfile.read(pipeline, always_dict=True)["pipeline_nodes"]
    column = next(name for name in nodes if name.startswith("rlnPipeLineNodeType") and "Depth" not in name)
    return dict(zip(nodes["rlnPipeLineNodeName"].astype(str), nodes[column], strict=True))
