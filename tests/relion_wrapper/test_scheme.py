"""The Scheme that users copy, read as RELION 5 reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import starfile

import relion_wrapper
from relion_wrapper.command import parse_picking
from relion_wrapper.nodes import RelionVersion, detect_relion_version, write_output_nodes

assert relion_wrapper.__file__
SCHEME = Path(relion_wrapper.__file__).parent / "schemes/cryoseg"
NAME = "Schemes/cryoseg/"
JOBS = {"import": "relion.import.movies", "pick": "relion.external", "extract": "relion.extract"}


def _read(path: Path) -> dict[str, Any]:
    return dict(starfile.read(path, always_dict=True))


def _options(job: str) -> dict[str, str]:
    table = _read(SCHEME / job / "job.star")["joboptions_values"].astype(str).replace("nan", "")
    return dict(zip(table["rlnJobOptionVariable"], table["rlnJobOptionValue"], strict=True))


def test_it_has_not_started_and_goes_round() -> None:
    tables = _read(SCHEME / "scheme.star")
    general = tables["scheme_general"]
    assert (general["rlnSchemeName"], general["rlnSchemeCurrentNodeName"]) == (NAME, "WAIT")
    jobs = tables["scheme_jobs"]
    assert set(jobs["rlnSchemeJobNameOriginal"]) == set(JOBS)
    assert list(jobs["rlnSchemeJobName"]) == list(jobs["rlnSchemeJobNameOriginal"])
    assert (jobs["rlnSchemeJobMode"] == "continue").all()
    assert (jobs["rlnSchemeJobHasStarted"] == 0).all()
    edges = tables["scheme_edges"]
    following = dict(
        zip(edges["rlnSchemeEdgeInputNodeName"], edges["rlnSchemeEdgeOutputNodeName"], strict=True)
    )
    node, round_ = "WAIT", ["WAIT"]
    while (node := following[node]) != "WAIT":
        round_.append(node)
    assert round_ == ["WAIT", "EXIT_maxtime", *JOBS]
    assert set(tables["scheme_operators"]["rlnSchemeOperatorInput1"]) == set(
        tables["scheme_floats"]["rlnSchemeFloatVariableName"]
    )


@pytest.mark.parametrize("job", JOBS)
def test_its_jobs_are_of_these_types(job: str) -> None:
    table = _read(SCHEME / job / "job.star")["job"]
    assert table["rlnJobTypeLabel"] == JOBS[job]
    assert int(table["rlnJobIsContinue"]) == 0


def test_every_input_is_a_file_that_the_job_before_announces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    job = Path("External/job002")
    write_output_nodes(job, RelionVersion.V5_0)
    nodes = _read(job / "RELION_OUTPUT_NODES.star")["output_nodes"]["rlnPipeLineNodeName"]
    made = {f"{NAME}pick/{Path(name).name}" for name in nodes} | {f"{NAME}import/micrographs.star"}
    inputs = {value for name in JOBS for value in _options(name).values() if value.startswith("Schemes/")}
    assert inputs <= made
    assert _options("extract")["coords_suffix"] == f"{NAME}pick/autopick.star"
    assert _options("extract")["star_mics"] == f"{NAME}pick/micrographs.star"
    assert _options("pick")["in_mic"] == f"{NAME}import/micrographs.star"
    assert detect_relion_version(SCHEME / "pick") is RelionVersion.V5_0


def test_the_command_line_of_its_picking_job_is_known() -> None:
    options = _options("pick")
    assert options["fn_exe"] == "cryoseg-relion"
    words = ["--o", "External/job002/", "--in_mics", options["in_mic"]]
    for number in range(1, 11):
        if label := options[f"param{number}_label"]:
            words += [f"--{label}", options[f"param{number}_value"]]
    arguments = parse_picking([*words, "--j", options["nr_threads"], *options["other_args"].split()])
    assert arguments.warnings == ()
    assert arguments.options.size.largest_A == 180
    assert not arguments.options.watches


def test_its_readme_names_options_that_are_there() -> None:
    text = (SCHEME / "README.md").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.lstrip().startswith("set_option ") and line.startswith("    "):
            _, job, name, _ = line.split(maxsplit=3)
            assert name in _options(job)
