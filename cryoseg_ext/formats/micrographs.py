"""Lists of micrographs: of RELION, of CryoSPARC, folders, files and patterns, through one reader."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.groups import EXPOSURE_SLOT, Exposure, ImageCopy, read_exposure_group
from cryoseg_ext.formats.headers import with_file_shape
from cryoseg_ext.formats.lines import problems_of
from cryoseg_ext.formats.names import match_names
from cryoseg_ext.formats.paths import exists, folder_above
from cryoseg_ext.formats.star import numbers, optics_column
from cryoseg_ext.formats.star_reading import read_tables
from cryoseg_ext.words import shown

if TYPE_CHECKING:
    import pandas as pd

GROUP_SUFFIXES = (".cs", ".csg")
_IMAGE_EXTENSIONS = (".mrc", ".mrcs", ".tif", ".tiff", ".mrc.gz", ".mrc.bz2")
_NAME = "rlnMicrographName"
# What else a STAR file may list, by a column that only that has, and what the user should give in its place.
_NOT_MICROGRAPHS = {
    "rlnMicrographMovieName": "movies: give the micrographs.star of a MotionCorr job",
    "rlnTomoName": "tomograms: cryoseg picks particles on micrographs of single-particle sessions",
    "rlnTomoTiltSeriesStarFile": "tilt series: cryoseg picks particles on micrographs of single particles",
    "rlnMicrographCoordinates": "files of coordinates: give the micrographs that were picked",
    "rlnCoordinateX": "particles: give the micrographs STAR file that they were picked on",
    "rlnImageName": "particle images: give the micrographs STAR file that they were picked on",
}


@dataclass(frozen=True, slots=True)
class ListedMicrograph:
    """A micrograph of a list.

    Parameters
    ----------
    name : str
        What the list calls it: in RELION ``rlnMicrographName``, in CryoSPARC ``micrograph_blob/path``.
    path : Path
        Its file, from the current folder.
    pixel_size_A : float, optional
        Å/px, where the list or the user says it; else that of the file's header counts.
    shape : tuple of int, optional
        ``(ny, nx)``, where the list says it.
    optics_group : str
        Its ``rlnOpticsGroup``, empty where it has none.
    exposure : Exposure, optional
        What CryoSPARC knows of it.
    copy : ImageCopy, optional
        The image to pick in its place; coordinates refer to the micrograph all the same.
    """

    name: str
    path: Path
    pixel_size_A: float | None = None
    shape: tuple[int, int] | None = None
    optics_group: str = ""
    exposure: Exposure | None = None
    copy: ImageCopy | None = None

    @property
    def image(self) -> Path:
        """The file that is read: the copy's, where there is one."""
        return self.copy.path if self.copy else self.path


@dataclass(frozen=True)
class MicrographList:
    """Micrographs, and what their list says about all of them.

    Parameters
    ----------
    path : Path
        Where it was read from.
    by_name : Mapping[str, ListedMicrograph]
        The micrographs by name, in the order of the list.
    optics, table : DataFrame, optional
        RELION's tables of optics groups and of micrographs.
    version : str
        The CryoSPARC version that wrote the list, empty for others.
    of_relion : bool
        Whether RELION knows the micrographs by these names.
    problems : Mapping[str, str]
        What is wrong with entries that cannot be used, by name; they are not in `by_name`.
    """

    path: Path
    by_name: Mapping[str, ListedMicrograph]
    optics: pd.DataFrame | None = None
    table: pd.DataFrame | None = None
    version: str = ""
    of_relion: bool = False
    problems: Mapping[str, str] = field(default_factory=dict)

    @property
    def micrographs(self) -> list[ListedMicrograph]:
        """The micrographs in order."""
        return list(self.by_name.values())


def read_micrographs(
    sources: Sequence[str | Path], pixel_size_A: float | None = None, image_slot: str = EXPOSURE_SLOT
) -> MicrographList:
    """Read the micrographs that files, patterns, folders and lists stand for.

    Parameters
    ----------
    sources : Sequence of str or Path
        RELION's micrographs STAR files (3.0 to 5.0), CryoSPARC's exposures (``.csg`` or ``.cs``), folders
        with micrographs, MRC or TIFF files, and patterns such as ``'*.mrc'``.
    pixel_size_A : float, optional
        Å/px, in place of what lists and headers say.
    image_slot : str
        CryoSPARC only: the slot of the image to pick, such as ``micrograph_blob_denoised``.

    Raises
    ------
    CryosegError
        If one of them cannot be read, stands for nothing, or lists something else than micrographs.
    """
    lists = [_read(str(source), pixel_size_A, image_slot) for source in sources]
    if not lists:
        raise CryosegError("no micrographs are given: name files, patterns, a folder or a list")
    if len(lists) == 1:
        (listed,) = lists
    else:
        listed = MicrographList(
            lists[0].path,
            {name: one for part in lists for name, one in part.by_name.items()},
            version=next((part.version for part in lists if part.version), ""),
            problems={name: text for part in lists for name, text in part.problems.items()},
        )
    if pixel_size_A is None:
        return listed
    stated = {name: replace(one, pixel_size_A=pixel_size_A) for name, one in listed.by_name.items()}
    return replace(listed, by_name=stated)


def with_copies(listed: MicrographList, source: str) -> MicrographList:
    """Return the list with other images of the same fields, matched by name, to pick in place of its own.

    Parameters
    ----------
    listed : MicrographList
        The micrographs that coordinates refer to.
    source : str
        The images: what `read_micrographs` takes.

    Raises
    ------
    CryosegError
        If the images cannot be listed, or none of them belongs to a micrograph.
    """
    copies = read_micrographs([source]).by_name
    copy_of = {name: copies[copy] for copy, name in match_names(list(copies), list(listed.by_name)).items()}
    if not copy_of:
        raise CryosegError(f"--pick_on {source}: none of its images has the name of a micrograph")
    found = {
        name: replace(one, copy=ImageCopy(copy.path, copy.pixel_size_A, copy.shape))
        for name, one in listed.by_name.items()
        if (copy := copy_of.get(name))
    }
    missing = {
        name: f"{name}: --pick_on {source} has no image of this name"
        for name in listed.by_name
        if name not in found
    }
    return replace(listed, by_name=found, problems={**listed.problems, **missing})


def list_exposures(
    source: Path, project: Path, exposures: Iterable[tuple[Exposure, ImageCopy | None]], version: str = ""
) -> MicrographList:
    """Return exposures of CryoSPARC, each with the image to pick, as a list.

    Parameters
    ----------
    source : Path
        Where they come from.
    project : Path
        The project folder, from which their paths start.
    exposures : iterable of (Exposure, ImageCopy or None)
        The exposures; paths of copies start from the project folder too.
    version : str
        The CryoSPARC version that wrote them.
    """
    by_name: dict[str, ListedMicrograph] = {}
    problems: dict[str, str] = {}
    for stated, copy in exposures:
        try:
            one = with_file_shape(source, stated, project / stated.path)
        except CryosegError as error:
            problems[stated.path] = str(error)
            continue
        by_name[one.path] = ListedMicrograph(
            one.path,
            project / one.path,
            one.pixel_size_A or None,
            one.shape,
            exposure=one,
            copy=copy and replace(copy, path=project / copy.path),
        )
    return MicrographList(source, by_name, version=version, problems=problems)


def _read(source: str, pixel_size_A: float | None, image_slot: str) -> MicrographList:
    path = Path(source)
    suffix = path.suffix.lower()
    if suffix in GROUP_SUFFIXES:
        group = read_exposure_group(path, image_slot)
        return list_exposures(path, group.project, group.exposures, group.version)
    if suffix == ".star":
        return _read_star(path, pixel_size_A)
    if exists(path, Path.is_dir):
        # As for patterns, hidden files are left out.
        files = sorted(file for file in path.glob("[!.]*") if file.name.lower().endswith(_IMAGE_EXTENSIONS))
        if not files:
            raise CryosegError(
                f"{path} holds no micrographs: give a folder of MRC or TIFF files, a pattern such as "
                "'FOLDER/*/*.mrc', or a list"
            )
    elif glob.has_magic(source) and not exists(path):
        # Path.glob takes no absolute pattern.
        files = [Path(name) for name in sorted(glob.glob(source))]  # noqa: PTH207
        if not files:
            raise CryosegError(f"{source}: no file matches: check the folder and the quotes")
    else:
        # A file that is missing is named when it is read, and the others are picked.
        files = [path]
    return MicrographList(path, {file.as_posix(): ListedMicrograph(file.as_posix(), file) for file in files})


def _read_star(path: Path, pixel_size_A: float | None) -> MicrographList:
    tables = read_tables(path)
    optics = tables.get("optics")
    table = tables.get("micrographs", tables.get(""))
    if table is None or _NAME not in table or len(table.columns.intersection(list(_NOT_MICROGRAPHS))):
        raise CryosegError(f"{path} lists {_described(tables)}")
    if table.empty:
        raise CryosegError(f"{path} lists no micrographs: give a STAR file with at least one")
    names = [str(name) for name in table[_NAME]]
    if len(set(names)) < len(names):
        twice = Counter(names).most_common(1)[0][0]
        raise CryosegError(f"{twice} is listed twice in {path}: remove the second row")
    groups = [_group(group) for group in table.get("rlnOpticsGroup", [""] * len(table))]
    root = Path() if exists(Path(names[0])) else folder_above(path, names[0]) or Path()
    by_name: dict[str, ListedMicrograph] = {}
    problems = {f"row {number} of {path}": text for number, text in enumerate(problems_of(table), start=1)}
    sizes_A = _pixel_sizes(table, optics) if pixel_size_A is None else [pixel_size_A] * len(table)
    for name, size_A, group in zip(names, sizes_A, groups, strict=True):
        if size_A is not None and not 0 < size_A < float("inf"):
            problems[name] = (
                f"{name}: {path} gives no pixel size for its optics group {shown(group)}: add the group to "
                "data_optics, or correct the number in rlnOpticsGroup or the pixel size"
            )
        else:
            by_name[name] = ListedMicrograph(name, root / name, size_A, optics_group=group)
    return MicrographList(path, by_name, optics, table, of_relion=True, problems=problems)


def _group(value: object) -> str:
    """Return the number of an optics group, which some programs write as 1.0, as text."""
    try:
        return str(int(float(str(value))))
    except (ValueError, OverflowError):
        return str(value)


def _pixel_sizes(table: pd.DataFrame, optics: pd.DataFrame | None) -> list[float | None]:
    """Return Å/px of each row: None where the file has none for any, nan where only this row has none."""
    if optics is not None and "rlnMicrographPixelSize" in optics and "rlnOpticsGroup" in table:
        return list(optics_column(table, optics, "rlnMicrographPixelSize").tolist())
    # RELION 3.0 has a single table.
    if "rlnMicrographPixelSize" in table:
        return numbers(table["rlnMicrographPixelSize"]).tolist()
    if {"rlnDetectorPixelSize", "rlnMagnification"}.issubset(table):
        detector_um, magnification = (
            numbers(table["rlnDetectorPixelSize"]),
            numbers(table["rlnMagnification"]),
        )
        return (10000 * detector_um / magnification).tolist()
    return [None] * len(table)


def _described(tables: Mapping[str, pd.DataFrame]) -> str:
    columns = {column for table in tables.values() for column in table}
    known = (text for column, text in _NOT_MICROGRAPHS.items() if column in columns)
    blocks = ", ".join(f"data_{name}" for name in tables) or "no tables"
    usual = "the micrographs STAR file of an Import, MotionCorr, CtfFind or Select job"
    return next(known, f"no micrographs ({blocks}; no {_NAME}): give {usual}")
