"""Reading picks, whichever program wrote them."""

from __future__ import annotations

from pathlib import Path

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats import relion
from cryoseg_ext.formats.groups import PARTICLE_SLOTS, read_results
from cryoseg_ext.formats.particles import located_picks
from cryoseg_ext.formats.table import LocatedPicks, number_columns, sorted_picks
from cryoseg_ext.picks import Picks

_KINDS = "a CSV, STAR, .cs or .csg file, or a folder with the CSV or STAR files of many micrographs"


def read_picks(path: Path) -> dict[str, Picks]:
    """Read the picks in a file or folder, whichever program wrote them.

    Parameters
    ----------
    path : Path
        One of

        - a CSV file of ``x``, ``y`` and perhaps ``score``, named in the first line or, where that is numbers,
          in this order; its micrograph is its stem;
        - a STAR file of RELION: the coordinates of one micrograph (its micrograph is its stem without
          ``_autopick`` or ``_manualpick``), ``autopick.star`` or ``manualpick.star`` of RELION 4 and 5,
          ``coords_suffix_autopick.star`` of RELION 3.1, or ``particles.star`` (shifts from a refinement are
          not applied);
        - a particle file ``.cs`` or results group ``.csg`` of CryoSPARC, with ``location``;
        - a folder: of the list that RELION left in it, or else its CSV files, or else its coordinate
          STAR files, in subfolders too; names are then paths from the folder, without the extension.

    Returns
    -------
    dict[str, Picks]
        The picks of each micrograph, by the name that stands in the file. x and y are 0-based pixels of the
        micrograph as stored; y is never flipped. The score is that of the file, on the file's own scale, or
        1.0 where it has none.

    Raises
    ------
    CryosegError
        If something cannot be read or holds no coordinates.
    """
    return {name: located.picks for name, located in read_located_picks(path).items()}


def read_located_picks(path: Path) -> dict[str, LocatedPicks]:
    """Read picks as `read_picks` does, with the size of each micrograph where the file knows it."""
    if path.is_dir():
        return _read_folder(path)
    if not path.exists():
        raise CryosegError(f"{path} does not exist: check the path and the current folder")
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return {path.stem: _read_csv(path)}
    if suffix == ".star":
        return relion.read_star(path)
    if suffix in (".cs", ".csg"):
        return located_picks(path, read_results(path, PARTICLE_SLOTS))
    raise CryosegError(f"{path}: picks are not known in this format: give {_KINDS}")


def _read_folder(folder: Path) -> dict[str, LocatedPicks]:
    lists = ["autopick.star", "manualpick.star"]
    lists += sorted(path.name for path in folder.glob(f"{relion.SUFFIX_FILE}*.star"))
    for name in lists:
        if (folder / name).exists():
            return relion.read_star(folder / name)
    tables = sorted(folder.rglob("*.csv"))
    if tables:
        return {_name_below(folder, path, path.stem): _read_csv(path) for path in tables}
    found: dict[str, LocatedPicks] = {}
    for path in sorted(folder.rglob("*.star")):
        located = relion.read_coordinates(path)
        if located is not None:
            found[_name_below(folder, path, relion.micrograph_of(path))] = located
    if not found:
        raise CryosegError(f"{folder} holds no CSV or STAR files with coordinates: give {_KINDS}")
    return found


def _name_below(folder: Path, path: Path, stem: str) -> str:
    return (path.parent.relative_to(folder) / stem).as_posix()


def _read_csv(path: Path) -> LocatedPicks:
    import pandas as pd

    try:
        names = _names_where_missing(path)
        table = pd.read_csv(path, names=names, skipinitialspace=True)
        x_px, y_px = number_columns(table, ["x", "y"])
        score = number_columns(table, ["score"])[0] if "score" in table else None
    except pd.errors.EmptyDataError:
        return LocatedPicks(sorted_picks([], [], None), scored=False)
    except KeyError:
        raise CryosegError(
            f"{path} has no columns x and y: its first line must name them, as in x,y,score"
        ) from None
    except OSError as error:
        raise CryosegError(f"{path} cannot be read ({error.strerror}): mend its permissions") from None
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise CryosegError(
            f"{path} is not a readable CSV file ({reason}): write it again as x,y,score"
        ) from None
    return LocatedPicks(sorted_picks(x_px, y_px, score), scored="score" in table)


def _names_where_missing(path: Path) -> list[str] | None:
    """Return the names of the columns of a CSV file whose first line is numbers already."""
    with path.open(encoding="utf-8", errors="replace") as file:
        first = file.readline().split(",")
    try:
        [float(word) for word in first]
    except ValueError:
        return None
    return ["x", "y", "score"][: len(first)] if len(first) <= 3 else None
