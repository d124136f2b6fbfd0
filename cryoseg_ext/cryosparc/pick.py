"""Picking the exposures of a CryoSPARC project, from the login to the saved particles."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from cryoseg_ext.cryosparc.events import OVERLAY_FILE, log_overlay, log_result, log_settings
from cryoseg_ext.cryosparc.job import OUTPUT, ExternalJob
from cryoseg_ext.cryosparc.masks import find_masks, mask_path, picks_in_mask, write_mask
from cryoseg_ext.cryosparc.opening import ending_of, enter_project, exposure_input, load_named_model, open_job
from cryoseg_ext.cryosparc.running import running
from cryoseg_ext.cryosparc.tasks import estimate_diameter, task_of
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.groups import EXPOSURE_SLOT
from cryoseg_ext.formats.particles import PickedExposure
from cryoseg_ext.job.batch import pick_batch
from cryoseg_ext.job.finished import (
    FinishedMicrograph,
    as_stored,
    read_finished,
    settings_key,
    write_finished,
)
from cryoseg_ext.options.crf import CrfChoice
from cryoseg_ext.options.extraction import ExtractionOptions
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.report import stretch

if TYPE_CHECKING:
    from cryoseg_ext.cryosparc.client import Login
    from cryoseg_ext.formats.groups import Exposure
    from cryoseg_ext.model.checkpoint import Model
    from cryoseg_ext.picks import Picks
    from cryoseg_ext.pipeline import PickedMicrograph

WATCH_INTERVAL_S = 30.0
_LOGGED_OVERLAYS = 12


@dataclass(frozen=True)
class PickingJob:
    """What a finished job has done.

    Parameters
    ----------
    uid : str
        Its number, such as J45.
    folder : Path
        Its folder.
    n_particles : int
        How many particles were saved.
    skipped : list of str
        What is wrong with the micrographs that could not be picked.
    """

    uid: str
    folder: Path
    n_particles: int
    skipped: list[str]


@dataclass
class _Run:
    """The job at work: how it picks, and what it has picked so far."""

    job: ExternalJob
    model: Model
    options: PickingOptions
    threshold: float
    masks: bool
    tell: Callable[[str], None]
    image_slot: str = EXPOSURE_SLOT
    masks_in: Path | None = None
    masks_of: dict[Exposure, Path] = field(default_factory=dict)
    candidates: dict[Exposure, Picks] = field(default_factory=dict)
    skipped: dict[Exposure, str] = field(default_factory=dict)


def pick_exposures(
    project: str,
    workspace: str | None = None,
    exposures: str | None = None,
    *,
    particle_diameter_A: float | Literal["auto"],
    smallest_diameter_A: float | None = None,
    job: str | None = None,
    threshold: float | None = None,
    extraction: ExtractionOptions = ExtractionOptions(),
    crf: CrfChoice | None = CrfChoice(),
    model: Path | str | None = None,
    architecture: str | None = None,
    invert: bool = False,
    device: str = "cpu",
    image_slot: str = EXPOSURE_SLOT,
    masks: bool = False,
    masks_in: Path | None = None,
    watch: bool = False,
    watch_interval_s: float = WATCH_INTERVAL_S,
    login: Login | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> PickingJob:
    """Pick exposures of a CryoSPARC project as an External job; run it where the project's folder is.

    Each finished micrograph is kept as a file: a job that was stopped goes on when called with `job`.

    Parameters
    ----------
    project, workspace : str
        Such as P3 and W1.
    exposures : str
        Job and output, such as ``J12:exposures_accepted``.
    particle_diameter_A : float or "auto"
        Largest extent of the particle in Å; "auto" estimates it from the first exposures that there are.
    smallest_diameter_A : float, optional
        For a mixture of sizes: the smallest particle; `particle_diameter_A` is then the largest.
    job : str, optional
        The External job to go on with, such as J45; `workspace` and `exposures` are then not needed.
    threshold : float, optional
        Lowest score of a pick; the model's own by default.
    extraction : ExtractionOptions
        How picks are made of the network's maps.
    crf : CrfChoice or None
        Refinement of the segmentation; None leaves it out.
    model : Path or str, optional
        Model file, or the number of a training job such as J40; the shipped default model when not given.
    architecture : str, optional
        Your own network class, ``module:Class``, for a model that was trained with it.
    invert : bool
        Whether protein is bright on the micrographs.
    device : str
        Torch device.
    image_slot : str
        The images to pick, such as ``micrograph_blob_denoised``; the picks still refer to the micrographs.
    masks : bool
        Also write the segmentations as MRC to the folder ``masks`` of the job.
    masks_in : Path, optional
        Folder of masks, MRC of any size: picks where the mask of their micrograph is 0 are removed.
    watch : bool
        Pick exposures as they appear: until the job they come from ends, or until stopped.
    watch_interval_s : float
        Seconds from one look for new exposures to the next.
    login : Login, optional
        From `find_login`; the environment variables and the saved token by default.
    tell : callable
        Told in a sentence what happens.

    Raises
    ------
    CryosegError
        If CryoSPARC refuses something or cannot be reached, or no micrograph can be picked. The job is then
        marked failed, as it is after Ctrl-C and SIGTERM.
    """
    place = enter_project(project, login, tell)
    network = load_named_model(place, model, device, architecture)
    source = exposure_input(exposures, image_slot)
    external = open_job(place, workspace, "cryoseg picks", [source], picks=True, job_uid=job)
    tell(f"Job {external.uid} of {project}, in {external.folder}")
    threshold = network.threshold if threshold is None else threshold
    with running(external.client_job, tell):
        external.begin(place.mismatch)
        ending = ending_of(place, source) if watch else lambda: True
        diameter_A = (
            estimate_diameter(external, network, image_slot, ending, watch_interval_s, tell, invert=invert)
            if particle_diameter_A == "auto"
            else particle_diameter_A
        )
        options = PickingOptions(diameter_A, extraction, crf, smallest_diameter_A, invert)
        run = _Run(external, network, options, threshold, masks, tell, image_slot, masks_in)
        log_settings(external, options, network, threshold)
        if watch:
            number = _watch(run, ending, watch_interval_s)
        else:
            _pick(run, external.read_exposures(image_slot))
            number = _save(run)
    return PickingJob(external.uid, external.folder, number, list(run.skipped.values()))


def _watch(run: _Run, source_ended: Callable[[], bool], interval_s: float) -> int:
    """Pick what appears, saving after each time, until the job that gives the exposures has ended."""
    number = 0
    try:
        while True:
            # Asked first, so that what the job wrote at its very end is seen.
            ended = source_ended()
            found = run.job.read_exposures(run.image_slot)
            if _new(run, found):
                _pick(run, found)
                number = _save(run) if run.candidates else 0
            if ended:
                return number if run.candidates else _save(run)
            waiting = f"{len(run.candidates)} micrographs picked; waiting for more exposures"
            run.job.show_progress(waiting, last=False)
            run.job.raise_if_killed()
            time.sleep(interval_s)
    except (KeyboardInterrupt, SystemExit):
        if run.candidates:
            _save(run)
        raise


def _new(run: _Run, found: Sequence[Exposure]) -> list[Exposure]:
    return [exposure for exposure in found if exposure not in run.candidates and exposure not in run.skipped]


def _pick(run: _Run, found: Sequence[Exposure]) -> None:
    """Pick the exposures that are not finished; a finished one has its file."""
    new = _new(run, found)
    if run.masks_in:
        run.masks_of |= find_masks(run.masks_in, new)
        run.job.log(f"{len(run.masks_of)} micrographs so far have a mask in {run.masks_in}")
    earlier = {one: picks for one in new if (picks := _earlier(run, one)) is not None}
    run.candidates |= {one: _in_mask(run, one, picks) for one, picks in earlier.items()}
    waiting = {str(one.uid): one for one in new if one not in run.candidates}
    run.job.log(f"{len(waiting)} micrographs to pick, {len(new) - len(waiting)} picked earlier")
    tasks = [task_of(run.job, one) for one in waiting.values()]
    shown: set[int] = set()
    results = pick_batch(tasks, run.model, run.options, stop=run.job.is_killed)
    for number, (task, outcome) in enumerate(results):
        exposure = waiting[task.name]
        if isinstance(outcome, CryosegError):
            run.skipped[exposure] = str(outcome)
            run.tell(f"Skipped: {outcome}")
        else:
            _keep(run, exposure, outcome)
            if (part := stretch(number, len(tasks), _LOGGED_OVERLAYS)) not in shown:
                shown.add(part)
                picks = run.candidates[exposure].above(run.threshold)
                log_overlay(run.job, exposure, outcome, picks, run.options)
        last = number + 1 == len(tasks)
        run.job.show_progress(_progress(run, number + 1, len(tasks)), last=last)
    run.job.raise_if_killed()


def _earlier(run: _Run, exposure: Exposure) -> Picks | None:
    """Return the candidates that an earlier run of the job kept, if they are what this one would find."""
    finished = read_finished(_candidates_path(run, exposure))
    if finished is None or finished.settings != _key(run, exposure):
        return None
    return None if run.masks and not mask_path(run.job.folder, exposure).exists() else finished.candidates


def _keep(run: _Run, exposure: Exposure, picked: PickedMicrograph) -> None:
    """Write what was found on a micrograph, the candidates last because they say that it is finished.

    Raises
    ------
    CryosegError
        If the job's folder cannot be written.
    """
    candidates = as_stored(picked.candidates)
    finished = FinishedMicrograph(_key(run, exposure), run.model.threshold, candidates, picked.areas)
    try:
        if run.masks:
            write_mask(mask_path(run.job.folder, exposure), picked, exposure.image_pixel_size_A)
        write_finished(_candidates_path(run, exposure), finished)
    except OSError as error:
        raise CryosegError(f"{run.job.folder} cannot be written ({error.strerror}): mend this") from error
    run.candidates[exposure] = _in_mask(run, exposure, candidates)


def _in_mask(run: _Run, exposure: Exposure, picks: Picks) -> Picks:
    mask = run.masks_of.get(exposure)
    return picks_in_mask(picks, mask, exposure.image_shape) if mask else picks


def _candidates_path(run: _Run, exposure: Exposure) -> Path:
    return run.job.folder / f"candidates/{exposure.uid}.star"


def _key(run: _Run, exposure: Exposure) -> str:
    digest = f"{run.model.fingerprint} {exposure.image_path}"
    return settings_key(run.options, digest=digest, pixel_size_A=exposure.image_pixel_size_A)


def _progress(run: _Run, done: int, total: int) -> str:
    particles = sum(int(np.sum(picks.score >= run.threshold)) for picks in run.candidates.values())
    return f"{done} of {total} micrographs picked, {particles} particles so far"


def _save(run: _Run) -> int:
    """Save the particles, and show what was found.

    Raises
    ------
    CryosegError
        If no micrograph was picked.
    """
    log_result(run.job, list(run.candidates.values()), run.threshold, list(run.skipped.values()))
    if not run.candidates:
        raise CryosegError(
            f"none of the {len(run.skipped)} micrographs could be picked: the log of {run.job.uid} says why"
            if run.skipped
            else "the connected output has no micrographs"
        )
    picked = [PickedExposure(one, picks.above(run.threshold)) for one, picks in run.candidates.items()]
    number = run.job.save_particles(picked, run.options.min_distance_A)
    if (image := run.job.folder / OVERLAY_FILE).exists():
        run.job.set_images(image, OUTPUT)
    run.tell(f"{number} particles on {len(picked)} micrographs saved as {run.job.uid}:{OUTPUT}")
    return number
