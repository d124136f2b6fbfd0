"""Training on exposures of a CryoSPARC project, from the login to the model in the job's folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from cryoseg_ext.cryosparc.events import figure_png, write_picture
from cryoseg_ext.cryosparc.opening import JobInput, enter_project, exposure_input, find_model, open_job
from cryoseg_ext.cryosparc.running import running
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import locked
from cryoseg_ext.formats.groups import EXPOSURE_SLOT
from cryoseg_ext.formats.refined import CRYOSPARC_SLOTS
from cryoseg_ext.job.device import check_device
from cryoseg_ext.model.file import ModelFile
from cryoseg_ext.model.weights import DEFAULT_MODEL
from cryoseg_ext.options.training import FineTuningOptions
from cryoseg_ext.progress import write
from cryoseg_ext.words import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cryoseg_ext.cryosparc.client import Login
    from cryoseg_ext.cryosparc.job import ExternalJob
    from cryoseg_ext.formats.masks import MaskFiles
    from cryoseg_ext.picks import Picks
    from cryoseg_ext.training.history import Callbacks, Epoch
    from cryoseg_ext.training.micrographs import LabelledMicrograph

N_MICROGRAPHS = 20
CURVES_FILE = "learning_curves.png"


@dataclass(frozen=True)
class TrainingInputs:
    """What a training learns from.

    Parameters
    ----------
    particle_diameter_A : float
        Largest extent of the particle in Å.
    exposures, particles : str, optional
        Job and output with the exposures, and with particles that are trusted: picks, or refined particles;
        needed for a new job.
    volume : str, optional
        Job and output with the map that the particles were refined against: its projections at their poses
        are then what is learnt, not only where the particles are.
    image_slot : str
        The images to train on, such as ``micrograph_blob_denoised``.
    invert : bool
        Whether protein is bright on them.
    n_micrographs : int
        Most micrographs to use; a random choice of those with particles, by the seed of the training.
    """

    particle_diameter_A: float
    exposures: str | None = None
    particles: str | None = None
    volume: str | None = None
    image_slot: str = EXPOSURE_SLOT
    invert: bool = False
    n_micrographs: int = N_MICROGRAPHS

    def job_inputs(self) -> list[JobInput]:
        """Return the inputs of the job."""
        slots = CRYOSPARC_SLOTS if self.volume else ("location",)
        inputs = [
            exposure_input(self.exposures, self.image_slot),
            JobInput("particles", "particle", dict(zip(slots, slots, strict=True)), self.particles),
        ]
        if self.volume:
            inputs.append(JobInput("volume", "volume", {"map": "map"}, self.volume))
        return inputs


@dataclass(frozen=True)
class TrainingJob:
    """What a finished job has done.

    Parameters
    ----------
    uid : str
        Number of the job, such as J45, by which `pick_exposures` finds the model too.
    folder : Path
        Folder of the job.
    model : Path
        The model in it.
    """

    uid: str
    folder: Path
    model: Path


def train_on_exposures(
    project: str,
    workspace: str | None,
    inputs: TrainingInputs,
    options: FineTuningOptions = FineTuningOptions(),  # noqa: B008 - frozen
    *,
    job: str | None = None,
    device: str = "cpu",
    workers: int = 1,
    login: Login | None = None,
) -> TrainingJob:
    """Train a model on exposures and particles as an External job; run it where the project's folder is.

    The terminal shows what happens.

    Parameters
    ----------
    project : str
        Number of the project, such as P3.
    workspace : str, optional
        Workspace for a new job, such as W1.
    inputs : TrainingInputs
        What is learnt from.
    options : FineTuningOptions
        The recipe; `initial` may be the number of a training job.
    job : str, optional
        The External job to go on with, such as J45.
    device : str
        Torch device.
    workers : int
        Processes that prepare fields beside the optimiser.
    login : Login, optional
        From `find_login`; the environment variables and the saved token by default.

    Raises
    ------
    CryosegError
        If CryoSPARC refuses something or cannot be reached, or fewer than two micrographs have particles. The
        job is then marked failed, as it is after Ctrl-C and SIGTERM.
    """
    from cryoseg_ext.training.fine_tune import fine_tune

    place = enter_project(project, login)
    initial = find_model(place, options.initial)
    options = replace(options, initial=str(initial) if initial else None)
    # Loaded here, so that a wrong name of a model or a device makes no job.
    check_device(device)
    ModelFile(initial or DEFAULT_MODEL, options.architecture).load(device)
    external = open_job(place, workspace, "cryoseg training", inputs.job_inputs(), picks=False, job_uid=job)
    click.echo(f"Job {external.uid} of {project}, in {external.folder}")
    lock = locked(external.folder, f"wait until {external.uid} ends")
    with lock, running(external.client_job), external.showing():
        external.begin(place.mismatch)
        micrographs = _read_micrographs(external, inputs, options.seed)
        external.log(_settings(options, micrographs, inputs.particle_diameter_A))
        callbacks = _callbacks(external)
        model = fine_tune(
            micrographs, options, external.folder, device=device, workers=workers, callbacks=callbacks
        )
        external.log(f"The model is {model}: pick with --model {external.uid}")
    click.echo(f"Use it with --model {external.uid} (or, elsewhere, --model {model})")
    return TrainingJob(external.uid, external.folder, model)


def _read_micrographs(job: ExternalJob, inputs: TrainingInputs, seed: int) -> list[LabelledMicrograph]:
    from cryoseg_ext.cryosparc.truth import VOLUME, draw_masks, images_of, read_particle_picks
    from cryoseg_ext.training.labelled import read_labelled

    images = images_of(job.read_exposures(inputs.image_slot))
    choose = partial(_chosen, inputs.n_micrographs, seed)
    labels: Mapping[str, Picks] | Mapping[str, MaskFiles]
    if job.has_input(VOLUME):
        labels = draw_masks(job, images, inputs.particle_diameter_A, choose)
    else:
        labels = read_particle_picks(job, images, choose)
    labelled = [one for one in images.micrographs if one.name in labels]
    if not labelled:
        raise CryosegError(
            f"none of the {len(images.by_name)} exposures has particles: connect those that were picked"
        )
    skipped: list[str] = []
    micrographs = read_labelled(
        labelled, labels, inputs.particle_diameter_A, skipped.append, invert=inputs.invert
    )
    job.log_skipped(skipped)
    for sentence in skipped:
        write(f"Skipped: {printable(sentence)}", err=True)
    return micrographs


def _chosen(n_most: int, seed: int, names: Sequence[str]) -> set[str]:
    """Return at most so many of some names, drawn by the seed."""
    drawn = np.random.default_rng(seed).permutation(len(names))[:n_most]
    return {names[index] for index in drawn}


def _settings(
    options: FineTuningOptions, micrographs: Sequence[LabelledMicrograph], particle_diameter_A: float
) -> str:
    """Return the settings of a training as lines of text."""
    n_labels = sum(len(one.xy_px) for one in micrographs)
    recipe = asdict(options) | {"initial": options.initial or "the model in the package"}
    lines = (
        f"particle diameter: {particle_diameter_A:g} Å",
        f"{len(micrographs)} micrographs with {n_labels} particles",
        *(f"{name}: {value}" for name, value in recipe.items()),
    )
    return "\n".join(lines)


def _callbacks(job: ExternalJob) -> Callbacks:
    """Return what shows a training in the event log: its scores in one line, its report as pictures."""
    from cryoseg_ext.training.history import Callbacks

    pages = 0

    def epoch(done: Epoch) -> None:
        write(str(done))
        job.log_in_place("scores", str(done))

    def page(figure: Figure) -> None:
        nonlocal pages
        picture = figure_png(figure)
        if pages == 0:
            job.set_images(write_picture(job.folder / CURVES_FILE, picture), None)
        job.log_picture(picture, "Overlays of validation micrographs" if pages else "Learning curves")
        pages += 1

    return Callbacks(epoch, job.log, page)
