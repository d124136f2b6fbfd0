"""The images of exposures, to pick and to estimate the particle's size from."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from cryoseg_ext.job.batch import MicrographTask
from cryoseg_ext.job.diameter import sampled_diameter

if TYPE_CHECKING:
    from cryoseg_ext.cryosparc.job import ExternalJob
    from cryoseg_ext.formats.groups import Exposure
    from cryoseg_ext.model.checkpoint import Model


def estimate_diameter(
    job: ExternalJob,
    model: Model,
    image_slot: str,
    source_ended: Callable[[], bool],
    interval_s: float,
    tell: Callable[[str], None],
    *,
    invert: bool,
) -> float:
    """Return the particle diameter in Å, estimated from the job's exposures as soon as there are any."""
    while not (found := job.read_exposures(image_slot)) and not source_ended():
        job.raise_if_killed()
        time.sleep(interval_s)
    tasks = [task_of(job, one) for one in found]
    estimate = sampled_diameter(
        tasks, model.fingerprint, job.folder, lambda: model, job.raise_if_killed, invert=invert
    )
    tell(str(estimate))
    job.log(str(estimate), level="text" if estimate.sure else "warning")
    return estimate.diameter_A


def task_of(job: ExternalJob, one: Exposure) -> MicrographTask:
    """Return what there is to pick of an exposure; its name is the exposure's uid."""
    return MicrographTask(str(one.uid), job.project_folder / one.image_path, one.image_pixel_size_A or None)
