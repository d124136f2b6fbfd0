from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import starfile

from cryoseg_ext.errors import CryosegError
from tests.engine import CENTRES_PX, SHAPE, blobs, filament, write_micrograph
from tests.relion_wrapper.results import coordinates, names

if TYPE_CHECKING:
    from tests.relion_wrapper.conftest import Project


def test_a_job_writes_what_relion_reads(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert project.run() == 0
    assert project.exit_files() == ["EXIT_SUCCESS"]
    assert coordinates(project) == list(CENTRES_PX[:2])
    for name, table in (("autopick", "coordinate_files"), ("micrographs", "micrographs"), ("summary", "")):
        assert names(project.job / f"{name}.star", table) == project.names
    assert len(names(project.job / "particles.star", "particles")) == 6
    assert len(names(project.job / "candidates.star", "candidates")) == 9
    assert (project.job / "coords_suffix_autopick.star").read_text() == "micrographs.star\n"
    assert (project.job / "logfile.pdf").read_bytes().startswith(b"%PDF")
    assert all(name in (project.job / "review.html").read_text() for name in project.names)
    nodes = starfile.read(project.job / "RELION_OUTPUT_NODES.star", always_dict=True)["output_nodes"]
    assert all((project.folder / node).is_file() for node in nodes["rlnPipeLineNodeName"])
    printed = capsys.readouterr()
    assert "6 picks" in printed.out
    assert "External/job002/review.html" in printed.out
    assert "relion_manualpick --i External/job002/micrographs.star" in printed.out
    assert printed.err == ""


def test_a_job_on_filaments_lists_their_starts_and_ends_too(project: Project) -> None:
    project.engine.candidates = filament((10, 30, 50), 40)
    assert project.run("--helical_rise", "100") == 0
    for name in ("autopick", "tubes"):
        table = starfile.read(project.job / f"{name}.star", always_dict=True)["coordinate_files"]
        files = [project.folder / path for path in table["rlnMicrographCoordinates"]]
        assert [path.name for path in files] == [f"mic.{i}_{name}.star" for i in range(3)]
        rows = starfile.read(files[0], always_dict=True)[""]
        assert list(rows["rlnCoordinateX"]) == ([10, 30, 50] if name == "autopick" else [10, 50])
    particles = starfile.read(project.job / "particles.star", always_dict=True)["particles"]
    assert set(particles["rlnAngleTiltPrior"]) == {90}
    nodes = project.job / "RELION_OUTPUT_NODES.star"
    assert "tubes.star" in nodes.read_text()
    project.engine.candidates = None
    project.run()
    assert "tubes.star" not in nodes.read_text()
    assert not list(project.job.rglob("*tubes*"))


def test_masks_and_copies_are_found_by_the_names_of_relion(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert project.run("--masks") == 0
    mask = project.folder / "Masks/Movies/mic.0.mrc"
    mask.parent.mkdir(parents=True)
    (project.job / "masks/Movies/mic.0.mrc").rename(mask)
    for name in project.names:
        write_micrograph(project.folder / name.replace("MotionCorr/job001", "Denoised"), blobs(0))
    assert (
        project.run("--masks_in", "Masks", "--pick_on", "Denoised/Movies/*.mrc", "--threshold", "0.02") == 0
    )
    assert len(project.picked) == 3
    assert "1 micrograph of 3 have a mask in Masks" in capsys.readouterr().out
    assert coordinates(project) == coordinates(project, 1) == list(CENTRES_PX)


@pytest.mark.parametrize(
    "image",
    [
        None,
        np.full(SHAPE, np.nan, np.float32),
        np.full(SHAPE, 7, np.float32),
        b"cut short",
    ],
    ids=["missing", "NaN", "constant", "truncated"],
)
def test_a_bad_micrograph_is_skipped_listed_and_left_out(
    project: Project, image: object, capsys: pytest.CaptureFixture[str]
) -> None:
    project.run()
    bad = project.names[1]
    (project.folder / bad).unlink()
    (project.job / "Movies/mic.1_candidates.star").unlink()
    if isinstance(image, np.ndarray):
        write_micrograph(project.folder / bad, image)
    elif isinstance(image, bytes):
        (project.folder / bad).write_bytes((project.folder / project.names[0]).read_bytes()[:5000])
    capsys.readouterr()
    assert project.run() == 0
    assert project.exit_files() == ["EXIT_SUCCESS"]
    good = [project.names[0], project.names[2]]
    assert names(project.job / "micrographs.star", "micrographs") == good
    assert names(project.job / "autopick.star", "coordinate_files") == good
    assert not (project.job / "Movies/mic.1_autopick.star").exists()
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert bad in printed.err
    assert f"Skipped 1 micrograph:\n   {bad}" in printed.out
    assert "Traceback" not in printed.out + printed.err


def test_a_micrograph_that_the_engine_refuses_is_named(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise CryosegError("the field is smaller than one particle: check the particle diameter")

    monkeypatch.setattr("cryoseg_ext.pipeline.pick_repaired", refuse)
    assert project.run() == 1
    assert project.exit_files() == ["EXIT_FAILURE"]
    told = capsys.readouterr().err
    assert all(f"{name}: the field is smaller" in told for name in project.names)
    assert "none of the 3 micrographs" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--particle_diameter", "big"], "big"),
        (["--in_mics", "nothing.star"], "nothing.star"),
        (["--in_mics", "model.safetensors"], "model.safetensors is no STAR file"),
        (
            ["--in_mics", "MotionCorr/job001/Movies"],
            "MotionCorr/job001/Movies is a folder: give the micrographs",
        ),
        (["--model", "nothing.safetensors"], "nothing.safetensors"),
    ],
)
def test_unusable_input_fails_the_job_with_a_sentence(
    project: Project, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert project.run(*arguments) == 1
    assert project.exit_files() == ["EXIT_FAILURE"]
    printed = capsys.readouterr()
    assert told in printed.err
    assert printed.err.count("\n") == 1


def test_a_gpu_that_is_not_there_is_told_and_the_job_goes_on(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert project.run("--gpu", "0:1") == 0
    assert "no GPU" in capsys.readouterr().err


def test_unused_and_unknown_options_are_told_and_the_job_goes_on(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert project.run("--in_movies", "movies.star", "--colour", "blue", "--flag") == 0
    told = capsys.readouterr().err
    assert "--in_movies movies.star" in told
    assert "--colour blue --flag" in told


def test_without_a_job_folder_the_command_only_tells(capsys: pytest.CaptureFixture[str]) -> None:
    from relion_wrapper.cli import main

    with pytest.raises(SystemExit) as end:
        main(["--in_mics", "micrographs.star"])
    assert end.value.code == 1
    assert "--o is missing" in capsys.readouterr().err


def test_more_processes_than_processors_are_named(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Other processes would not have the engine of the tests.
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0})
    assert project.run("--j", "999") == 0
    assert "--j 999 is more than the processors" in capsys.readouterr().err
