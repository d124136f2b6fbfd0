"""Files of masks, and the particles that are numbered in them."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.paths import exists
from cryoseg_ext.formats.reading import read_located_picks
from cryoseg_ext.formats.star_reading import read_tables
from cryoseg_ext.formats.table import LocatedPicks
from cryoseg_ext.image.reading import read_micrograph
from cryoseg_ext.picks import instance_centres

_COLUMNS = ("rlnMicrographName", "cryosegLabelName", "cryosegInstanceName")
_INSTANCES = "_instances"
_CLASSES = ("_labels", "_network_mask", "_mask")


@dataclass(frozen=True)
class MaskFiles:
    """The maps of one micrograph that ``cryoseg labels`` wrote.

    Parameters
    ----------
    labels, instances : Path
        ``(y, x)`` maps of class numbers and of the numbers of particles, row 0 the first stored one.
    """

    labels: Path
    instances: Path


def read_labels_star(path: Path) -> dict[str, MaskFiles]:
    """Return the masks that ``labels.star`` of ``cryoseg labels`` lists, by the name of the micrograph.

    The files' names count from the working directory or, where they are not there, from the list's folder.

    Raises
    ------
    CryosegError
        If it cannot be read or lists no masks.
    """
    table = next((one for one in read_tables(path).values() if set(_COLUMNS) <= set(one)), None)
    if table is None:
        raise CryosegError(f"{path} lists no masks: give the labels.star that `cryoseg labels` wrote")
    rows = table[list(_COLUMNS)].astype(str).itertuples(index=False)
    return {
        name: MaskFiles(_beside(path, labels), _beside(path, instances)) for name, labels, instances in rows
    }


def find_class_masks(source: str) -> dict[str, Path]:
    """Return files whose pixels are class indices, by the name of the micrograph.

    Parameters
    ----------
    source : str
        ``labels.star``; a folder with ``NAME_labels.mrc`` (of ``cryoseg labels`` and ``simulate``), with
        ``NAME_mask.mrc`` (of ``segment``), or with ``NAME.mrc``; a file or pattern, such as
        ``'out/*_network_mask.mrc'``.

    Raises
    ------
    CryosegError
        If there are none.
    """
    path = Path(source)
    if path.suffix == ".star":
        return {name: files.labels for name, files in read_labels_star(path).items()}
    if exists(path, Path.is_dir):
        images = sorted(path.rglob("*.mrc"))
        files = (
            [file for file in images if file.stem.endswith("_labels")]
            or [file for file in images if file.stem.endswith("_mask") and "_network_" not in file.stem]
            or images
        )
    else:
        # Path.glob takes no absolute pattern.
        files = [Path(name) for name in sorted(glob.glob(source))]  # noqa: PTH207
    if not files:
        raise CryosegError(f"{source}: there are no masks: give labels.star, a folder or a pattern")
    return {_without(file, *_CLASSES): file for file in files}


def read_truth(path: Path) -> dict[str, LocatedPicks]:
    """Read true particle centres: picks in any format, or masks whose particles are numbered.

    Parameters
    ----------
    path : Path
        What `read_located_picks` reads; or ``labels.star``, or a folder with ``NAME_instances.mrc``.

    Raises
    ------
    CryosegError
        If something cannot be read.
    """
    if path.suffix == ".star" and any(set(_COLUMNS) <= set(one) for one in read_tables(path).values()):
        return {name: _numbered(files.instances) for name, files in read_labels_star(path).items()}
    if exists(path, Path.is_dir) and not any(path.rglob("*.csv")):
        files = sorted(path.rglob(f"*{_INSTANCES}.mrc"))
        if files:
            return {_without(file, _INSTANCES): _numbered(file) for file in files}
    return read_located_picks(path)


def _numbered(path: Path) -> LocatedPicks:
    micrograph = read_micrograph(path)
    ny, nx = micrograph.image.shape
    picks = instance_centres(micrograph.image)
    return LocatedPicks(picks, micrograph.pixel_size_A, (ny, nx), scored=False)


def _beside(path: Path, name: str) -> Path:
    return Path(name) if exists(Path(name)) else path.parent / name


def _without(path: Path, *ends: str) -> str:
    end = next((end for end in ends if path.stem.endswith(end)), "")
    return path.with_name(path.stem.removesuffix(end)).as_posix()
