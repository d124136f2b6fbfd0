"""What a format of picks is: its name, what it can hold, its reader and its writers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.micrographs import MicrographList
from cryoseg_ext.formats.table import LocatedPicks
from cryoseg_ext.picks import Picks

LocatedByName = dict[str, LocatedPicks]
"""The picks of each micrograph, by the name that stands in the file."""
# What a user calls the columns of `Picks`.
_WORDS = {
    "score": "score",
    "diameter_A": "size",
    "psi_deg": "psi",
    "tube_id": "filament",
    "track_length_A": "track length",
}


class NoPicksError(CryosegError):
    """A file that is no file of picks; in a folder it is passed over."""


@dataclass(frozen=True)
class FileOptions:
    """How the file of one micrograph is written.

    Parameters
    ----------
    pixel_size_A : float, optional
        Å/px of the micrograph, by which sizes in Å become pixels.
    box_size_px : int, optional
        Side of the boxes, for formats that have boxes; see `box_size_px`.
    decimals : int
        Digits of coordinates in a STAR file; RELION's Extract truncates, so that the picks of a job are
        rounded to whole pixels.
    """

    pixel_size_A: float | None = None
    box_size_px: int | None = None
    decimals: int = 0


@dataclass(frozen=True)
class PickFormat:
    """A format of picks.

    Parameters
    ----------
    name : str
        What the user calls it, as in ``--format star``.
    title : str
        What sentences call it, such as "RELION STAR".
    suffixes : tuple of str
        The extensions of its files, in lower case; the first one is written.
    columns : frozenset of str
        What it holds of a pick beside x and y: the names of columns of `Picks`.
    read : callable
        Reads a file. Raises `NoPicksError` where it holds something else.
    read_in_folder : callable, optional
        Reads a file that was found in a folder, where that means something else; see `read`.
    in_folders : bool
        Whether its files are looked for in folders.
    columns_in_px : frozenset of str
        Those of `columns` in Å that it holds in pixels, so only where the pixel size is known.
    lists : tuple of str
        Patterns of names of files that list the others of their folder.
    write_file : callable, optional
        Writes the picks of one micrograph: path, picks, `FileOptions`.
    write_table : callable, optional
        Writes the picks of many micrographs to one file: path, picks by the micrograph's name, micrographs.
    folder_end : str
        What the name of a micrograph's file ends in when picks are converted into a folder; by default the
        first suffix.
    write_lists : callable, optional
        Writes what leads RELION to the files of its micrographs: folder, list of micrographs, and the file of
        each micrograph.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    columns: frozenset[str]
    read: Callable[[Path], LocatedByName]
    read_in_folder: Callable[[Path], LocatedByName] | None = None
    in_folders: bool = True
    columns_in_px: frozenset[str] = frozenset()
    lists: tuple[str, ...] = ()
    write_file: Callable[[Path, Picks, FileOptions], None] | None = None
    write_table: Callable[[Path, Mapping[str, Picks], MicrographList], None] | None = None
    folder_end: str = ""
    write_lists: Callable[[Path, Path, Mapping[str, Path]], None] | None = None

    def left_out(self, picks: Iterable[Picks], *, pixel_size_known: bool = True) -> str:
        """Return a sentence on what of some picks the format cannot hold; empty where it holds all of it.

        Parameters
        ----------
        picks : iterable of Picks
            The picks of each micrograph.
        pixel_size_known : bool
            Whether the pixel size of all of them is known.
        """
        known: set[str] = set()
        for some in picks:
            # Where a file has no scores each is 1.
            known |= set(some.columns()) - (set() if np.any(some.score != 1) else {"score"})
        held = self.columns if pixel_size_known else self.columns - self.columns_in_px
        lost = [name for name in _WORDS if name in known and name not in held]
        words = [f"{_WORDS[name]}{' without --pixel_size' * (name in self.columns)}" for name in lost]
        return f"{self.title} holds no {', '.join(words)}: left out" if words else ""


def box_size_px(path: Path, picks: Picks, options: FileOptions) -> int:
    """Return the side of the boxes of a file: as given, else the median diameter as an even number of pixels.

    Parameters
    ----------
    path : Path
        The file, for the message.
    picks : Picks
        Its picks.
    options : FileOptions
        With ``box_size_px``, or with the pixel size.

    Raises
    ------
    CryosegError
        If neither the size of a box nor that of a particle is known.
    """
    if options.box_size_px is not None or len(picks) == 0:
        return options.box_size_px or 0
    if picks.diameter_A is not None and options.pixel_size_A and not np.isnan(picks.diameter_A).all():
        return even_px(float(np.nanmedian(picks.diameter_A)) / options.pixel_size_A)
    raise CryosegError(f"{path}: boxes need a size and the picks have none: give --box_size in pixels")


def even_px(size_px: float) -> int:
    """Return the smallest even number of pixels that is not less than a size, so that a box has a middle."""
    return 2 * int(np.ceil(size_px / 2))
