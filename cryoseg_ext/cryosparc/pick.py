"""Picking the exposures of a CryoSPARC project, from the login to the saved particles."""

from __future__ import annotations

import os
import shlex
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cryoseg_ext.cryosparc.host import CryosparcHost
from cryoseg_ext.cryosparc.opening import ending_of, enter_project, exposure_input, find_model, open_job
from cryoseg_ext.cryosparc.running import running
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import described, locked
from cryoseg_ext.formats.groups import EXPOSURE_SLOT
from cryoseg_ext.formats.micrographs import MicrographList
from cryoseg_ext.job.device import load_on_device
from cryoseg_ext.job.run import Job
from cryoseg_ext.job.watch import watch
from cryoseg_ext.model.file import ModelFile
from cryoseg_ext.model.weights import DEFAULT_MODEL
from cryoseg_ext.options.job import JobOptions

if TYPE_CHECKING:
    from cryoseg_ext.cryosparc.client import Login

WATCH_INTERVAL_S = 30.0


@dataclass(frozen=True)
class PickingJob:
    """What a finished job has done.

    Parameters
    ----------
    uid : str
        Number of the job, such as J45.
    folder : Path
        Folder of the job.
    n_particles : int
        Number of particles that were saved.
    skipped : list of str
        What is wrong with the micrographs that could not be picked.
    """

    uid: str
    folder: Path
    n_particles: int
    skipped: list[str]


def pick_exposures(
    project: str,
    workspace: str | None,
    exposures: str | None,
    options: JobOptions,
    *,
    job: str | None = None,
    image_slot: str = EXPOSURE_SLOT,
    watch_interval_s: float = WATCH_INTERVAL_S,
    login: Login | None = None,
) -> PickingJob:
    """Pick exposures of a CryoSPARC project as an External job; run it where the project's folder is.

    Each finished micrograph is kept as a file: a job that was stopped goes on when called with `job`. The
    terminal shows what happens.

    Parameters
    ----------
    project : str
        Number of the project, such as P3.
    workspace : str, optional
        Workspace for a new job, such as W1.
    exposures : str, optional
        Job and output, such as ``J12:exposures_accepted``; needed for a new job.
    options : JobOptions
        What the user decided; the model may be the number of a training job, such as J40.
    job : str, optional
        The External job to go on with, such as J45.
    image_slot : str
        The images to pick, such as ``micrograph_blob_denoised``; the picks still refer to the micrographs.
    watch_interval_s : float
        Seconds from one look for new exposures to the next, where the options say that the job watches; it
        does until the job that they come from ends.
    login : Login, optional
        From `find_login`; the environment variables and the saved token by default.

    Raises
    ------
    CryosegError
        If CryoSPARC refuses something or cannot be reached, or no micrograph can be picked. The job is then
        marked failed, as it is after Ctrl-C and SIGTERM.
    """
    place = enter_project(project, login)
    options = replace(options, model=find_model(place, options.model))
    warnings: list[str] = []
    # Loaded here, so that a wrong name of a model or a device makes no job.
    file = ModelFile(options.model or DEFAULT_MODEL, options.architecture)
    model = load_on_device(file, options, warnings.append)
    source = exposure_input(exposures, image_slot)
    external = open_job(place, workspace, "cryoseg picks", [source], picks=True, job_uid=job)
    click.echo(f"Job {external.uid} of {project}, in {external.folder}")
    # A second job must not mark the first one failed; a folder that cannot be written is found by `begin`.
    is_writable = os.access(external.folder, os.W_OK)
    lock = locked(external.folder, f"wait until {external.uid} ends") if is_writable else nullcontext()
    with lock, running(external.client_job), external.showing():
        external.begin(place.mismatch)
        host = CryosparcHost(external)
        slot = () if image_slot == EXPOSURE_SLOT else ("--image_slot", image_slot)
        host.command = shlex.join(
            ("cryoseg", "cryosparc", "pick", "--project", project, "--job", external.uid, *slot)
        )
        for warning in warnings:
            host.warn(warning)
        picking = Job(options, host, model)

        def look() -> MicrographList:
            listed = external.read_exposures(image_slot, options.pixel_size_A)
            if not listed.by_name:
                raise CryosegError("the connected output has no micrographs")
            return listed

        try:
            if options.watches:
                result = watch(picking, look, ending_of(place, source), watch_interval_s)
            else:
                result = picking.run(look())
        except OSError as error:
            raise CryosegError(
                f"{external.folder} cannot be written ({described(error)}): correct this and use --job"
            ) from error
    return PickingJob(external.uid, external.folder, result.n_picks, list(result.skipped.values()))
