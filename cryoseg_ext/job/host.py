"""A host: the program that a job runs in, such as RELION, CryoSPARC or a plain folder."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryoseg_ext.files import locked
from cryoseg_ext.formats.names import stem_of

if TYPE_CHECKING:
    from cryoseg_ext.formats.micrographs import ListedMicrograph
    from cryoseg_ext.job.micrograph import MicrographResult
    from cryoseg_ext.job.result import JobResult
    from cryoseg_ext.options.picking import PickingOptions
    from cryoseg_ext.picks import Picks
    from cryoseg_ext.report.content import Overlay


@dataclass(frozen=True)
class ResultFiles:
    """The files that the job itself keeps of a micrograph.

    Parameters
    ----------
    candidates : Path
        All candidates; its presence says that the micrograph is finished.
    preview : Path
        What the overlay in the report is drawn from; only a sample of micrographs has one.
    mask : Path
        The segmentation, where masks are asked for; below the folder ``masks`` of the job.
    """

    candidates: Path
    preview: Path
    mask: Path


class Host:
    """What a job asks of the program it runs in; a host overrides what it does in its own way.

    Parameters
    ----------
    directory : Path
        The folder of the job.
    """

    report_name = "report.pdf"
    """The name of the PDF in the folder."""
    title = ""
    """What the reports call the job."""
    command = ""
    """What runs the job again in its folder, without the options of the table; empty where nothing does."""
    in_mics = ""
    """What names the micrographs on a command line."""
    keeps_maps = False
    """Whether `keep` needs the maps of a result."""
    picking: PickingOptions | None = None
    """How the job picks, from when it knows the size of the particles."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def files(self, micrograph: ListedMicrograph) -> ResultFiles:
        """Return where the job keeps its own files of a micrograph.

        Raises
        ------
        CryosegError
            If this micrograph cannot have any.
        """
        return self._files(stem_of(micrograph.name))

    def _files(self, place: str) -> ResultFiles:
        """Return files named after a path in the folder, without extension."""
        candidates, preview = (
            self.directory / f"{place}_{end}" for end in ("candidates.star", "preview.npz")
        )
        return ResultFiles(candidates, preview, self.directory / f"masks/{place}.mrc")

    def write_picks(self, micrograph: ListedMicrograph, picks: Picks) -> None:
        """Write the coordinates of one micrograph, in place of any that an earlier run wrote.

        Pixel size and shape of the micrograph are known here, whatever its list says.
        """

    def forget(self, micrograph: ListedMicrograph) -> None:
        """Remove what the host wrote for a micrograph: no earlier result must stand for it.

        The files of the job itself are still there, if there were any.
        """

    def keep(self, micrograph: ListedMicrograph, result: MicrographResult) -> None:
        """Write what else is wanted of a fresh result; called before it counts as finished."""

    def has_all(self, micrograph: ListedMicrograph) -> bool:  # noqa: ARG002 - for hosts that keep more
        """Return whether what `keep` writes is there."""
        return True

    def promised(self, result: JobResult) -> Iterable[Path]:  # noqa: ARG002 - for hosts that write files
        """Return the files of the host that must stand when the job has succeeded."""
        return ()

    def hold(self) -> AbstractContextManager[None]:
        """Keep other jobs out of the folder while the job works in it.

        Raises
        ------
        CryosegError
            When entered, if another job works in it.
        """
        return locked(self.directory)

    def show(self, overlay: Overlay) -> None:
        """Show a fresh result of the sample, with its picks."""

    def write_outputs(self, result: JobResult) -> None:
        """Write the files of the whole job; called before the reports."""

    def check(self) -> None:
        """Raise the host's own exception where the user has ended the job."""

    def say(self, text: str) -> None:
        """Tell the user something."""

    def warn(self, text: str) -> None:
        """Tell the user that something is wrong, or seems so."""

    def waiting(self, text: str) -> None:
        """Show that the job waits for more micrographs; called when there is something new to show."""
        self.say(text)

    def start(self, total: int) -> None:
        """Take note that `total` micrographs are picked now, one after another."""

    def note_done(self, micrograph: ListedMicrograph, n_picks: int | None) -> None:
        """Take note of a micrograph that is done, with its number of picks, or None where it is skipped."""
