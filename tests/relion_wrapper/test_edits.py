"""A job that is given what was decided by hand, on its page or in another program."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import starfile
from selenium.webdriver.common.by import By

from cryoseg_ext.formats.reading import read_picks
from tests.browser import Browser, browser
from tests.engine import CENTRES_PX, SHAPE
from tests.relion_wrapper.results import coordinates, names

if TYPE_CHECKING:
    from tests.relion_wrapper.conftest import Project

__all__ = ["browser"]

LISTS = (
    ("autopick.star", "coordinate_files"),
    ("micrographs.star", "micrographs"),
    ("summary.star", ""),
)


def _listed(project: Project) -> list[list[str]]:
    return [names(project.job / file, table) for file, table in LISTS]


@pytest.mark.chromium
def test_what_is_edited_on_the_page_comes_back_into_the_job_exactly(
    project: Project, browser: Browser
) -> None:
    project.run()
    browser.open(project.job / "review.html")
    browser.move_threshold(0.85)
    browser.click("[data-hides=no-faint]")
    # The first pick is rejected, the last candidate taken in, and one added.
    browser.click_picture(0, SHAPE, CENTRES_PX[0], CENTRES_PX[2], (150, 20))
    browser.click("[data-number='1'] [data-accepts=no]")
    edits = browser.download("#star")
    command = browser.driver.find_element(By.CSS_SELECTOR, "#commands code").text
    threshold = command.rpartition(" ")[2]
    assert command == (
        "cryoseg-relion --o External/job002/ --in_mics micrographs.star --particle_diameter 100 "
        f"--in_coords job002_edits.star --threshold {threshold}"
    )
    saved = read_picks(edits)[project.names[0]]
    for _ in range(2):
        assert project.run("--in_coords", str(edits), "--threshold", threshold) == 0
        assert project.picked == []
        places = set(coordinates(project))
        assert places == {(round(x), round(y)) for x, y in zip(saved.x_px, saved.y_px, strict=True)}
        assert {CENTRES_PX[2]} < places
        assert CENTRES_PX[0] not in places
        kept = [project.names[0], project.names[2]]
        assert _listed(project) == [kept] * 3
        assert not (project.job / "Movies/mic.1_autopick.star").exists()
        particles = starfile.read(project.job / "particles.star", always_dict=True)["particles"]
        assert set(particles["rlnMicrographName"]) <= set(kept)
        assert sorted(particles["rlnAutopickFigureOfMerit"])[-1] == 1
    # The page of the job begins with them, and they are saved as they were.
    browser.open(project.job / "review.html")
    decided = "1 micrograph accepted, 1 micrograph rejected, picks of 1 micrograph edited"
    assert browser.find("#edits").text == decided
    again = browser.download("#star")
    assert again.read_text().partition("\n")[2] == edits.read_text().partition("\n")[2]
    # Without the file everything is as it was.
    project.run()
    assert project.picked == []
    assert coordinates(project) == coordinates(project, 1) == list(CENTRES_PX[:2])
    assert _listed(project) == [project.names] * 3


def test_picks_of_any_format_replace_those_of_their_micrographs(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.run()
    Path("picks.csv").write_text(
        f"micrograph,x,y\n{project.names[2]},7.4,99\n{project.names[2]},100.3,60.2\n"
    )
    assert project.run("--in_coords", "picks.csv", "--threshold", "0.99") == 0
    assert project.picked == []
    assert [coordinates(project, number) for number in range(3)] == [[], [], [(7, 99), (100, 60)]]
    told = capsys.readouterr().out
    assert "By hand, in picks.csv: the picks of 1 micrograph, and 0 rejected micrographs" in told
    assert _listed(project) == [project.names] * 3


def test_a_micrograph_that_was_emptied_by_hand_stays_without_picks(project: Project) -> None:
    decided = f"{project.names[0]} 1 1\n{project.names[1]} 1 0\n"
    _write_edits("edits.star", decided)
    assert project.run("--in_coords", "edits.star") == 0
    assert [len(coordinates(project, number)) for number in range(3)] == [0, 2, 2]


def test_a_rejected_micrograph_is_not_picked(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    _write_edits("edits.star", f"{project.names[1]} 0 0\n")
    assert project.run("--in_coords", "edits.star") == 0
    assert len(project.picked) == 2
    assert _listed(project) == [[project.names[0], project.names[2]]] * 3
    project.write_star(project.names[1:2])
    assert project.run("--in_coords", "edits.star") == 1
    assert project.picked == []
    assert "edits.star rejects all micrographs that can be picked" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("decided", "sentence"),
    [
        ("other.mrc 0 0\n", "edits.star has nothing for these micrographs (it names other.mrc; "),
        (
            "mic.0.mrc 0 0\nmic.1.mrc 0 0\nmic.2.mrc 0 0\n",
            "edits.star rejects all micrographs that can be picked",
        ),
        (None, "edits.star does not exist"),
    ],
)
def test_edits_that_cannot_be_used_are_refused_with_a_sentence_and_cost_nothing(
    project: Project, capsys: pytest.CaptureFixture[str], decided: str | None, sentence: str
) -> None:
    project.run()
    if decided is not None:
        _write_edits("edits.star", decided)
    assert project.run("--in_coords", "edits.star") == 1
    assert sentence in capsys.readouterr().err
    assert project.exit_files() == ["EXIT_FAILURE"]
    project.run()
    assert project.picked == []
    assert coordinates(project) == list(CENTRES_PX[:2])


def _write_edits(name: str, decided: str) -> None:
    Path(name).write_text(
        "data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnSelected #2\n_cryosegEdited #3\n"
        f"{decided}\n\ndata_particles\n\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n"
        "_rlnCoordinateY #3\n_rlnAutopickFigureOfMerit #4\n\n"
    )
