"""Lists of micrographs that picks are brought to: of RELION, of CryoSPARC, or a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.groups import Exposure, read_exposure_group
from cryoseg_ext.formats.paths import folder_above
from cryoseg_ext.formats.relion import group_pixel_sizes, read_tables

if TYPE_CHECKING:
    import pandas as pd

_IMAGE_EXTENSIONS = (".mrc", ".mrcs", ".tif", ".tiff", ".mrc.gz", ".mrc.bz2")


@dataclass(frozen=True)
class KnownMicrograph:
    """A micrograph of the program that picks are brought to.

    Parameters
    ----------
    file : Path
        Its file, from the current folder.
    pixel_size_A : float | None
        Å/px, where the list says it.
    shape : tuple[int, int] | None
        ``(ny, nx)``, where the list says it.
    optics_group : str
        Its ``rlnOpticsGroup``, empty where it has none.
    exposure : Exposure | None
        What CryoSPARC knows of it.
    """

    file: Path
    pixel_size_A: float | None = None
    shape: tuple[int, int] | None = None
    optics_group: str = ""
    exposure: Exposure | None = None


@dataclass(frozen=True)
class KnownMicrographs:
    """A list of micrographs.

    Parameters
    ----------
    path : Path
        Where it was read from.
    by_name : Mapping[str, KnownMicrograph]
        The micrographs by the name that stands in it.
    optics : DataFrame | None
        RELION's table of optics groups.
    version : str
        The CryoSPARC version that wrote the list, empty for others.
    of_relion : bool
        Whether RELION knows the micrographs by these names.
    """

    path: Path
    by_name: Mapping[str, KnownMicrograph]
    optics: pd.DataFrame | None = None
    version: str = ""
    of_relion: bool = False


def read_known_micrographs(path: Path) -> KnownMicrographs:
    """Read a list of micrographs.

    Parameters
    ----------
    path : Path
        RELION's micrographs STAR file, CryoSPARC's exposures (``.csg`` or ``.cs``), or a folder with
        micrographs.

    Raises
    ------
    CryosegError
        If it cannot be read or there are no micrographs in it.
    """
    if path.suffix.lower() in (".cs", ".csg"):
        return _read_exposures(path)
    if path.suffix.lower() == ".star":
        return _read_star(path)
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.name.lower().endswith(_IMAGE_EXTENSIONS))
        if files:
            return KnownMicrographs(path, {file.as_posix(): KnownMicrograph(file) for file in files})
    raise CryosegError(
        f"{path} lists no micrographs: give a micrographs STAR file, CryoSPARC's exposures (.csg) or a folder"
    )


def known_exposures(project: Path, exposures: Sequence[Exposure]) -> dict[str, KnownMicrograph]:
    """Return the images of exposures by the path of the micrograph; `project` is the project folder."""
    return {
        one.path: KnownMicrograph(
            project / one.image_path, one.image_pixel_size_A or None, one.image_shape, exposure=one
        )
        for one in exposures
    }


def image_shape(path: Path) -> tuple[int, int]:
    """Return ``(ny, nx)`` of an MRC or TIFF file from its header.

    Raises
    ------
    CryosegError
        If it cannot be read.
    """
    import mrcfile
    import tifffile

    try:
        if path.suffix.lower() in (".tif", ".tiff"):
            with tifffile.TiffFile(path) as tiff:
                ny, nx = tiff.pages.first.shape[:2]
        else:
            with mrcfile.open(path, header_only=True, permissive=True) as mrc:
                ny, nx = mrc.header.ny, mrc.header.nx
    except (OSError, ValueError) as error:
        raise CryosegError(f"{path} cannot be read ({error}): its height is needed to turn y round") from None
    return int(ny), int(nx)


def _read_exposures(path: Path) -> KnownMicrographs:
    group = read_exposure_group(path)
    return KnownMicrographs(path, known_exposures(group.project, group.exposures), version=group.version)


def _read_star(path: Path) -> KnownMicrographs:
    tables = read_tables(path)
    table, optics = tables.get("micrographs", tables.get("")), tables.get("optics")
    if table is None or "rlnMicrographName" not in table:
        raise CryosegError(f"{path} has no micrographs: give the micrographs STAR file of a RELION job")
    names = [str(name) for name in table["rlnMicrographName"]]
    groups = list(table["rlnOpticsGroup"].map(str)) if "rlnOpticsGroup" in table else [""] * len(table)
    size_of_group = group_pixel_sizes(optics)
    sizes_A = [size_of_group.get(group) for group in groups]
    if optics is None and {"rlnDetectorPixelSize", "rlnMagnification"}.issubset(table):
        sizes_A = list(10000 * table["rlnDetectorPixelSize"] / table["rlnMagnification"])
    project = Path() if table.empty or Path(names[0]).exists() else folder_above(path, names[0]) or Path()
    by_name = {
        name: KnownMicrograph(project / name, size_A, optics_group=group)
        for name, size_A, group in zip(names, sizes_A, groups, strict=True)
    }
    return KnownMicrographs(path, by_name, optics, of_relion=True)
