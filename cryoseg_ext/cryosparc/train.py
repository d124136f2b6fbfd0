"""Training on exposures of a CryoSPARC project, from the login to the model in the job's folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cryoseg_ext.cryosparc.events import log_skipped, log_training_settings, watch_training
from cryoseg_ext.cryosparc.opening import (
    JobInput,
    enter_project,
    exposure_input,
    find_model,
    load_named_model,
    open_job,
)
from cryoseg_ext.cryosparc.running import running
from cryoseg_ext.cryosparc.truth import PARTICLES, VOLUME, draw_masks, read_particle_picks
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.groups import EXPOSURE_SLOT
from cryoseg_ext.formats.refined import CRYOSPARC_SLOTS
from cryoseg_ext.job.batch import MicrographTask
from cryoseg_ext.training import FineTuningOptions, fine_tune
from cryoseg_ext.training.micrographs import read_labelled

if TYPE_CHECKING:
    from cryoseg_ext.cryosparc.client import Login
    from cryoseg_ext.cryosparc.job import ExternalJob
    from cryoseg_ext.formats.groups import Exposure
    from cryoseg_ext.formats.masks import MaskFiles
    from cryoseg_ext.picks import Picks
    from cryoseg_ext.training.micrographs import LabelledMicrograph

N_MICROGRAPHS = 20


@dataclass(frozen=True)
class TrainingJob:
    """What a finished job has done.

    Parameters
    ----------
    uid : str
        Its number, such as J45, by which `pick_exposures` finds the model too.
    folder : Path
        Its folder.
    model : Path
        The model in it.
    """

    uid: str
    folder: Path
    model: Path


def train_on_exposures(
    project: str,
    workspace: str | None = None,
    exposures: str | None = None,
    particles: str | None = None,
    volume: str | None = None,
    *,
    particle_diameter_A: float,
    job: str | None = None,
    options: FineTuningOptions = FineTuningOptions(),  # noqa: B008 - frozen
    n_micrographs: int = N_MICROGRAPHS,
    image_slot: str = EXPOSURE_SLOT,
    invert: bool = False,
    device: str = "cpu",
    workers: int = 1,
    login: Login | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> TrainingJob:
    """Train a model on exposures and particles as an External job; run it where the project's folder is.

    Parameters
    ----------
    project, workspace : str
        Such as P3 and W1.
    exposures, particles : str
        Job and output with the exposures and with particles that are trusted: picks, or refined particles.
    volume : str, optional
        Job and output with the map that the particles were refined against: its projections at their poses
        are then what is learnt, not only where the particles are.
    particle_diameter_A : float
        Largest extent of the particle in Å.
    job : str, optional
        The External job to go on with, such as J45; the inputs are then not needed.
    options : FineTuningOptions
        The recipe; `initial` may be the number of a training job.
    n_micrographs : int
        Most micrographs to use; a random choice of those with particles, by the seed of `options`.
    image_slot : str
        The images to train on, such as ``micrograph_blob_denoised``.
    invert : bool
        Whether protein is bright on them.
    device : str
        Torch device.
    workers : int
        Processes that prepare fields beside the optimiser.
    login : Login, optional
        From `find_login`; the environment variables and the saved token by default.
    tell : callable
        Told in a sentence what happens.

    Raises
    ------
    CryosegError
        If CryoSPARC refuses something or cannot be reached, or fewer than two micrographs have particles. The
        job is then marked failed, as it is after Ctrl-C and SIGTERM.
    """
    place = enter_project(project, login, tell)
    # Loaded here, so that a wrong name does not make a job.
    load_named_model(place, options.initial, device, options.architecture)
    initial = find_model(place, options.initial)
    options = replace(options, initial=str(initial) if initial else None)
    slots = CRYOSPARC_SLOTS if volume else ("location",)
    inputs = [
        exposure_input(exposures, image_slot),
        JobInput(PARTICLES, "particle", dict(zip(slots, slots, strict=True)), particles),
    ]
    if volume:
        inputs.append(JobInput(VOLUME, "volume", {"map": "map"}, volume))
    external = open_job(place, workspace, "cryoseg training", inputs, picks=False, job_uid=job)
    tell(f"Job {external.uid} of {project}, in {external.folder}")
    with running(external.client_job, tell):
        external.begin(place.mismatch)
        found = external.read_exposures(image_slot)
        choose = partial(_chosen, n_micrographs, options.seed)
        labels: Mapping[str, Picks] | Mapping[str, MaskFiles]
        if external.has_input(VOLUME):
            labels = draw_masks(external, found, particle_diameter_A, choose)
        else:
            labels = read_particle_picks(external, found, choose)
        micrographs = _read_micrographs(external, found, labels, particle_diameter_A, tell, invert=invert)
        log_training_settings(external, options, micrographs, particle_diameter_A)
        watch = watch_training(external, options.steps)
        model = fine_tune(micrographs, options, external.folder, device=device, workers=workers, watch=watch)
        external.log(f"The model is {model}: pick with --model {external.uid}")
    tell(f"Use it with --model {external.uid} (or, elsewhere, --model {model})")
    return TrainingJob(external.uid, external.folder, model)


def _chosen(n_most: int, seed: int, names: Sequence[str]) -> set[str]:
    """Return at most so many of some names, drawn by the seed."""
    drawn = np.random.default_rng(seed).permutation(len(names))[:n_most]
    return {names[index] for index in drawn}


def _read_micrographs(
    job: ExternalJob,
    found: Sequence[Exposure],
    labels: Mapping[str, Picks] | Mapping[str, MaskFiles],
    particle_diameter_A: float,
    tell: Callable[[str], None],
    *,
    invert: bool,
) -> list[LabelledMicrograph]:
    tasks = [
        MicrographTask(one.path, job.project_folder / one.image_path, one.image_pixel_size_A or None)
        for one in found
        if one.path in labels
    ]
    if not tasks:
        raise CryosegError(
            f"none of the {len(found)} exposures has particles: connect the exposures that were picked"
        )
    job.log(f"Reading {len(tasks)} micrographs")
    skipped: list[str] = []
    micrographs = read_labelled(tasks, labels, particle_diameter_A, skipped.append, invert=invert)
    log_skipped(job, skipped)
    for sentence in skipped:
        tell(f"Skipped: {sentence}")
    return micrographs
