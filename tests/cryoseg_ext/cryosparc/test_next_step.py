"""What a finished job says in its event log about the next one."""

from __future__ import annotations

import pytest

from cryoseg_ext.cryosparc import pick_exposures
from cryoseg_ext.options.job import JobOptions
from cryoseg_ext.options.size import ParticleSize
from tests.cryoseg_ext.cryosparc.instance import Instance
from tests.cryoseg_ext.cryosparc.session import DIAMETER_A


@pytest.mark.usefixtures("environment")
def test_the_event_log_names_the_next_job_and_its_fields(instance: Instance) -> None:
    job = pick_exposures("P3", "W1", "J12:exposures_accepted", JobOptions(ParticleSize(DIAMETER_A)))
    (advice,) = (text for text in instance.picking.log if "Next in CryoSPARC" in text)
    picks, box, step = advice.splitlines()
    assert picks.startswith("Picks per micrograph: median ")
    assert box.startswith("Box size: 36 px at 5 Å/px")
    assert step == (
        f"Next in CryoSPARC: Extract From Micrographs with the exposures and {job.uid}:particles, "
        "Extraction box size (pix): 36; then 2D Classification"
    )
