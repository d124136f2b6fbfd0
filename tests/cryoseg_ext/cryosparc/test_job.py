"""The real clients of both versions against a server that is strict about what it gets."""

from __future__ import annotations

import signal
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from cryoseg_ext.words import counted
from tests.cryoseg_ext.cryosparc.conftest import Finished, Site
from tests.cryoseg_ext.cryosparc.instance import Instance
from tests.cryoseg_ext.cryosparc.rest import rest_app
from tests.cryoseg_ext.cryosparc.rpc import rpc_app
from tests.cryoseg_ext.cryosparc.server import Server, serve
from tests.cryoseg_ext.cryosparc.session import CENTRES_PX, DIAMETER_A, PIXEL_SIZE_A, SHAPE

# Name, type and width; the last two are optional.
FIELDS: list[tuple[object, ...]] = [
    ("uid", "<u8"),
    ("location/micrograph_uid", "<u8"),
    ("location/exp_group_id", "<u4"),
    ("location/micrograph_path", "|O"),
    ("location/micrograph_shape", "<u4", (2,)),
    ("location/center_x_frac", "<f4"),
    ("location/center_y_frac", "<f4"),
    ("pick_stats/ncc_score", "<f4"),
    ("pick_stats/power", "<f4"),
    ("pick_stats/template_idx", "<u4"),
    ("pick_stats/angle_rad", "<f4"),
    ("location/micrograph_psize_A", "<f4"),
    ("location/min_dist_A", "<f4"),
]

GIVE_EXPOSURES = "give J12:exposures_accepted or J12:exposures_incomplete"


def _assert_fields(site: Site) -> None:
    assert sorted(site.instance.particles.descr(), key=str) == sorted(FIELDS, key=str)


def _assert_one_sentence(done: Finished, sentence: str) -> None:
    assert done.code == 1
    assert sentence in done.last_line()
    assert "Traceback" not in done.output


def test_the_particles_are_where_they_are_and_every_column_is_exact(site: Site) -> None:
    done = site.pick("--masks", "--crf_solver", "frank_wolfe")
    assert done.code == 0, done.output
    job, particles = site.instance.picking, site.instance.particles
    assert (job.status, job.error) == ("completed", "")
    assert job.inputs["exposures"].source == ("J12", "exposures_accepted")
    _assert_fields(site)
    for index in range(3):
        rows = particles.query({"location/micrograph_uid": 2**63 + index})
        assert set(rows["location/micrograph_path"]) == {f"J2/imported/mic{index}.mrc"}
        found = np.stack([rows["location/center_x_frac"], rows["location/center_y_frac"]], axis=1)
        found_px = found * [SHAPE[1], SHAPE[0]]
        distances_px = np.linalg.norm(found_px[:, None] - np.array(CENTRES_PX), axis=2)
        assert (distances_px.min(axis=0) < 3).all()
    assert (particles["location/micrograph_shape"] == SHAPE).all()
    assert (particles["location/exp_group_id"] == 7).all()
    assert (particles["location/micrograph_psize_A"] == PIXEL_SIZE_A).all()
    assert (particles["location/min_dist_A"] == np.float32(0.4 * DIAMETER_A)).all()
    np.testing.assert_array_equal(particles["pick_stats/ncc_score"], particles["pick_stats/power"])
    assert ((particles["pick_stats/power"] > 0.02) & (particles["pick_stats/power"] <= 1)).all()
    _assert_log(site)
    _assert_masks(site)


def _assert_log(site: Site) -> None:
    job = site.instance.picking
    assert f"cryosparc-tools {site.version}." in job.log[0]
    assert job.log[1].startswith("Settings: --particle_diameter 120 --crf_solver frank_wolfe --masks (model ")
    assert "3 micrographs to pick, 0 finished earlier" in job.log
    progress = [line for line in job.log if line.startswith("Picking micrographs")]
    particles = counted(len(site.instance.particles), "particle")
    assert progress[-1].startswith(f"Picking micrographs: 3 of 3, {particles}, in ")
    # Version 5 replaces one line; version 4 cannot, and writes few.
    assert len(progress) == (1 if site.version == "5" else 3)
    assert [plot.split(":")[0] for plot in job.plots[:3]] == [f"mic{n}.mrc" for n in range(3)]
    assert "scores" in job.plots[3]
    assert (job.tile != "") == (job.outputs["particles"].image != "") == (site.version == "5")


def _assert_masks(site: Site) -> None:
    masks = sorted((site.job_folder / "masks").iterdir())
    with mrcfile.open(masks[0]) as mask:
        x_px, y_px = CENTRES_PX[0]
        step = mask.voxel_size.x / 5
        assert set(np.unique(mask.data)) == {0, 1}
        assert mask.data[round(y_px / step), round(x_px / step)] == 1
    assert [path.name for path in masks] == [f"{2**63 + index}_mic{index}.mrc" for index in range(3)]


def test_no_picks_are_an_empty_success(site: Site) -> None:
    done = site.pick("--threshold", "1")
    assert done.code == 0
    assert site.instance.picking.status == "completed"
    assert len(site.instance.particles) == 0
    _assert_fields(site)
    assert "No particle has a score of 1 or more" in site.instance.picking.log[-1]
    assert "0 particles on 3 micrographs" in done.output


def test_a_micrograph_that_cannot_be_read_is_skipped_and_listed(site: Site) -> None:
    broken = site.instance.project_folder.resolve() / "J2/imported/mic1.mrc"
    broken.unlink()
    broken.write_bytes(b"no micrograph")
    done = site.pick()
    assert done.code == 0
    assert set(site.instance.particles["location/micrograph_uid"]) == {2**63, 2**63 + 2}
    (listed,) = (line for line in site.instance.picking.log if line.startswith("Skipped: "))
    assert str(broken) in listed
    assert listed in done.output
    assert "1 micrograph skipped: review.html says why" in site.instance.picking.log[-1]
    assert str(broken) in (site.job_folder / "review.html").read_text()


def test_a_run_without_any_result_fails(site: Site) -> None:
    for path in (site.instance.project_folder / "J2/imported").iterdir():
        path.unlink()
    reason = "none of the 3 micrographs could be picked"
    _assert_one_sentence(site.pick(), reason)
    assert site.instance.picking.status == "failed"
    assert reason in site.instance.picking.error


def test_a_refused_output_fails_the_job_with_a_short_reason(site: Site) -> None:
    def want_another_column() -> None:
        site.instance.required_fields.append(("location/class", "u4"))

    site.instance.when("receives particles", want_another_column)
    done = site.pick()
    reason = "could not save the particles of J45"
    _assert_one_sentence(done, reason)
    assert "J45 is marked failed; what is finished is kept" in done.output
    assert site.instance.picking.status == "failed"
    assert reason in site.instance.picking.error
    assert len(site.instance.picking.error) < 1000
    assert len(site.kept) == 3


@pytest.mark.parametrize(
    ("number", "reason"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM"), (signal.SIGKILL, "")]
)
def test_an_interrupted_job_goes_on_where_it_was(site: Site, number: signal.Signals, reason: str) -> None:
    done = site.signalled("log: Picking micrographs: 1 of 3", number, "pick")
    job = site.instance.picking
    assert done.code != 0
    assert "Traceback" not in done.output
    # Nobody can tell of a SIGKILL.
    assert job.status == ("failed" if reason else "running")
    assert reason in job.error
    assert job.outputs["particles"].dataset is None
    kept = {path: path.stat().st_mtime_ns for path in site.kept}
    assert 1 <= len(kept) < 3

    done = site.pick("--job", job.uid)
    assert done.code == 0, done.output
    assert job.status == "completed"
    assert set(site.instance.particles["location/micrograph_uid"]) == {2**63 + n for n in range(3)}
    waiting = counted(3 - len(kept), "micrograph")
    assert f"{waiting} to pick, {len(kept)} finished earlier" in job.log
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_a_server_that_goes_away_leaves_what_is_finished_and_the_job_goes_on_later(site: Site) -> None:
    site.instance.when("log: Picking micrographs: 1 of 3", site.server.vanish)
    done = site.pick()
    _assert_one_sentence(done, "CryoSPARC does not answer")
    assert "J45 could not be marked failed, so CryoSPARC shows it as running when it is back" in done.output
    assert site.kept
    assert site.instance.picking.status == "running"
    back = serve(site.instance, site.version)
    try:
        done = site.pick("--job", "J45", "--url", back.url)
    finally:
        back.close()
    assert done.code == 0, done.output
    assert "J45 is still marked running from before and goes on" in done.output
    assert site.instance.picking.status == "completed"


def test_a_denoised_copy_is_picked_and_the_particles_lie_on_the_micrograph(site: Site) -> None:
    for path in (site.instance.project_folder / "J2/imported").iterdir():
        path.unlink()
    done = site.pick("--image_slot", "micrograph_blob_denoised")
    assert done.code == 0, done.output
    assert site.instance.picking.inputs["exposures"].slots[:2] == [
        "micrograph_blob",
        "micrograph_blob_denoised",
    ]
    rows = site.instance.particles.query({"location/micrograph_path": "J2/imported/mic0.mrc"})
    assert (rows["location/micrograph_shape"] == SHAPE).all()
    found = np.stack([rows["location/center_x_frac"], rows["location/center_y_frac"]], axis=1)
    distances_px = np.linalg.norm((found * [SHAPE[1], SHAPE[0]])[:, None] - np.array(CENTRES_PX), axis=2)
    assert (distances_px.min(axis=0) < 4).all()


def test_picks_outside_of_given_masks_are_removed(site: Site, tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    top = np.zeros((30, 26), np.int8)
    top[:8] = 1
    # Named as the micrograph, and as cryoseg names the masks that it writes; mic2 has none.
    mrcfile.write(masks / "mic0_doseweighted.mrc", top)
    mrcfile.write(masks / f"{2**63 + 1}_mic1.mrc", 1 - top)
    assert site.pick("--masks_in", str(masks)).code == 0
    kept = {
        index: rows["location/center_y_frac"] * SHAPE[0]
        for index in range(3)
        if len(rows := site.instance.particles.query({"location/micrograph_uid": 2**63 + index}))
    }
    assert (kept[0] < 80).all()
    assert (kept[1] >= 80).all()
    assert kept[2].min() < 80 <= kept[2].max()
    assert f"2 micrographs of 3 have a mask in {masks}" in site.instance.picking.log


def test_masks_that_are_not_there_fail_the_job(site: Site, tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    _assert_one_sentence(site.pick("--masks_in", str(masks)), f"{masks} holds no masks")
    assert site.instance.picking.status == "failed"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--password", "guess"], "refused the login: check the e-mail address, the password"),
        (["--project", "P99"], "could not find project P99"),
        (["--workspace", "W9"], "could not make a job in workspace W9 of P3"),
        (["--exposures", "J99:exposures"], "could not find job J99"),
        (["--exposures", "J12:nope"], f"--exposures J12:nope: no output nope: {GIVE_EXPOSURES}"),
        (["--exposures", "J12"], f"--exposures J12: no output: {GIVE_EXPOSURES}"),
        (["--exposures", ":particles"], "--exposures :particles: give job and output, as in J12:exposures"),
        (
            ["--exposures", "J20:particles"],
            "--exposures J20:particles: particles is of type particle: J20 has none of type exposure",
        ),
        (["--job", "J12"], "could not find the External job J12"),
        (["--url", "http://127.0.0.1:9"], "no CryoSPARC answers at http://127.0.0.1:9"),
        (["--model", "none.safetensors"], "none.safetensors: no such model file"),
        (["--device", "cuda:99"], "--device cuda:99: PyTorch finds no such device here"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence_and_makes_no_job(
    site: Site, options: list[str], sentence: str
) -> None:
    _assert_one_sentence(site.pick(*options), sentence)
    assert set(site.instance.jobs) == {"J12", "J20"}


def test_an_instance_of_another_version_is_told(site: Site) -> None:
    site.instance.version = "v4.6.2"
    done = site.pick()
    assert done.code == 0
    sentence = "install the matching one with: pip install 'cryosparc-tools~=4.6.0'"
    assert sentence in done.output
    assert any(sentence in line for line in site.instance.picking.log)


def test_a_server_of_the_other_protocol_is_told(site: Site, instance: Instance) -> None:
    other = Server(rpc_app(instance), (0,)) if site.version == "5" else Server(rest_app(instance), (2, 3, 5))
    try:
        wanted = "4.7" if site.version == "5" else "5.0"
        _assert_one_sentence(site.pick("--url", other.url), f"pip install 'cryosparc-tools~={wanted}.0'")
    finally:
        other.close()
