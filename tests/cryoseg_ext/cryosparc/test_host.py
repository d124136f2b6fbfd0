"""What a job leaves in its folder, and what it does with it when it goes on; with the client of version 5."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import mrcfile
import numpy as np
import pytest

from cryoseg_ext.cryosparc import pick_exposures
from cryoseg_ext.cryosparc.host import CryosparcHost
from cryoseg_ext.cryosparc.job import ExternalJob
from cryoseg_ext.options.crf import CrfChoice
from cryoseg_ext.options.job import JobOptions
from cryoseg_ext.options.size import ParticleSize
from tests.cryoseg_ext.cryosparc.instance import Instance
from tests.cryoseg_ext.cryosparc.session import CENTRES_PX, DIAMETER_A, SHAPE

ARGUMENTS = ("P3", "W1", "J12:exposures_accepted")
OPTIONS = JobOptions(ParticleSize(DIAMETER_A))

pytestmark = pytest.mark.usefixtures("environment")


def _masks(folder: Path) -> dict[str, tuple[float, bytes]]:
    """Return pixel size and content of each mask."""
    found = {}
    for path in sorted((folder / "masks").glob("*.mrc")):
        with mrcfile.open(path) as mask:
            found[path.name] = float(mask.voxel_size.x), mask.data.tobytes()
    return found


def test_a_mask_of_another_diameter_is_renewed() -> None:
    small, large = (replace(OPTIONS, size=ParticleSize(diameter_A)) for diameter_A in (100.0, 200.0))
    job = pick_exposures(*ARGUMENTS, replace(small, masks=True))
    first = _masks(job.folder)
    assert len(first) == 3
    pick_exposures(*ARGUMENTS, large, job=job.uid)
    assert not _masks(job.folder)
    pick_exposures(*ARGUMENTS, replace(large, masks=True), job=job.uid)
    renewed = _masks(job.folder)
    assert renewed.keys() == first.keys()
    # At the working scale: twice the diameter, twice the pixel.
    for name, (pixel_size_A, _) in renewed.items():
        assert pixel_size_A == pytest.approx(2 * first[name][0], rel=0.05)


def test_the_tile_shows_the_picks_of_the_last_run(instance: Instance) -> None:
    tiles: list[bytes] = []
    for options in (OPTIONS, replace(OPTIONS, size=ParticleSize(100.0)), replace(OPTIONS, threshold=1.0)):
        pick_exposures(*ARGUMENTS, options, job="J45" if tiles else None)
        job = instance.picking
        tile = instance.assets[job.tile]
        assert tile == instance.assets[job.outputs["particles"].image]
        assert tile == (instance.job_folder(job.uid) / "overlay.png").read_bytes()
        tiles.append(tile)
    assert len(set(tiles)) == 3


def test_reports_are_files_of_the_job_and_the_log_has_the_quality(instance: Instance) -> None:
    job = pick_exposures(*ARGUMENTS, OPTIONS)
    names = [f"J2/imported/mic{index}.mrc" for index in range(3)]
    rows = (job.folder / "quality.tsv").read_text().splitlines()[1:]
    assert [row.split("\t")[0] for row in rows] == names
    assert sum(int(row.split("\t")[1]) for row in rows) == job.n_particles
    assert (job.folder / "report.pdf").read_bytes().startswith(b"%PDF")
    assert all(name in (job.folder / "review.html").read_text() for name in names)
    (table,) = (text for text in instance.picking.log if "quality.tsv" in text)
    assert f"review.html, for a browser, and report.pdf; in {job.folder}" in table
    assert sorted(line.split()[-1] for line in table.splitlines()[2:5]) == names
    assert len(list(job.folder.glob("candidates/*_preview.npz"))) == 3


def test_the_log_has_fifty_skipped_micrographs_and_the_terminal_all(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    logged: list[str] = []

    def log(text: str, level: str) -> None:
        assert level == "warning"
        logged.append(text)

    job = ExternalJob(SimpleNamespace(uid="J45", log=log), tmp_path, tmp_path)
    host = CryosparcHost(job)
    sentences = [f"Skipped: mic{number}.mrc: cannot be read" for number in range(60)]
    for sentence in sentences:
        host.warn(sentence)
    host.warn("look at the contrast")
    assert logged[:50] == sentences[:50]
    assert [text.partition(":")[0] for text in logged[50:]] == [
        "More micrographs are skipped",
        "look at the contrast",
    ]
    assert capsys.readouterr().err.splitlines() == [*sentences, "look at the contrast"]


def test_the_conditional_random_field_is_as_the_user_wants(instance: Instance) -> None:
    scores: list[list[float]] = []
    for solver in (None, "none", "frank_wolfe"):
        options = replace(OPTIONS, crf=CrfChoice(solver=solver))
        pick_exposures(*ARGUMENTS, options, job="J45" if scores else None)
        scores.append(instance.particles["pick_stats/ncc_score"].tolist())
    assert [line.partition(" (")[0] for line in instance.picking.log if "Settings" in line] == [
        "Settings: --particle_diameter 120",
        "Settings: --particle_diameter 120 --no_crf",
        "Settings: --particle_diameter 120 --crf_solver frank_wolfe",
    ]
    assert instance.picking.log.count("3 micrographs to pick, 0 finished earlier") == 3
    # The default model has no pairwise terms in which the solvers could differ.
    assert scores[0] == scores[2] != scores[1]


def test_other_images_of_the_fields_are_picked_in_place_of_the_exposures(instance: Instance) -> None:
    copies = instance.project_folder / "J2/copies"
    copies.mkdir()
    for index in range(2):
        (instance.project_folder / f"J2/denoised{index}.mrc").rename(copies / f"mic{index}_denoised.mrc")
    for path in (instance.project_folder / "J2/imported").iterdir():
        path.unlink()
    job = pick_exposures(*ARGUMENTS, replace(OPTIONS, pick_on=str(copies)))
    assert [reason.partition(":")[0] for reason in job.skipped] == ["J2/imported/mic2.mrc"]
    rows = instance.particles.query({"location/micrograph_path": "J2/imported/mic0.mrc"})
    assert (rows["location/micrograph_shape"] == SHAPE).all()
    found = np.stack([rows["location/center_x_frac"], rows["location/center_y_frac"]], axis=1)
    distances_px = np.linalg.norm((found * [SHAPE[1], SHAPE[0]])[:, None] - np.array(CENTRES_PX), axis=2)
    assert (distances_px.min(axis=0) < 4).all()


def test_only_unfinished_micrographs_are_picked_where_the_user_wants_so(instance: Instance) -> None:
    pick_exposures(*ARGUMENTS, OPTIONS)
    before = instance.particles["location/center_x_frac"].tolist()
    other = JobOptions(ParticleSize(100.0), only_do_unfinished=True, gpu="")
    pick_exposures(*ARGUMENTS, other, job="J45")
    assert (
        "--gpu was given, but PyTorch finds no GPU here: going on with the processor" in instance.picking.log
    )
    assert "0 micrographs to pick, 3 finished earlier" in instance.picking.log
    assert instance.particles["location/center_x_frac"].tolist() == before
