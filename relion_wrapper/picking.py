"""Picking the micrographs that are not finished yet."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.job.batch import MicrographTask, pick_batch
from cryoseg_ext.job.diameter import sampled_diameter
from cryoseg_ext.job.finished import FinishedMicrograph, as_stored, model_digest, write_finished
from cryoseg_ext.report import make_preview, save_preview
from cryoseg_ext.size.estimate import DiameterEstimate
from relion_wrapper.arguments import JobArguments
from relion_wrapper.job import RelionJob
from relion_wrapper.paths import MicrographFiles
from relion_wrapper.progress import ProgressBar
from relion_wrapper.star import MicrographsStar, pixel_sizes

if TYPE_CHECKING:
    from cryoseg_ext.model.checkpoint import Model
    from cryoseg_ext.options.picking import PickingOptions
    from cryoseg_ext.pipeline import PickedMicrograph


@dataclass(frozen=True)
class PlannedMicrograph:
    """A micrograph of the job.

    Parameters
    ----------
    name : str
        ``rlnMicrographName``: its path from the project folder.
    pixel_size_A : float
        Å/px.
    files : MicrographFiles
        Its files in the job folder.
    settings : str
        The key of the settings it is to be picked with.
    stretch : int
        Which stretch of the run it lies in; one micrograph of each is shown in the report.
    """

    name: str
    pixel_size_A: float
    files: MicrographFiles
    settings: str
    stretch: int

    @property
    def task(self) -> MicrographTask:
        """What the engine is asked to do."""
        return MicrographTask(self.name, Path(self.name), self.pixel_size_A)


def pick_planned(
    planned: Sequence[PlannedMicrograph],
    arguments: JobArguments,
    model_path: Path,
    options: PickingOptions,
    job: RelionJob,
    stretches_shown: set[int],
) -> tuple[dict[str, FinishedMicrograph], dict[str, str]]:
    """Pick micrographs, each stored as soon as it is done.

    Parameters
    ----------
    planned : Sequence[PlannedMicrograph]
        What to pick.
    arguments : JobArguments
        Threads, GPU and threshold.
    model_path : Path
        The model file.
    options : PickingOptions
        What decides about the picks.
    job : RelionJob
        Polled for an abort before each micrograph.
    stretches_shown : set of int
        The stretches of the run that have a preview already.

    Returns
    -------
    finished : dict[str, FinishedMicrograph]
        The results by name.
    skipped : dict[str, str]
        What is wrong with the others.

    Raises
    ------
    JobAborted
        When the user pressed Abort.
    """
    from cryoseg_ext.job.contrast import contrast_hint
    from cryoseg_ext.model.checkpoint import load_model
    from cryoseg_ext.processes import use_threads

    use_threads(arguments.threads)
    model = load_model(model_path, choose_device(arguments.gpu), arguments.architecture)
    threshold = model.threshold if arguments.threshold is None else arguments.threshold
    by_name = {one.name: one for one in planned}
    finished: dict[str, FinishedMicrograph] = {}
    skipped: dict[str, str] = {}
    job.stop_if_aborted()
    bar = ProgressBar(len(planned))
    results = pick_batch([one.task for one in planned], model, options, stop=job.abort_requested)
    for number, (task, outcome) in enumerate(results, start=1):
        one = by_name[task.name]
        if isinstance(outcome, CryosegError):
            one.files.remove()
            skipped[task.name] = str(outcome)
            warn(str(outcome))
        else:
            if not finished and (hint := contrast_hint(outcome, model, options)):
                warn(hint)
            _store_preview(one, outcome, stretches_shown)
            result = FinishedMicrograph(
                one.settings, model.threshold, as_stored(outcome.candidates), outcome.areas
            )
            one.files.write_coordinates(result.candidates.above(threshold))
            write_finished(one.files.candidates, result)
            finished[task.name] = result
        bar.update(number)
    job.stop_if_aborted()
    return finished, skipped


def estimate_diameter(
    star: MicrographsStar, arguments: JobArguments, model_path: Path, job: RelionJob
) -> DiameterEstimate:
    """Return the particle diameter, from a few micrographs or as an earlier run of the job estimated it.

    Raises
    ------
    CryosegError
        If too few particles are found.
    JobAborted
        When the user pressed Abort.
    """
    tasks = [
        MicrographTask(name, Path(name), size_A)
        for name, size_A in zip(star.names, pixel_sizes(star), strict=True)
        if not isinstance(size_A, CryosegError)
    ]

    def load() -> Model:
        from cryoseg_ext.model.checkpoint import load_model
        from cryoseg_ext.processes import use_threads

        use_threads(arguments.threads)
        return load_model(model_path, choose_device(arguments.gpu), arguments.architecture)

    digest = model_digest(model_path)
    return sampled_diameter(tasks, digest, job.directory, load, job.stop_if_aborted, invert=arguments.invert)


def choose_device(gpu: str | None) -> str:
    """Return the torch device for ``--gpu``; the processor, with a warning, where there is no such GPU."""
    if gpu is None:
        return "cpu"
    import torch

    if not torch.cuda.is_available():
        warn("--gpu was given, but PyTorch finds no GPU here: going on with the processor")
        return "cpu"
    number = int(gpu.replace(":", ",").split(",")[0]) if gpu else 0
    if number >= torch.cuda.device_count():
        warn(f"--gpu {gpu}: there are {torch.cuda.device_count()} GPUs, numbered from 0: using number 0")
        number = 0
    if gpu and not gpu.isdecimal():
        warn(f"--gpu {gpu}: one GPU is used, number {number}")
    return f"cuda:{number}"


def warn(sentence: str) -> None:
    """Tell the user something on standard error, which RELION keeps in ``run.err``."""
    sys.stderr.write(f"cryoseg-relion: {sentence}\n")
    sys.stderr.flush()


def _store_preview(one: PlannedMicrograph, picked: PickedMicrograph, stretches_shown: set[int]) -> None:
    if one.stretch in stretches_shown:
        one.files.preview.unlink(missing_ok=True)
        return
    stretches_shown.add(one.stretch)
    working = picked.working
    preview = make_preview(working.image, picked.mask, working.source_shape, picked.contaminated)
    save_preview(one.files.preview, preview)
