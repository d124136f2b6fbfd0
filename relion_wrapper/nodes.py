"""The output nodes a job announces, in the words of the RELION that runs it."""

from __future__ import annotations

import re
from collections.abc import Container
from enum import Enum
from pathlib import Path

from cryoseg_ext.files import replace_text

OUTPUT_NODES_FILE = "RELION_OUTPUT_NODES.star"


class RelionVersion(Enum):
    """A RELION release line; the three name their nodes differently."""

    V3_1 = "3.1"
    V4_0 = "4.0"
    V5_0 = "5.0"


# particles.star is no node: it has no images, so every RELION job that offered it would fail on it.
_NODE_TYPES: dict[RelionVersion, dict[str, str | int]] = {
    RelionVersion.V3_1: {
        "coords_suffix_autopick.star": 2,
        "coords_suffix_tubes.star": 2,
        "logfile.pdf": 13,
        "micrographs.star": 1,
    },
    RelionVersion.V4_0: {
        "autopick.star": "MicrographsCoords.star.relion.autopick",
        "tubes.star": "MicrographsCoords.star.relion.autopick",
        "logfile.pdf": "LogFile.pdf.relion.autopick",
        "micrographs.star": "MicrographsData.star.relion",
    },
    RelionVersion.V5_0: {
        "autopick.star": "MicrographCoordsGroup.star.relion.autopick",
        "tubes.star": "MicrographCoordsGroup.star.relion.autopick",
        "logfile.pdf": "LogFile.pdf.relion.autopick",
        "micrographs.star": "MicrographGroupMetadata.star.relion",
    },
}


def detect_relion_version(job_directory: Path) -> RelionVersion:
    """Return which RELION made the job folder, from the ``job.star`` it wrote before it started the job.

    A folder without one (a run from the command line) is taken for the newest RELION.
    """
    try:
        job_star = (job_directory / "job.star").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return RelionVersion.V5_0
    if re.search(r"^_rlnJobType\s", job_star, re.MULTILINE):
        return RelionVersion.V3_1
    version = re.search(r"^# version (\d+)", job_star, re.MULTILINE)
    if version and int(version[1]) < 50000:
        return RelionVersion.V4_0
    return RelionVersion.V5_0


def write_output_nodes(
    job_directory: Path, version: RelionVersion, names: Container[str] | None = None
) -> None:
    """Write ``RELION_OUTPUT_NODES.star``, which RELION reads when the job has succeeded.

    Parameters
    ----------
    job_directory : Path
        The folder of the job.
    version : RelionVersion
        The RELION that reads it.
    names : container of str, optional
        The files that are nodes; all of those of a picking job by default.
    """
    column = "_rlnPipeLineNodeType" if version is RelionVersion.V3_1 else "_rlnPipeLineNodeTypeLabel"
    rows = "".join(
        f"{(job_directory / name).as_posix()} {node_type}\n"
        for name, node_type in _NODE_TYPES[version].items()
        if (names is None or name in names)
        # Only a job on filaments has them.
        and ("tubes" not in name or (job_directory / name).exists())
    )
    replace_text(
        job_directory / OUTPUT_NODES_FILE,
        f"\ndata_output_nodes\n\nloop_\n_rlnPipeLineNodeName #1\n{column} #2\n{rows}\n",
    )
