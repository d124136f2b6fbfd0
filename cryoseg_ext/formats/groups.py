"""CryoSPARC's results groups on disk (``.csg`` and ``.cs``), read and written without a server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import replace_text, replacing
from cryoseg_ext.formats.datasets import load_dataset
from cryoseg_ext.formats.paths import folder_above
from cryoseg_ext.options.text import read_yaml

if TYPE_CHECKING:
    from cryosparc.dataset import Dataset

EXPOSURE_SLOT = "micrograph_blob"
# Import Result Group wants some version; a lone .cs file has none to copy.
_VERSION_OF_NO_GROUP = "v4.7.1"
# What else a file may hold, by a column of it.
_NOT_EXPOSURES = {
    "location/micrograph_path": "particles and ",
    "blob/path": "particle images and ",
    "movie_blob/path": "movies and ",
}


@dataclass(frozen=True)
class Exposure:
    """A micrograph as CryoSPARC knows it.

    Parameters
    ----------
    uid : int
        The exposure's ``uid``.
    path : str
        ``micrograph_blob/path``, from the project folder, without CryoSPARC's leading ``>``.
    shape : tuple[int, int]
        Its ``(ny, nx)``.
    pixel_size_A : float
        Its pixel size in Å/px.
    exp_group_id : int
        ``mscope_params/exp_group_id``; 0 where the file has none.
    """

    uid: int
    path: str
    shape: tuple[int, int]
    pixel_size_A: float
    exp_group_id: int


@dataclass(frozen=True)
class ImageCopy:
    """Another image of the field of a micrograph, such as a denoised or binned one.

    Parameters
    ----------
    path : Path
        Its file.
    pixel_size_A : float, optional
        Å/px, where it is known.
    shape : tuple of int, optional
        ``(ny, nx)``, where it is known.
    """

    path: Path
    pixel_size_A: float | None = None
    shape: tuple[int, int] | None = None


@dataclass(frozen=True)
class ExposureGroup:
    """The exposures of a results group.

    Parameters
    ----------
    exposures : tuple[tuple[Exposure, ImageCopy | None], ...]
        The exposures in the group's order, each with the image to pick where that is another one.
    project : Path
        The project folder, from which their paths start.
    version : str
        The CryoSPARC version that wrote the group, such as ``v4.7.1``.
    """

    exposures: tuple[tuple[Exposure, ImageCopy | None], ...]
    project: Path
    version: str


def read_exposure_group(path: Path, slot: str = EXPOSURE_SLOT) -> ExposureGroup:
    """Read the exposures of a results group (``.csg``) or of a single ``.cs`` file.

    Parameters
    ----------
    path : Path
        The file, in its job folder or in the project's ``exports``.
    slot : str
        The images to pick: ``micrograph_blob`` or the slot of a copy, such as ``micrograph_blob_denoised``.

    Raises
    ------
    CryosegError
        If a file cannot be read, or there are no micrographs in it.
    """
    # The user may have linked the file to somewhere; what it lists lies around the file itself.
    path = path.resolve() if path.is_symlink() else path.absolute()
    found = exposures(path, read_results(path, (EXPOSURE_SLOT, slot, "mscope_params")), slot)
    if not found:
        raise CryosegError(f"{path} lists no exposures: give the output of a job that has some")
    version = str(_read_group(path).get("version", "")) if _is_group(path) else ""
    exposure, copy = found[0]
    project = project_folder(path, str(copy.path) if copy else exposure.path)
    return ExposureGroup(tuple(found), project, version or _VERSION_OF_NO_GROUP)


def exposures(
    source: object, results: Dataset, slot: str = EXPOSURE_SLOT
) -> list[tuple[Exposure, ImageCopy | None]]:
    """Return the exposures in a data set, each with the image of `slot` where that is another one.

    Parameters
    ----------
    source : object
        Where it comes from, for messages.
    results : Dataset
        With ``micrograph_blob``, the slot of the images to pick, and perhaps ``mscope_params``.
    slot : str
        The slot of the images to pick; paths are from the project folder.

    Raises
    ------
    CryosegError
        If a slot is missing.
    """
    names = [f"{each}/{name}" for each in (EXPOSURE_SLOT, slot) for name in ("path", "shape", "psize_A")]
    missing = next((name for name in names if name not in results), None)
    if missing:
        other = next((text for name, text in _NOT_EXPOSURES.items() if name in results), "")
        remedy = "give the exposures (.csg) of a job that makes it"
        raise CryosegError(f"{source} has {other}no {missing}: {remedy}")
    for name in names:
        check_column(source, results, name, width=2 if name.endswith("/shape") else 1)
    group_ids = "mscope_params/exp_group_id"
    groups = results[group_ids] if group_ids in results else [0] * len(results)
    found: list[tuple[Exposure, ImageCopy | None]] = []
    for uid, group, path, shape, size_A, copy, copy_shape, copy_size_A in zip(
        results["uid"], groups, *(results[name] for name in names), strict=True
    ):
        exposure = Exposure(int(uid), _path(path), _shape(shape), float(size_A), int(group))
        image = ImageCopy(Path(_path(copy)), float(copy_size_A) or None, _shape(copy_shape))
        found.append((exposure, None if slot == EXPOSURE_SLOT else image))
    return found


def check_column(source: object, results: Dataset, name: str, *, width: int = 1) -> None:
    """Stop where a column is not there or is not what its name says.

    Parameters
    ----------
    source : object
        Where it comes from, for messages.
    results : Dataset
        The data set.
    name : str
        The column.
    width : int
        How many numbers stand in a row.

    Raises
    ------
    CryosegError
        If it cannot be used.
    """
    if name not in results:
        raise CryosegError(f"{source} has no {name}: give the .csg file of the job, or copy it again")
    values = np.asarray(results[name])
    is_text = values.dtype.kind in "OSU"
    if is_text != name.endswith(("path", "name")) or values.shape[1:] != ((width,) if width > 1 else ()):
        raise CryosegError(f"{source} has a {name} of another kind: copy it again from its job")


def read_results(path: Path, slots: Sequence[str]) -> Dataset:
    """Read some slots of a results group or of a single ``.cs`` file.

    Parameters
    ----------
    path : Path
        A ``.csg`` file, whose slots lie in one or several ``.cs`` files and are joined on ``uid``, or a
        ``.cs`` file.
    slots : Sequence[str]
        The slots wanted, such as ``location``.

    Returns
    -------
    Dataset
        The columns ``uid`` and ``SLOT/...`` of those slots that are there.

    Raises
    ------
    CryosegError
        If a file is missing or not what its name says.
    """
    from cryosparc.dataset import Dataset

    if not _is_group(path):
        return load_dataset(path, slots)
    slots_of: dict[Path, list[str]] = {}
    for slot, metafile in _metafiles(path).items():
        if slot in slots:
            slots_of.setdefault(metafile, []).append(slot)
    parts = [load_dataset(metafile, wanted) for metafile, wanted in slots_of.items()]
    return Dataset.innerjoin_many(*parts) if parts else Dataset()


def write_particle_group(path: Path, particles: Dataset, title: str, version: str) -> None:
    """Write particles for CryoSPARC's "Import Result Group".

    Parameters
    ----------
    path : Path
        The ``.csg`` file to write; its ``.cs`` file is put beside it. Both belong into the project folder.
    particles : Dataset
        With the slots ``location`` and ``pick_stats``.
    title : str
        What the user reads.
    version : str
        The CryoSPARC version of the exposures' group.
    """
    import yaml

    metafile = path.with_suffix(".cs")
    with replacing(metafile) as temporary:
        particles.save(temporary)
    results = {
        slot: {"metafile": f">{metafile.name}", "num_items": len(particles), "type": f"particle.{slot}"}
        for slot in dict.fromkeys(name.partition("/")[0] for name in particles if "/" in name)
    }
    group = {"description": "", "name": path.stem, "title": title, "type": "particle"}
    # Local time without a zone is what CryoSPARC writes.
    created = datetime.now()
    content = {"created": created, "group": group, "results": results, "version": version}
    replace_text(path, yaml.safe_dump(content))


def project_folder(path: Path, inside: str) -> Path:
    """Return the project folder of a results file: the nearest folder above it that holds `inside`.

    Parameters
    ----------
    path : Path
        The results file.
    inside : str
        A path from the project folder, as it stands in a ``.cs`` file.

    Returns
    -------
    Path
        Where there is no such file: the parent of the job folder, so that messages name a likely place.
    """
    return folder_above(path, inside) or path.absolute().parent.parent


def _is_group(path: Path) -> bool:
    return path.suffix.lower() == ".csg"


def _path(name: str) -> str:
    return name.removeprefix(">")


def _shape(shape: Sequence[int]) -> tuple[int, int]:
    ny, nx = map(int, shape)
    return ny, nx


def _metafiles(path: Path) -> dict[str, Path]:
    """Return the file of each slot; ``>`` in front means the folder of the group, else the project's."""
    files: dict[str, Path] = {}
    for slot, result in _read_group(path)["results"].items():
        name = str(result["metafile"])
        if len(name) > 500:
            raise CryosegError(f"{path}: the name of a file in it is too long: export it again")
        files[slot] = path.parent / name[1:] if name.startswith(">") else project_folder(path, name) / name
    return files


def _read_group(path: Path) -> dict[str, Any]:
    group = read_yaml(path)
    results = group.get("results") if isinstance(group, dict) else None
    if isinstance(results, dict) and all(
        isinstance(result, dict) and isinstance(result.get("metafile"), str) for result in results.values()
    ):
        return dict(group)
    raise CryosegError(f"{path} is not a results group of CryoSPARC: give the .csg file of a job's output")
