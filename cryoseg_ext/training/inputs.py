"""From the files that a user names to micrographs with labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.folder import find_micrographs
from cryoseg_ext.formats.masks import MaskFiles, read_labels_star
from cryoseg_ext.formats.micrographs import read_known_micrographs
from cryoseg_ext.formats.names import match_names
from cryoseg_ext.formats.reading import read_picks
from cryoseg_ext.job.batch import MicrographTask
from cryoseg_ext.picks import Picks

_LISTS = (".star", ".cs", ".csg")


def find_tasks(in_mics: Sequence[str], pixel_size_A: float | None) -> list[MicrographTask]:
    """Return the micrographs that lists, folders, names and patterns stand for.

    Parameters
    ----------
    in_mics : Sequence[str]
        RELION's micrographs STAR files, CryoSPARC's exposures, folders, image files or patterns.
    pixel_size_A : float, optional
        Å/px, in place of what a list or a header says.

    Raises
    ------
    CryosegError
        If one of them cannot be read or stands for nothing.
    """
    tasks = []
    for text in in_mics:
        path = Path(text)
        if path.suffix.lower() in _LISTS or path.is_dir():
            known = read_known_micrographs(path).by_name
            tasks += [
                MicrographTask(name, one.file, pixel_size_A or one.pixel_size_A)
                for name, one in known.items()
            ]
        else:
            tasks += [MicrographTask(str(file), file, pixel_size_A) for file in find_micrographs([text])]
    return tasks


def find_picks(in_coords: Path, tasks: Sequence[MicrographTask]) -> dict[str, Picks]:
    """Return the picks in a file or folder by the name of their micrograph's task.

    Raises
    ------
    CryosegError
        If it cannot be read or has no picks of these micrographs.
    """
    picks = read_picks(in_coords)
    return {task: picks[name] for name, task in _matched(in_coords, list(picks), tasks).items()}


def find_masks(in_labels: Path, tasks: Sequence[MicrographTask]) -> dict[str, MaskFiles]:
    """Return the masks that ``labels.star`` of ``cryoseg labels`` lists, by the name of the task.

    Raises
    ------
    CryosegError
        If it cannot be read or has no masks of these micrographs.
    """
    masks = read_labels_star(in_labels)
    return {task: masks[name] for name, task in _matched(in_labels, list(masks), tasks).items()}


def _matched(source: Path, names: Sequence[str], tasks: Sequence[MicrographTask]) -> Mapping[str, str]:
    matched = match_names(names, [task.name for task in tasks])
    if not matched:
        raise CryosegError(
            f"{source} has nothing for these micrographs (it names {', '.join(names[:2]) or 'none'}; the "
            f"micrographs are {', '.join(task.name for task in tasks[:2])}): give those that were picked"
        )
    return matched
