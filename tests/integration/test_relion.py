"""RELION's own programs, of 3.1, 4 or 5, run our External job and take its picks."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import mrcfile
import numpy as np
import pytest
import starfile
from scipy.spatial.distance import cdist

from relion_wrapper.nodes import RelionVersion
from tests.integration.pipeline import relion_version

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import RelionProject

pytestmark = pytest.mark.relion

NODE_TYPES: dict[RelionVersion, dict[str, str | int]] = {
    RelionVersion.V3_1: {"coords_suffix_autopick.star": 2, "logfile.pdf": 13},
    RelionVersion.V4_0: {
        "autopick.star": "MicrographsCoords.star.relion.autopick",
        "logfile.pdf": "LogFile.pdf.relion.autopick",
    },
    RelionVersion.V5_0: {
        "autopick.star": "MicrographCoordsGroup.star.relion.autopick",
        "logfile.pdf": "LogFile.pdf.relion.autopick",
    },
}
BOX_PX = 64
DIAMETER_PX = 40
QUALITY_LABELS = (
    "rlnGroupNrParticles",
    "rlnAutopickFigureOfMerit",
    "rlnImageWeight",
    "rlnClassDistribution",
    "rlnParticleSelectZScore",
    "rlnMaxValueProbDistribution",
    "rlnSortedIndex",
)


def test_external_job_succeeds_and_its_outputs_are_nodes_of_the_pipeline(
    picked_project: tuple[RelionProject, str],
) -> None:
    project, job = picked_project
    assert project.statuses()[job] == "Succeeded"
    types = project.nodes()
    assert types.items() >= {job + name: kind for name, kind in NODE_TYPES[relion_version()].items()}.items()
    assert all((project.folder / name).is_file() for name in types)
    assert [path.name for path in (project.folder / job).glob("RELION_JOB_*")] == ["RELION_JOB_EXIT_SUCCESS"]


def test_picks_lie_on_the_particles(picked_project: tuple[RelionProject, str]) -> None:
    project, job = picked_project
    picks = project.picks_px(job)
    assert list(picks) == list(project.truth_px)
    for name, truth_px in project.truth_px.items():
        distance_px = cdist(truth_px, picks[name])
        found = distance_px.min(axis=1) < 0.3 * DIAMETER_PX
        assert np.mean(found) >= 0.9, f"particles missed in {name}"
        assert np.mean(distance_px.min(axis=0) < 0.3 * DIAMETER_PX) >= 0.9, f"false picks in {name}"
        offset_px = picks[name][distance_px.argmin(axis=1)] - truth_px
        assert np.all(np.abs(offset_px[found].mean(axis=0)) < 0.05 * DIAMETER_PX), f"picks shifted in {name}"


def test_extract_cuts_exactly_the_boxes_around_the_picked_pixels(
    picked_project: tuple[RelionProject, str],
) -> None:
    project, job = picked_project
    extract_job = project.extract(job, f"{job}micrographs.star", BOX_PX)
    tables = starfile.read(project.folder / extract_job / "particles.star", always_dict=True)
    particles = tables["particles"]
    # The size of each pick is carried along.
    assert particles["rlnParticleDiameter"].median() > 0
    for name, picks_px in project.picks_px(job).items():
        of_micrograph = particles[particles["rlnMicrographName"] == name]
        np.testing.assert_array_equal(of_micrograph[["rlnCoordinateX", "rlnCoordinateY"]], picks_px)
    inside = 0
    for _, particle in particles.iterrows():
        number, _, stack = particle["rlnImageName"].partition("@")
        box = np.atleast_3d(mrcfile.read(project.folder / stack)).reshape(-1, BOX_PX, BOX_PX)[int(number) - 1]
        micrograph = mrcfile.read(project.folder / particle["rlnMicrographName"])
        x, y = particle["rlnCoordinateX"], particle["rlnCoordinateY"]
        assert (x, y) == (int(x), int(y)), "RELION truncates: a pick must be whole pixels"
        left, top = int(x) - BOX_PX // 2, int(y) - BOX_PX // 2
        cut = micrograph[max(top, 0) : top + BOX_PX, max(left, 0) : left + BOX_PX]
        if cut.shape == box.shape:
            inside += 1
            np.testing.assert_array_equal(box, cut)
    assert inside > len(particles) / 2


def test_subset_selection_takes_the_qualities_and_extract_its_micrographs(
    picked_project: tuple[RelionProject, str],
) -> None:
    project, job = picked_project
    table = starfile.read(project.folder / f"{job}micrographs.star", always_dict=True)["micrographs"]
    for label in QUALITY_LABELS:
        command = ["relion_star_handler", "--i", f"{job}micrographs.star", "--o", "selected.star"]
        told = project.run(*command, "--select", label, "--minval", f"{table[label].max() - 1e-6}")
        assert f"with {np.sum(table[label] == table[label].max())} item(s)" in told
    enough = int(table["rlnGroupNrParticles"].median())
    best = table[table["rlnGroupNrParticles"] >= enough]
    assert len(best) < len(table)
    selection = project.select(f"{job}micrographs.star", "rlnGroupNrParticles", enough)
    extract_job = project.extract(job, f"{selection}micrographs.star", BOX_PX)
    particles = starfile.read(project.folder / extract_job / "particles.star", always_dict=True)["particles"]
    assert set(particles["rlnMicrographName"]) == set(best["rlnMicrographName"])
    assert len(particles) == best["rlnGroupNrParticles"].sum()
    # A particle keeps its own score and takes nothing else of the micrograph's quality.
    assert particles["rlnAutopickFigureOfMerit"].nunique() > 2
    assert set(QUALITY_LABELS).intersection(particles) == {"rlnAutopickFigureOfMerit"}


def test_a_truncated_micrograph_is_skipped_and_extract_takes_the_rest(project: RelionProject) -> None:
    bad, *good = project.truth_px
    _truncate(project.folder / bad)
    job = project.add_external_job()
    assert project.run_job(job) == "Succeeded", project.printed(job)
    assert bad in project.printed(job)
    processed = starfile.read(project.folder / job / "micrographs.star", always_dict=True)["micrographs"]
    assert list(processed["rlnMicrographName"]) == good
    particles = starfile.read(
        project.folder / project.extract(job, f"{job}micrographs.star", BOX_PX) / "particles.star",
        always_dict=True,
    )["particles"]
    assert set(particles["rlnMicrographName"]) == set(good)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"param1_value": "banana"}, "banana"),
        ({"param1_label": "", "param1_value": ""}, "particle_diameter"),
        ({"in_mic": ""}, "in_mics"),
        ({"in_mic": "unscaled.star"}, "unscaled.star"),
    ],
    ids=["not a number", "no diameter", "no micrographs", "no pixel size"],
)
def test_a_wrong_setting_fails_the_job_with_a_sentence(
    project: RelionProject, options: dict[str, str], told: str
) -> None:
    _write_star_without_pixel_size(project.folder / "unscaled.star", list(project.truth_px))
    job = project.add_external_job(**options)
    assert project.run_job(job) == "Failed"
    assert told in project.printed(job)
    assert "Traceback" not in project.printed(job)


def test_a_project_without_a_usable_micrograph_fails(project: RelionProject) -> None:
    missing, *rest = project.truth_px
    (project.folder / missing).unlink()
    for name in rest:
        _truncate(project.folder / name)
    job = project.add_external_job()
    assert project.run_job(job) == "Failed"
    assert all(name in project.printed(job) for name in project.truth_px)
    assert "Traceback" not in project.printed(job)


def test_an_aborted_job_is_finished_by_continue(
    project: RelionProject, picked_project: tuple[RelionProject, str]
) -> None:
    job = project.add_external_job()
    with subprocess.Popen(
        ["relion_pipeliner", "--RunJobs", job, "--sec_wait_after", "1"],
        cwd=project.folder,
        env=project.environment(),
        stdout=subprocess.DEVNULL,
    ) as pipeliner:
        # RELION makes run.out as the command starts; the network takes longer to load than this.
        _wait_for(project.folder / job / "run.out")
        (project.folder / job / "RELION_JOB_ABORT_NOW").touch()
        pipeliner.wait(timeout=100)
    assert project.statuses()[job] == "Aborted", project.printed(job)

    assert project.run_job(job) == "Succeeded", project.printed(job)
    finished, finished_job = picked_project
    for name, picks_px in finished.picks_px(finished_job).items():
        np.testing.assert_array_equal(project.picks_px(job)[name], picks_px)


def _write_star_without_pixel_size(path: Path, names: list[str]) -> None:
    path.write_text("data_micrographs\n\nloop_\n_rlnMicrographName #1\n" + "".join(f"{n}\n" for n in names))


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def _wait_for(path: Path, timeout_s: float = 30) -> None:
    end = time.monotonic() + timeout_s
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.02)
