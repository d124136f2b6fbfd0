"""Where RELION expects the coordinate file of a micrograph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.coordinates import write_coordinates_star, write_tubes_star
from cryoseg_ext.formats.paths import after_job_folder
from cryoseg_ext.picks import Picks

PICK_NAME, TUBES_NAME = "autopick", "tubes"


@dataclass(frozen=True)
class MicrographFiles:
    """The files one micrograph has in the job folder.

    Parameters
    ----------
    coordinates : Path
        The picks at or above the threshold, ``_autopick.star``.
    candidates : Path
        All candidates; its presence says that the micrograph is finished.
    preview : Path
        What the overlay in the report is drawn from; only a sample of micrographs has one.
    tubes : Path
        Start-end coordinates of filaments, where filaments were asked for.
    """

    coordinates: Path
    candidates: Path
    preview: Path
    tubes: Path

    def write_coordinates(self, picks: Picks) -> None:
        """Write the coordinates; of filaments the segments, and starts and ends in another file."""
        write_coordinates_star(self.coordinates, picks)
        if picks.tube_id is None:
            # An earlier run may have picked along filaments.
            self.tubes.unlink(missing_ok=True)
        else:
            write_tubes_star(self.tubes, picks)

    def remove(self) -> None:
        """Remove the files, so that no earlier result stands for a micrograph that cannot be read now."""
        for path in (self.coordinates, self.candidates, self.preview, self.tubes):
            path.unlink(missing_ok=True)


def micrograph_files(job_directory: Path, micrograph_name: str) -> MicrographFiles:
    """Return the files of a micrograph in a job folder.

    The rule is RELION's ``decomposePipelineSymlinkName``: what follows ``.../jobNNN/`` in the path, without
    the last extension; a path outside a job is kept whole.

    Parameters
    ----------
    job_directory : Path
        The picking job's folder.
    micrograph_name : str
        ``rlnMicrographName``, exactly as in the STAR file.

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
    stem = relative.with_suffix("")
    ends = (f"{PICK_NAME}.star", "candidates.star", "preview.npz", f"{TUBES_NAME}.star")
    return MicrographFiles(*(job_directory / f"{stem}_{end}" for end in ends))


def check_collisions(planned: Sequence[tuple[str, MicrographFiles]]) -> None:
    """Check that no two micrographs, given by name and files, share a coordinate file.

    Raises
    ------
    CryosegError
        If a micrograph is listed twice, or two of different jobs have the same path within their jobs.
    """
    owner: dict[Path, str] = {}
    for name, files in planned:
        path = files.coordinates
        if path not in owner:
            owner[path] = name
        elif owner[path] == name:
            raise CryosegError(
                f"{name} is listed twice: remove the second row from the micrographs STAR file"
            )
        else:
            raise CryosegError(
                f"{owner[path]} and {name} would share the coordinate file {path}: pick them in two jobs"
            )
