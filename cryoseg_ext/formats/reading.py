"""Reading picks, whichever program wrote them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.paths import exists
from cryoseg_ext.formats.picks import PICK_FORMATS, NoPicksError, PickFormat
from cryoseg_ext.formats.table import LocatedPicks, with_remarks
from cryoseg_ext.picks import Picks
from cryoseg_ext.progress import tracked

# Files of our own beside the coordinates: candidates below the threshold, and ends of filaments.
_SIDE_FILES = ("_candidates", "_tubes")


def read_picks(path: Path) -> dict[str, Picks]:
    """Read the picks in a file or folder, whichever program wrote them.

    Parameters
    ----------
    path : Path
        One of

        - a STAR file of RELION: the coordinates of one micrograph (its micrograph is its stem without
          ``_autopick`` or ``_manualpick``), ``autopick.star`` or ``manualpick.star`` of RELION 4 and 5,
          ``coords_suffix_autopick.star`` of RELION 3.1, or ``particles.star`` (the
          shifts of a refinement are applied);
        - a CSV file of ``x``, ``y`` and perhaps ``score`` and other columns of `Picks`, named in the first
          line or, where that is numbers, in this order; its micrograph is its stem, unless a column
          ``micrograph`` names it;
        - a particle file ``.cs`` or results group ``.csg`` of CryoSPARC, with ``location``;
        - a ``.box`` file of EMAN1 or a ``.cbox`` file of crYOLO; its micrograph is its stem;
        - a ``.txt`` table of Topaz;
        - a folder: of the list that RELION left in it, or else its files of one of these formats, in
          subfolders too; names are then paths from the folder, without the extension.

    Returns
    -------
    dict[str, Picks]
        The picks of each micrograph, by the name that stands in the file. x and y are 0-based pixels of the
        micrograph as stored; y is never flipped. The score is that of the file, on the file's own scale, or
        1.0 where it has none. The best score comes first, but segments of a filament stay together.

    Raises
    ------
    CryosegError
        If something cannot be read or holds no coordinates.
    """
    return {
        name: located.in_angstrom(located.pixel_size_A) for name, located in read_located_picks(path).items()
    }


def read_located_picks(path: Path) -> dict[str, LocatedPicks]:
    """Read picks as `read_picks` does, with what their file says about each micrograph."""
    if exists(path, Path.is_dir):
        return _read_folder(path)
    if not exists(path):
        raise CryosegError(f"{path} does not exist: check the path and the current folder")
    suffix = path.suffix.lower()
    fitting = next((one for one in PICK_FORMATS.values() if suffix in one.suffixes), None)
    if fitting is None:
        raise CryosegError(f"{path}: picks are not known in this format: give {_kinds()}")
    return fitting.read(path)


def _read_folder(folder: Path) -> dict[str, LocatedPicks]:
    formats = [one for one in PICK_FORMATS.values() if one.in_folders]
    for one in formats:
        for pattern in one.lists:
            if lists := sorted(folder.glob(pattern)):
                return one.read(lists[0])
    for one in formats:
        if found := _read_files(folder, one):
            return found
    raise CryosegError(f"{folder} holds no files with coordinates: give {_kinds()}")


def _read_files(folder: Path, of_format: PickFormat) -> dict[str, LocatedPicks]:
    read = of_format.read_in_folder or of_format.read
    found: dict[str, LocatedPicks] = {}
    remarks: list[str] = []
    for path in tracked(_coordinate_files(folder, of_format.suffixes), "Reading files of picks", quick=True):
        try:
            picks = read(path)
        except NoPicksError:
            continue
        except CryosegError as error:
            remarks.append(str(error))
            continue
        below = path.parent.relative_to(folder)
        for name, located in picks.items():
            if found.setdefault(key := (below / name).as_posix(), located) is not located:
                raise CryosegError(
                    f"{path} and another file of {folder} have picks of {key}: remove one of them"
                )
    if remarks and not found:
        raise CryosegError(remarks[0])
    return with_remarks(found, remarks)


def _coordinate_files(folder: Path, suffixes: Iterable[str]) -> list[Path]:
    files = sorted(path for suffix in suffixes for path in folder.rglob(f"*{suffix}"))
    return [path for path in files if not path.stem.endswith(_SIDE_FILES)] or files


def _kinds() -> str:
    files = ", ".join(suffix for one in PICK_FORMATS.values() for suffix in one.suffixes)
    return f"a file of picks ({files}) or a folder with the files of many micrographs"
