"""`pick_exposures` in this process, with the client of version 5."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cryoseg_ext.cryosparc import pick_exposures
from cryoseg_ext.cryosparc.client import connect, find_login
from cryoseg_ext.cryosparc.opening import enter_project, exposure_input, open_job
from cryoseg_ext.cryosparc.running import running
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.job.diameter import STORED_NAME
from cryoseg_ext.options.job import JobOptions
from cryoseg_ext.options.size import AUTO, ParticleSize
from cryoseg_ext.size.estimate import Measurement
from tests.cryoseg_ext.cryosparc.instance import EMAIL, Instance
from tests.cryoseg_ext.cryosparc.rest import TOKEN
from tests.cryoseg_ext.cryosparc.server import Server
from tests.cryoseg_ext.cryosparc.session import DIAMETER_A
from tests.cryoseg_ext.size.drawn import long_particles

ARGUMENTS = ("P3", "W1", "J12:exposures_accepted")
OPTIONS = JobOptions(ParticleSize(DIAMETER_A))


@pytest.mark.usefixtures("environment")
def test_one_line_of_python_picks(instance: Instance, capsys: pytest.CaptureFixture[str]) -> None:
    job = pick_exposures(*ARGUMENTS, OPTIONS)
    assert job.uid == instance.picking.uid
    assert job.n_particles == len(instance.particles) >= 9
    assert (job.folder, job.skipped) == (instance.job_folder(job.uid).resolve(), [])
    last_line = capsys.readouterr().out.splitlines()[-1]
    assert last_line == f"{job.n_particles} particles on 3 micrographs saved as J45:particles"


def test_the_room_loads_no_torch() -> None:
    program = "import sys, cryoseg_ext.cryosparc; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_an_estimated_diameter_is_logged_and_kept_in_the_job(
    environment: pytest.MonkeyPatch, instance: Instance
) -> None:
    def measure(*_: object) -> list[Measurement]:
        return long_particles(DIAMETER_A)

    environment.setattr("cryoseg_ext.size.measure.measure", measure)
    job = pick_exposures(*ARGUMENTS, JobOptions(ParticleSize(AUTO)))
    assert any(text.startswith(f"Particle diameter: {DIAMETER_A:.0f} Å (") for text in instance.picking.log)
    assert (job.folder / STORED_NAME).is_file()


def test_a_saved_token_is_enough(
    environment: pytest.MonkeyPatch, instance: Instance, server: Server, tmp_path: Path
) -> None:
    environment.delenv("CRYOSPARC_PASSWORD")
    with pytest.raises(
        CryosegError, match=r"no credentials .*: set CRYOSPARC_EMAIL .* cryosparc\.tools login"
    ):
        connect(find_login())
    token = {"access_token": TOKEN, "token_type": "bearer"}
    sessions = {server.url: {EMAIL: {"token": token, "expires": "2100-01-01T00:00:00Z"}}}
    (tmp_path / "auth.json").write_text(json.dumps(sessions))
    _, mismatch = connect(find_login())
    assert mismatch is None


def test_a_job_killed_in_cryosparc_stops(environment: pytest.MonkeyPatch, instance: Instance) -> None:
    environment.setattr("cryoseg_ext.cryosparc.job._STATUS_INTERVAL_S", 0.0)
    instance.when("log: Picking micrographs: 1 of 3", lambda: instance.set_status(instance.picking, "killed"))
    with pytest.raises(CryosegError, match="J45 was ended in CryoSPARC: it is killed there"):
        pick_exposures(*ARGUMENTS, OPTIONS)
    assert instance.picking.status == "killed"
    assert len(list(instance.job_folder("J45").glob("candidates/*.star"))) == 1


@pytest.mark.usefixtures("environment")
def test_an_error_of_cryoseg_itself_is_logged_whole_and_given_short(instance: Instance) -> None:
    project = enter_project("P3")
    source = exposure_input("J12:exposures_accepted", "micrograph_blob")
    job = open_job(project, "W1", "cryoseg picks", [source], picks=True, job_uid=None)
    with pytest.raises(ZeroDivisionError), running(job.client_job):
        raise ZeroDivisionError("a long story " * 10_000)
    assert instance.picking.status == "failed"
    assert "ZeroDivisionError" in instance.picking.error
    assert len(instance.picking.error) < 500
    assert "Traceback" in instance.picking.log[-1]


@pytest.mark.usefixtures("environment")
def test_a_project_of_another_machine_is_refused(instance: Instance) -> None:
    instance.project_folder = Path("/elsewhere")
    with pytest.raises(
        CryosegError, match="/elsewhere, the folder of P3, is not on this machine: run cryoseg"
    ):
        pick_exposures(*ARGUMENTS, OPTIONS)
