"""RELION as the host of a picking job."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.coordinates import write_coordinates_star, write_tubes_star
from cryoseg_ext.formats.paths import after_job_folder
from cryoseg_ext.job.host import Host, ResultFiles
from relion_wrapper.job import RelionJob, say, warn
from relion_wrapper.outputs import OUTPUT_NAMES, PICK_NAME, TUBES_NAME, write_outputs

if TYPE_CHECKING:
    from pathlib import Path

    from cryoseg_ext.formats.micrographs import ListedMicrograph
    from cryoseg_ext.job.result import JobResult
    from cryoseg_ext.picks import Picks


class RelionHost(Host):
    """A RELION External job.

    Parameters
    ----------
    job : RelionJob
        The running job.
    """

    report_name = "logfile.pdf"

    def __init__(self, job: RelionJob) -> None:
        super().__init__(job.directory)
        self.title = job.directory.as_posix()
        self._job = job
        self._places: dict[str, str] = {}

    def files(self, micrograph: ListedMicrograph) -> ResultFiles:
        """Return files beside the coordinate file, see `place_of`."""
        return self._files(self._place(micrograph.name))

    def write_picks(self, micrograph: ListedMicrograph, picks: Picks) -> None:
        """Write the coordinates; of filaments the segments, and starts and ends in another file."""
        write_coordinates_star(self.coordinates(micrograph.name, PICK_NAME), picks)
        tubes = self.coordinates(micrograph.name, TUBES_NAME)
        if picks.tube_id is None:
            # An earlier run may have picked along filaments.
            tubes.unlink(missing_ok=True)
        else:
            write_tubes_star(tubes, picks)

    def forget(self, micrograph: ListedMicrograph) -> None:
        """Remove the coordinate files."""
        for kind in (PICK_NAME, TUBES_NAME):
            self.coordinates(micrograph.name, kind).unlink(missing_ok=True)

    def coordinates(self, name: str, kind: str) -> Path:
        """Return the coordinate file of a kind of a micrograph."""
        return self.directory / f"{self._place(name)}_{kind}.star"

    def write_outputs(self, result: JobResult) -> None:
        """Write the STAR files and the output nodes of the whole job."""
        write_outputs(self.directory, result, self.coordinates)

    def promised(self, result: JobResult) -> Iterable[Path]:
        """Return the coordinate files, and the lists that lead to them."""
        yield from (self.coordinates(name, PICK_NAME) for name in result.finished)
        yield from (self.coordinates(name, TUBES_NAME) for name in result.on_filaments)
        yield from (self.directory / name for name in OUTPUT_NAMES)

    def hold(self) -> AbstractContextManager[None]:
        """Do nothing: the whole run of the job holds the folder, see `relion_job`."""
        return nullcontext()

    def check(self) -> None:
        """Stop when RELION's Abort button was pressed."""
        self._job.stop_if_aborted()

    def say(self, text: str) -> None:
        """Write to ``run.out``."""
        say(text)

    def warn(self, text: str) -> None:
        """Write to ``run.err``."""
        warn(text)

    def _place(self, name: str) -> str:
        # Kept, as it takes a look at the disk.
        if name not in self._places:
            self._places[name] = place_of(name)
        return self._places[name]


def place_of(micrograph_name: str) -> str:
    """Return the path of a micrograph's files in the job folder, without the end of the name.

    The rule is RELION's ``decomposePipelineSymlinkName``: what follows ``.../jobNNN/`` in the path, without
    the last extension; a path outside a job is kept whole.

    Raises
    ------
    CryosegError
        If the path leaves the project folder by ``..``, so that its coordinates would leave the job folder.
    """
    relative = PurePosixPath(after_job_folder(micrograph_name).lstrip("/"))
    if ".." in relative.parts:
        raise CryosegError(
            f"{micrograph_name}: the path leaves the project folder by '..': make a symbolic link to its "
            "folder in the project and import the micrographs through it"
        )
    return relative.with_suffix("").as_posix()
