"""An External job of CryoSPARC: its inputs, its output and its event log."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryoseg_ext.cryosparc import versions
from cryoseg_ext.cryosparc.client import requesting
from cryoseg_ext.cryosparc.events import programs
from cryoseg_ext.cryosparc.running import ACTIVE, JobKilledError, status
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.groups import EXPOSURE_SLOT, exposures
from cryoseg_ext.formats.micrographs import MicrographList, list_exposures
from cryoseg_ext.formats.particles import PickedExposure, fill_particles
from cryoseg_ext.progress import Lines, Terminal, showing

if TYPE_CHECKING:
    from cryosparc.dataset import Dataset

EXPOSURES, OUTPUT = "exposures", "particles"
LOOK = "look at the job in CryoSPARC"
_STATUS_INTERVAL_S = 5.0
# Known to CryoSPARC, but not always among the columns that it asks for.
_OPTIONAL_FIELDS = [("location/micrograph_psize_A", "<f4"), ("location/min_dist_A", "<f4")]


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
        Folders of the project and of the job, without symbolic links.
    """

    client_job: Any
    project_folder: Path
    folder: Path
    _terminal: Terminal = field(default_factory=Terminal, init=False)
    _event: Lines = field(init=False)
    _status_read_s: float = field(default=-math.inf, init=False)
    _status: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self._event = Lines(self.log_progress, versions.PROGRESS_INTERVAL_S, short_s=0.0)

    @property
    def uid(self) -> str:
        """The job's number, such as J45."""
        return str(self.client_job.uid)

    def begin(self, mismatch: str | None) -> None:
        """Check that the folder can be written, and log the programs and a mismatch of their versions."""
        if not os.access(self.folder, os.W_OK):
            raise CryosegError(
                f"{self.folder}, the folder of {self.uid}, cannot be written: run as a user who may"
            )
        self.log(programs())
        if mismatch:
            self.log(mismatch, level="warning")

    def log(self, text: str, level: str = "text") -> None:
        """Add a line to the event log; `level` is text, warning or error."""
        with requesting(f"write to the log of {self.uid}", LOOK):
            self.client_job.log(text, level=level)

    def log_in_place(self, name: str, text: str) -> None:
        """Write to the event log in place of what has the same name, where the version can do that."""
        with requesting(f"write to the log of {self.uid}", LOOK):
            versions.log_in_place(self.client_job, name, text)

    def log_skipped(self, sentences: Sequence[str], limit: int = 50) -> None:
        """Write to the event log what is wrong with micrographs, in at most `limit` lines."""
        if sentences:
            more = [f"and {len(sentences) - limit} more"] if len(sentences) > limit else []
            lines = [f"{len(sentences)} micrographs skipped:", *sentences[:limit], *more]
            self.log("\n".join(lines), level="warning")

    def log_picture(self, png: bytes, text: str) -> None:
        """Add a picture to the event log."""
        with requesting(f"add a picture to the log of {self.uid}", LOOK):
            self.client_job.log_plot(BytesIO(png), text, formats=["png"])

    def log_progress(self, text: str) -> None:
        """Write to the event log how far the job is, in place of where it was."""
        self.log_in_place("progress", text)

    def show(self, what: str, done: int, total: int, note: str) -> None:
        """Show in the event log and on the terminal how far work is.

        Parameters
        ----------
        what, done, total, note
            As for `cryoseg_ext.progress.tell`.

        Raises
        ------
        JobKilledError
            If somebody ended the job in CryoSPARC.
        """
        self.raise_if_killed()
        self._terminal(what, done, total, note)
        self._event(what, done, total, note)

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Show how far the work of the body is."""
        try:
            with showing(self.show):
                yield
        finally:
            self._terminal.close()

    def has_input(self, name: str) -> bool:
        """Return whether the job has an input of this name."""
        return name in versions.input_names(self.client_job)

    def read_input(self, name: str, slots: Sequence[str] = ()) -> Dataset:
        """Return what the connected output has at present; without `slots` all of it."""
        remedy = f"check that what is connected has {', '.join(slots) or 'results'} and is not empty"
        with requesting(f"load the {name} of {self.uid}", remedy):
            return self.client_job.load_input(name, list(slots) or versions.ALL_SLOTS)

    def read_exposures(self, image_slot: str, pixel_size_A: float | None = None) -> MicrographList:
        """Return the exposures that the connected output has at present, with the images of a slot.

        A `pixel_size_A` (Å/px) of the micrographs counts in place of CryoSPARC's.
        """
        results = self.read_input(EXPOSURES, list(exposure_slots(image_slot)))
        found = exposures(f"the input of {self.uid}", results, image_slot)
        listed = list_exposures(Path(f"the exposures of {self.uid}"), self.project_folder, found)
        if pixel_size_A is None:
            return listed
        stated = {name: replace(one, pixel_size_A=pixel_size_A) for name, one in listed.by_name.items()}
        return replace(listed, by_name=stated)

    def save_particles(self, picked: Sequence[PickedExposure], min_distance_A: float) -> None:
        """Save the picks as the job's particles."""
        with requesting(f"save the particles of {self.uid}", LOOK):
            particles = self.client_job.alloc_output(OUTPUT, sum(len(one.picks) for one in picked))
            particles.add_fields(_OPTIONAL_FIELDS)
            fill_particles(particles, picked, min_distance_A)
            self.client_job.save_output(OUTPUT, particles)

    def set_images(self, image: Path, output: str | None) -> None:
        """Show a picture on the job and its output."""
        with requesting(f"set the picture of {self.uid}", LOOK):
            versions.set_images(self.client_job, image, output)

    def raise_if_killed(self) -> None:
        """Raise `JobKilledError` when somebody ended the job in CryoSPARC, read every few seconds at most."""
        now_s = time.monotonic()
        if now_s - self._status_read_s >= _STATUS_INTERVAL_S:
            self._status_read_s = now_s
            self._status = status(self.client_job)
        if self._status not in ACTIVE:
            raise JobKilledError(f"{self.uid} was ended in CryoSPARC: it is {self._status} there")
