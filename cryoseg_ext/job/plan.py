"""What a job has to do: its micrographs, their files, and what each is to be picked with."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Container
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import file_stamp
from cryoseg_ext.job.finished import read_finished, settings_key
from cryoseg_ext.report.preview import stretch

if TYPE_CHECKING:
    from cryoseg_ext.formats.micrographs import ListedMicrograph, MicrographList
    from cryoseg_ext.job.finished import FinishedMicrograph
    from cryoseg_ext.job.host import Host, ResultFiles
    from cryoseg_ext.options.picking import PickingOptions


@dataclass(frozen=True, slots=True)
class Planned:
    """A micrograph of a job, and how it is to be picked.

    Parameters
    ----------
    micrograph : ListedMicrograph
        The micrograph.
    files : ResultFiles
        Its files.
    settings : str
        The key of the settings it is to be picked with.
    stamp : str
        Size and modification time of its image, see `file_stamp`.
    stretch : int
        Its part of the run.
    """

    micrograph: ListedMicrograph
    files: ResultFiles
    settings: str
    stamp: str
    stretch: int

    def key(self, stamp: str) -> str:
        """Return the key of a result that was made of the image with this stamp."""
        return f"{self.settings}:{stamp}"

    def is_met_by(self, result: FinishedMicrograph, *, any_settings: bool) -> bool:
        """Return whether a result is of the image as it is now, and of these settings or of any."""
        settings, _, stamp = result.settings.partition(":")
        if any_settings:
            # An earlier version stored no stamp.
            return stamp in ("", self.stamp)
        return (settings, stamp) == (self.settings, self.stamp)


def plan(
    listed: MicrographList,
    host: Host,
    picking: PickingOptions,
    model_digest: str,
    left_out: Container[str],
    skip: Callable[[str, str], None],
) -> dict[str, Planned]:
    """Return what there is to do, by name.

    Parameters
    ----------
    listed : MicrographList
        The micrographs.
    host : Host
        The program that the job runs in.
    picking : PickingOptions
        How they are to be picked.
    model_digest : str
        Digest of the model.
    left_out : container of str
        Names of micrographs that are not tried.
    skip : callable
        Called with the name of a micrograph that cannot be picked, and a sentence.

    Raises
    ------
    CryosegError
        If two micrographs would share their files.
    """
    planned: dict[str, Planned] = {}
    owner: dict[Path, str] = {}
    for number, micrograph in enumerate(listed.micrographs):
        if micrograph.name in left_out:
            continue
        try:
            files = host.files(micrograph)
            _check_names(micrograph, files)
        except CryosegError as error:
            skip(micrograph.name, str(error))
            continue
        if (first := owner.setdefault(files.candidates, micrograph.name)) != micrograph.name:
            raise CryosegError(
                f"{first} and {micrograph.name} would share the file {files.candidates}: pick them in two "
                "jobs"
            )
        # Seen from the folder of the job, because a project may be moved as a whole.
        path = image = os.path.relpath(micrograph.path, host.directory)
        if micrograph.copy:
            image = os.path.relpath(micrograph.image, host.directory)
        digest = f"{model_digest} {path} {image}"
        key = settings_key(picking, digest=digest, pixel_size_A=micrograph.pixel_size_A)
        stamp = file_stamp(micrograph.image)
        one = Planned(micrograph, files, key, stamp or "", stretch(number, len(listed.by_name)))
        if problem := _problem_of(micrograph.image):
            _leave(one, host)
            skip(micrograph.name, problem)
        else:
            planned[micrograph.name] = one
    return planned


def _check_names(micrograph: ListedMicrograph, files: ResultFiles) -> None:
    """Refuse a name with which the files of the job cannot be written."""
    try:
        str(files.candidates).encode()
        # What is written first has another name, see `replacing`.
        with suppress(FileNotFoundError):
            files.candidates.with_name(f".tmp-{files.candidates.name}").lstat()
    except UnicodeError:
        raise CryosegError(f"{micrograph.name!a}: the name is not text in UTF-8: rename the file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CryosegError(
            f"{micrograph.name}: its files cannot be named after it ({reason}): give it a shorter name"
        ) from None


def _problem_of(image: Path) -> str | None:
    """Return why there is no image that could be read."""
    try:
        mode = image.stat().st_mode
    except FileNotFoundError:
        return f"{image} does not exist: check the path and the current folder"
    except (OSError, ValueError) as error:
        return f"{image} cannot be read ({getattr(error, 'strerror', None) or error}): check the file"
    if not stat.S_ISREG(mode):
        return f"{image} is not a file: give a micrograph in MRC or TIFF format"
    return None


def _leave(one: Planned, host: Host) -> None:
    """Keep what is finished of an image that is gone, as it may come back; but no picks of other settings."""
    stored = read_finished(one.files.candidates)
    if stored is None or stored.settings.partition(":")[0] != one.settings:
        host.forget(one.micrograph)
