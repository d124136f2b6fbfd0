from __future__ import annotations

from pathlib import Path

import pytest
import starfile

from relion_wrapper.nodes import RelionVersion, detect_relion_version, write_output_nodes

JOB_STARS = {
    RelionVersion.V3_1: "# version 30001\n\ndata_job\n\n_rlnJobType 99\n_rlnJobIsContinue 0\n",
    RelionVersion.V4_0: "# version 30001\n\ndata_job\n\n_rlnJobTypeLabel relion.external\n",
    RelionVersion.V5_0: "# version 50001\n\ndata_job\n\n_rlnJobTypeLabel relion.external\n",
}


@pytest.mark.parametrize("version", RelionVersion)
def test_the_running_relion_is_known_by_its_job_star(tmp_path: Path, version: RelionVersion) -> None:
    (tmp_path / "job.star").write_text(JOB_STARS[version])
    assert detect_relion_version(tmp_path) is version


def test_without_a_job_star_the_newest_relion_is_assumed(tmp_path: Path) -> None:
    assert detect_relion_version(tmp_path) is RelionVersion.V5_0


@pytest.mark.parametrize(
    ("version", "column", "coordinates", "kind"),
    [
        (RelionVersion.V3_1, "rlnPipeLineNodeType", "coords_suffix_autopick.star", 2),
        (
            RelionVersion.V4_0,
            "rlnPipeLineNodeTypeLabel",
            "autopick.star",
            "MicrographsCoords.star.relion.autopick",
        ),
        (
            RelionVersion.V5_0,
            "rlnPipeLineNodeTypeLabel",
            "autopick.star",
            "MicrographCoordsGroup.star.relion.autopick",
        ),
    ],
)
def test_nodes_are_named_in_the_words_of_the_version(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: RelionVersion,
    column: str,
    coordinates: str,
    kind: str | int,
) -> None:
    monkeypatch.chdir(tmp_path)
    job = Path("External/job002")
    write_output_nodes(job, version)
    nodes = starfile.read(job / "RELION_OUTPUT_NODES.star", always_dict=True)["output_nodes"]
    kinds = dict(zip(nodes["rlnPipeLineNodeName"], nodes[column], strict=True))
    assert kinds[f"External/job002/{coordinates}"] == kind
    assert "External/job002/logfile.pdf" in kinds
