"""Exposures that appear while they are picked."""

from __future__ import annotations

import signal

import pytest

from cryoseg_ext.cryosparc import pick_exposures
from cryoseg_ext.options.job import JobOptions
from cryoseg_ext.options.size import ParticleSize
from tests.cryoseg_ext.cryosparc.conftest import Site
from tests.cryoseg_ext.cryosparc.instance import Instance
from tests.cryoseg_ext.cryosparc.session import DIAMETER_A, exposures


def test_watching_picks_what_appears_until_its_job_ends(site: Site) -> None:
    source = site.instance.jobs["J12"]
    source.status = "running"
    output = source.outputs["exposures_accepted"]
    output.dataset = exposures(2)

    def appear() -> None:
        output.dataset = exposures(3)
        site.instance.when("saved particles", end)

    def end() -> None:
        source.status = "completed"

    site.instance.when("saved particles", appear)
    done = site.pick("--watch", "--watch_interval", "0.05")
    assert done.code == 0, done.output
    assert site.instance.picking.status == "completed"
    assert len(set(site.instance.particles["location/micrograph_uid"])) == 3


@pytest.mark.parametrize("moment", ["log: Picking micrographs: 1 of 3", "saved particles"])
def test_a_watch_that_is_stopped_has_saved_its_particles(site: Site, moment: str) -> None:
    assert site.signalled(moment, signal.SIGINT, "pick", "--watch").code == 1
    assert (site.instance.picking.status, site.instance.picking.error) == ("failed", "stopped by Ctrl-C")
    assert len(set(site.instance.particles["location/micrograph_uid"])) == len(site.kept) > 0


@pytest.mark.usefixtures("environment")
def test_a_watch_goes_on_after_micrographs_that_cannot_be_read(instance: Instance) -> None:
    source = instance.jobs["J12"]
    output = source.outputs["exposures_accepted"]
    source.status, output.dataset = "running", exposures(1)
    broken = instance.project_folder / "J2/imported/mic0.mrc"
    broken.unlink()

    def appear() -> None:
        output.dataset = exposures(3)
        source.status = "completed"

    instance.when("log: 0 micrographs so far; waiting for more", appear)
    job = pick_exposures(
        *("P3", "W1", "J12:exposures_accepted"),
        JobOptions(ParticleSize(DIAMETER_A), watch=True),
        watch_interval_s=0.05,
    )
    assert len(job.skipped) == 1
    assert set(instance.particles["location/micrograph_uid"]) == {2**63 + 1, 2**63 + 2}
