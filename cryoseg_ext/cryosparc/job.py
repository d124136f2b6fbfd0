"""An External job of CryoSPARC: its inputs, its output and its event log."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryoseg_ext.cryosparc import versions
from cryoseg_ext.cryosparc.client import asking
from cryoseg_ext.cryosparc.running import ACTIVE, JobKilledError, status
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.groups import EXPOSURE_SLOT, Exposure, exposures
from cryoseg_ext.formats.particles import PickedExposure, fill_particles

if TYPE_CHECKING:
    from cryosparc.dataset import Dataset

EXPOSURES, OUTPUT = "exposures", "particles"
LOOK = "look at the job in CryoSPARC"
_STATUS_INTERVAL_S = 5.0


def exposure_slots(image_slot: str) -> dict[str, str]:
    """Return the slots of exposures whose images in `image_slot` are read, and the data type of each."""
    return dict.fromkeys([EXPOSURE_SLOT, image_slot], EXPOSURE_SLOT) | {"mscope_params": "mscope_params"}


@dataclass
class ExternalJob:
    """An External job.

    Parameters
    ----------
    client_job : cryosparc.controllers.job.ExternalJobController
        The client's own job (``cryosparc.job.ExternalJob`` in version 4).
    project_folder, folder : Path
        Of the project and of the job, without symbolic links.
    """

    client_job: Any
    project_folder: Path
    folder: Path
    _progress_shown_s: float = field(default=-math.inf, init=False)
    _status_read_s: float = field(default=-math.inf, init=False)
    _status: str = field(default="", init=False)

    @property
    def uid(self) -> str:
        """The job's number, such as J45."""
        return str(self.client_job.uid)

    def log(self, text: str, level: str = "text") -> None:
        """Add a line to the event log; `level` is text, warning or error."""
        with asking(f"write to the log of {self.uid}", LOOK):
            self.client_job.log(text, level=level)

    def show_progress(self, text: str, *, last: bool) -> None:
        """Show how far the job is; calls that follow too fast are left out, except for the last."""
        now_s = time.monotonic()
        if last or now_s - self._progress_shown_s >= versions.PROGRESS_INTERVAL_S:
            self._progress_shown_s = now_s
            with asking(f"write to the log of {self.uid}", LOOK):
                versions.show_progress(self.client_job, text)

    def log_picture(self, png: bytes, text: str) -> None:
        """Add a picture to the event log."""
        with asking(f"add a picture to the log of {self.uid}", LOOK):
            self.client_job.log_plot(BytesIO(png), text, formats=["png"])

    def has_input(self, name: str) -> bool:
        """Whether the job has an input of this name."""
        return name in versions.input_names(self.client_job)

    def read_input(self, name: str, slots: Sequence[str]) -> Dataset:
        """Return what the connected output has at present."""
        mend = f"check that what is connected has {', '.join(slots)} and is not empty"
        with asking(f"load the {name} of {self.uid}", mend):
            return self.client_job.load_input(name, list(slots))

    def read_exposures(self, image_slot: str) -> list[Exposure]:
        """Return the exposures that the connected output has at present, with the images of a slot."""
        results = self.read_input(EXPOSURES, list(exposure_slots(image_slot)))
        return exposures(f"the input of {self.uid}", results, image_slot)

    def save_particles(self, picked: Sequence[PickedExposure], min_distance_A: float) -> int:
        """Save the picks as the job's particles and return their number."""
        number = sum(len(one.picks) for one in picked)
        with asking(f"save the particles of {self.uid}", LOOK):
            particles = self.client_job.alloc_output(OUTPUT, number)
            fill_particles(particles, picked, min_distance_A)
            self.client_job.save_output(OUTPUT, particles)
        return number

    def set_images(self, image: Path, output: str | None) -> None:
        """Show a picture on the job and its output."""
        with asking(f"set the picture of {self.uid}", LOOK):
            versions.set_images(self.client_job, image, output)

    def begin(self, mismatch: str | None) -> None:
        """Check that the folder can be written, and log a mismatch of versions; see `client.connect`."""
        if not os.access(self.folder, os.W_OK):
            raise CryosegError(
                f"{self.folder}, the folder of {self.uid}, cannot be written: run as a user who may"
            )
        if mismatch:
            self.log(mismatch, level="warning")

    def is_killed(self) -> bool:
        """Whether somebody ended the job in CryoSPARC; it is asked every few seconds at most."""
        now_s = time.monotonic()
        if now_s - self._status_read_s >= _STATUS_INTERVAL_S:
            self._status_read_s = now_s
            self._status = status(self.client_job)
        return self._status not in ACTIVE

    def raise_if_killed(self) -> None:
        """Raise `JobKilledError` when somebody ended the job in CryoSPARC."""
        if self.is_killed():
            raise JobKilledError(f"{self.uid} was ended in CryoSPARC: it is {self._status} there")
