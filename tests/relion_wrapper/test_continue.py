"""A job that is given again picks what is not finished, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cryoseg_ext.size.estimate import Measurement
from tests.cryoseg_ext.size.drawn import long_particles
from tests.engine import AREAS, CENTRES_PX
from tests.relion_wrapper.results import coordinates, names, qualities

if TYPE_CHECKING:
    from tests.relion_wrapper.conftest import Project


def test_continue_with_another_threshold_segments_nothing(project: Project) -> None:
    project.run()
    first = qualities(project)
    assert project.run("--threshold", "0.02") == 0
    assert project.picked == []
    second = qualities(project)
    assert (list(first["rlnGroupNrParticles"]), list(second["rlnGroupNrParticles"])) == ([2] * 3, [3] * 3)
    assert (first["rlnAutopickFigureOfMerit"] > second["rlnAutopickFigureOfMerit"]).all()
    for table in (first, second):
        assert list(table["rlnParticleSelectZScore"]) == [AREAS.film] * 3
    assert coordinates(project) == list(CENTRES_PX)
    assert len(names(project.job / "particles.star", "particles")) == 9
    project.run()
    assert coordinates(project) == list(CENTRES_PX[:2])


def test_continue_with_another_threshold_does_not_load_torch(project: Project) -> None:
    project.run()
    code = (
        "import sys; from relion_wrapper.cli import main;"
        "main(sys.argv[1:]); assert 'torch' not in sys.modules"
    )
    arguments = ["--o", "External/job002/", "--in_mics", "micrographs.star", "--particle_diameter", "100"]
    arguments += ["--model", "model.safetensors", "--threshold", "0.1"]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, timeout=60)
    assert coordinates(project) == list(CENTRES_PX)


def test_auto_estimates_the_diameter_once_and_continue_keeps_it(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(*_: object) -> list[Measurement]:
        return long_particles(100.0)

    monkeypatch.setattr("cryoseg_ext.size.measure.measure", measure)
    assert project.run("--particle_diameter", "auto") == 0
    line = " Particle diameter: 100 Å (between 88 and 114 Å; 3 micrographs, 60 particles)\n"
    assert line in capsys.readouterr().out
    assert len(project.picked) == 3
    monkeypatch.delattr("cryoseg_ext.size.measure.measure")
    assert project.run("--particle_diameter", "auto", "--threshold", "0.02") == 0
    assert project.picked == []
    assert line in capsys.readouterr().out


def test_continue_picks_only_what_is_unfinished(project: Project) -> None:
    project.run()
    before = coordinates(project)
    (project.job / "Movies/mic.1_candidates.star").unlink()
    assert project.run() == 0
    assert len(project.picked) == 1
    assert coordinates(project) == coordinates(project, 1) == before
    project.write_star(project.names[:2])
    project.run()
    assert names(project.job / "micrographs.star", "micrographs") == project.names[:2]


def test_a_setting_that_changes_the_candidates_has_all_picked_again(project: Project) -> None:
    project.run()
    for change in (
        ["--max_picks", "60"],
        ["--extraction", "watershed"],
        ["--no_crf"],
        ["--particle_diameter", "101"],
    ):
        project.run(*change)
        assert len(project.picked) == 3
    (project.folder / "model.safetensors").write_bytes(b"other weights")
    project.run("--particle_diameter", "101")
    assert len(project.picked) == 3


def test_only_do_unfinished_keeps_finished_micrographs_whatever_changed(project: Project) -> None:
    project.run()
    (project.job / "Movies/mic.1_candidates.star").unlink()
    assert project.run("--min_distance", "60", "--only_do_unfinished") == 0
    assert len(project.picked) == 1


def test_an_abort_keeps_what_is_finished_and_continue_does_the_rest(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cryoseg_ext import pipeline

    segment = pipeline.pick_repaired

    def abort_while_segmenting(*arguments: object) -> object:
        (project.job / "RELION_JOB_ABORT_NOW").touch()
        return segment(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline, "pick_repaired", abort_while_segmenting)
    assert project.run() == 2
    assert project.exit_files() == ["EXIT_ABORTED"]
    assert len(project.picked) == 1
    monkeypatch.setattr(pipeline, "pick_repaired", segment)
    assert project.run() == 0
    assert len(project.picked) == 2
    assert project.exit_files() == ["EXIT_SUCCESS"]


def test_a_job_whose_folder_was_removed_ends_in_failure_and_continue_makes_the_rest(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from cryoseg_ext import pipeline

    segment = pipeline.pick_repaired

    def remove(*arguments: object) -> object:
        if len(project.picked) == 1:
            shutil.rmtree(project.job)
        return segment(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline, "pick_repaired", remove)
    assert project.run() == 1
    assert project.exit_files() == ["EXIT_FAILURE"]
    assert "mic.0_candidates.star is not there any more" in capsys.readouterr().err
    monkeypatch.setattr(pipeline, "pick_repaired", segment)
    assert project.run() == 0
    assert (len(project.picked), project.exit_files()) == (1, ["EXIT_SUCCESS"])


def test_continue_does_not_list_what_is_gone_and_keeps_its_result(project: Project) -> None:
    project.run()
    (project.folder / project.names[1]).rename("elsewhere.mrc")
    assert project.run("--threshold", "0.02") == 0
    assert names(project.job / "autopick.star", "coordinate_files") == [project.names[0], project.names[2]]
    assert (project.job / "Movies/mic.1_candidates.star").exists()
    Path("elsewhere.mrc").rename(project.folder / project.names[1])
    assert project.run("--threshold", "0.02") == 0
    assert project.picked == []
    assert names(project.job / "autopick.star", "coordinate_files") == project.names
