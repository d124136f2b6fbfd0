"""Files that RELION 5.0.1 wrote around our jobs, by hand and in a Scheme, read without its programs."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import starfile

from cryoseg_ext.formats.micrographs import read_micrographs
from cryoseg_ext.formats.reading import read_picks
from relion_wrapper.cli import main as relion_main
from relion_wrapper.nodes import OUTPUT_NODES_FILE, RelionVersion, detect_relion_version, write_output_nodes
from tests.integration.pipeline import job_star, nodes_of, statuses_of, version_in

PROJECT = Path(__file__).parent / "relion5"
JOB = Path("External/job002")
STATES = ("Running", "Scheduled", "Succeeded", "Failed", "Aborted")


def _options(path: Path) -> dict[str, str]:
    table = starfile.read(path, always_dict=True)["joboptions_values"].astype(str)
    return dict(zip(table["rlnJobOptionVariable"], table["rlnJobOptionValue"], strict=True))


@pytest.mark.parametrize("folder", [JOB, Path("Schemes/otf/pick")])
def test_its_job_star_is_known(folder: Path) -> None:
    assert detect_relion_version(PROJECT / folder) is RelionVersion.V5_0


def test_our_nodes_are_those_that_it_took_into_its_pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    JOB.mkdir(parents=True)
    shutil.copy(PROJECT / JOB / "job.star", JOB)
    write_output_nodes(JOB, detect_relion_version(JOB))
    nodes = starfile.read(JOB / OUTPUT_NODES_FILE, always_dict=True)["output_nodes"]
    ours = dict(zip(nodes["rlnPipeLineNodeName"], nodes["rlnPipeLineNodeTypeLabel"], strict=True))
    pipeline = nodes_of(PROJECT / "default_pipeline.star")
    # Another job has made this one its input under the name that it gives to all micrographs.
    assert ours.items() <= pipeline.items()


@pytest.mark.parametrize(
    ("column", "values"),
    [("rlnPipeLineProcessStatusLabel", STATES), ("rlnPipeLineProcessStatus", range(len(STATES)))],
    ids=["RELION 4 and 5", "RELION 3.1"],
)
def test_states_are_read_as_words_and_as_numbers(
    tmp_path: Path, column: str, values: tuple[object, ...]
) -> None:
    rows = "".join(f"External/job{number:03d}/ {value}\n" for number, value in enumerate(values))
    path = tmp_path / "default_pipeline.star"
    path.write_text(f"data_pipeline_processes\n\nloop_\n_rlnPipeLineProcessName #1\n_{column} #2\n{rows}\n")
    assert tuple(statuses_of(path).values()) == STATES


def test_the_states_of_the_project_are_read() -> None:
    assert set(statuses_of(PROJECT / "default_pipeline.star").values()) == {"Succeeded"}
    assert statuses_of(PROJECT / JOB / "job_pipeline.star") == {"External/job002/": "Running"}


@pytest.mark.parametrize(
    ("printed", "version"),
    [
        ("RELION version: 3.1.3 \nPrecision: BASE=double\n", RelionVersion.V3_1),
        ("RELION version: 4.0.1-commit-ex417f \n", RelionVersion.V4_0),
        ("RELION version: 5.0.1-commit-unknown \n", RelionVersion.V5_0),
    ],
)
def test_the_installed_version_is_known(printed: str, version: RelionVersion) -> None:
    assert version_in(printed) is version


@pytest.mark.parametrize("version", RelionVersion)
def test_the_jobs_of_our_tests_are_written_as_the_version_writes_them(
    tmp_path: Path, version: RelionVersion
) -> None:
    (tmp_path / "job.star").write_text(job_star(version, "relion.external", {"fn_exe": "a", "in_mic": ""}))
    assert detect_relion_version(tmp_path) is version
    assert _options(tmp_path / "job.star") == {"fn_exe": "a", "in_mic": ""}
    if version is RelionVersion.V5_0:
        ours, theirs = (
            starfile.read(path / "job.star", always_dict=True)["job"] for path in (tmp_path, PROJECT / JOB)
        )
        assert ours == theirs


def test_the_parameters_of_its_jobs_are_options_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        relion_main(["--help"])
    printed = capsys.readouterr().out
    for folder in (JOB, Path("Schemes/otf/pick")):
        options = _options(PROJECT / folder / "job.star")
        assert options["fn_exe"] == "cryoseg-relion"
        labels = {options[f"param{number}_label"] for number in range(1, 11)} - {"", "nan"}
        assert labels
        assert all(f"--{label} " in printed for label in labels)


def test_its_scheme_hands_our_outputs_to_extract() -> None:
    scheme = starfile.read(PROJECT / "Schemes/otf/scheme.star", always_dict=True)
    jobs = dict(scheme["scheme_jobs"][["rlnSchemeJobNameOriginal", "rlnSchemeJobName"]].to_numpy())
    assert jobs["pick"] == f"{JOB.as_posix()}/"
    inputs = _options(PROJECT / "Schemes/otf/extract/job.star")
    outputs = {Path(name).name for name in nodes_of(PROJECT / "default_pipeline.star") if "External" in name}
    for option in ("coords_suffix", "star_mics"):
        assert inputs[option].startswith("Schemes/otf/pick/")
        assert Path(inputs[option]).name in outputs


def test_its_selection_of_our_micrographs_and_its_particles_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(PROJECT, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    particles = read_picks(Path("Extract/job003/particles_head.star"))
    (name,) = particles
    assert name == "Micrographs/May08_03.13.02.mrc"
    assert (particles[name].x_px[0], particles[name].y_px[0], particles[name].score[0]) == (
        895,
        743,
        0.992521,
    )
    listed = read_micrographs(["Select/job004/micrographs.star"])
    assert [micrograph.pixel_size_A for micrograph in listed.micrographs] == 5 * [1.5]
    table = starfile.read("Select/job004/micrographs.star", always_dict=True)["micrographs"]
    assert [micrograph.name for micrograph in listed.micrographs] == list(table["rlnMicrographName"])
    assert np.all(
        table["rlnGroupNrParticles"] >= float(_options(Path("Select/job004/job.star"))["select_minval"])
    )
