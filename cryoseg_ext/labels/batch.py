"""Label files of many micrographs: written one by one, kept when a run starts again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import replace_text, write_mrc
from cryoseg_ext.formats.masks import MaskFiles
from cryoseg_ext.formats.names import stem_of
from cryoseg_ext.formats.star import quoted, write_table
from cryoseg_ext.image.reading import read_micrograph
from cryoseg_ext.labels.canvas import Instances
from cryoseg_ext.progress import tracked

Labels = NDArray[np.int8] | NDArray[np.float32]
Draw = Callable[[tuple[int, int], float], tuple[Labels, Instances]]
"""From the ``(y, x)`` shape and the pixel size in Å/px of a micrograph to its labels and instances."""

SETTINGS_FILE = "settings.json"
LABELS_STAR = "labels.star"


@dataclass(frozen=True)
class LabelTask:
    """A micrograph to label.

    Parameters
    ----------
    name : str
        As it stands in the file of particles.
    micrograph : Path | None
        Its file, None where it was not found.
    shape : tuple[int, int] | None
        ``(ny, nx)``; that of the file when None.
    pixel_size_A : float | None
        Å/px; that of the file's header when None.
    n_particles : int
        How many particles it has.
    draw : Draw
        Makes the maps.
    """

    name: str
    micrograph: Path | None
    shape: tuple[int, int] | None
    pixel_size_A: float | None
    n_particles: int
    draw: Draw


def label_files(folder: Path, name: str) -> MaskFiles:
    """Return where the maps of a micrograph go."""
    stem = stem_of(name)
    return MaskFiles(folder / f"{stem}_labels.mrc", folder / f"{stem}_instances.mrc")


def start_folder(folder: Path, tasks: Sequence[LabelTask], settings: Mapping[str, Any]) -> None:
    """Make ready a folder for these settings: label files made with others are removed.

    Parameters
    ----------
    folder : Path
        The folder.
    tasks : Sequence of LabelTask
        The micrographs whose files are to be there.
    settings : Mapping[str, Any]
        What decides about the content of the files; kept as JSON.

    Raises
    ------
    CryosegError
        If two micrographs would share their files.
    """
    owners: dict[Path, str] = {}
    for task in tasks:
        file = label_files(folder, task.name).labels
        if file in owners:
            raise CryosegError(f"{owners[file]} and {task.name} would share {file}: label them apart")
        owners[file] = task.name
    path, text = folder / SETTINGS_FILE, json.dumps(settings, indent=1, ensure_ascii=False) + "\n"
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    for task in tasks:
        files = label_files(folder, task.name)
        files.labels.unlink(missing_ok=True)
        files.instances.unlink(missing_ok=True)
    replace_text(path, text)


def label_batch(tasks: Sequence[LabelTask], folder: Path) -> Iterator[tuple[LabelTask, CryosegError | None]]:
    """Label micrographs in order, without those whose files are there.

    Yields
    ------
    tuple[LabelTask, CryosegError | None]
        What was done, or what is wrong with this micrograph in one sentence that names it.
    """
    for task in tracked(tasks, "Labelling micrographs"):
        files = label_files(folder, task.name)
        try:
            if not (files.labels.exists() and files.instances.exists()):
                shape, pixel_size_A = _size(task)
                labels, instances = task.draw(shape, pixel_size_A)
                write_mrc(files.instances, instances, pixel_size_A)
                write_mrc(files.labels, labels, pixel_size_A)
        except CryosegError as error:
            yield task, error.about(task.name)
        else:
            yield task, None


def write_labels_star(folder: Path, tasks: Sequence[LabelTask]) -> None:
    """Write ``labels.star``: micrograph, label file, instance file and number of particles."""
    files = [label_files(folder, task.name) for task in tasks]
    rows = (
        f"{quoted(task.name)} {quoted(file.labels.as_posix())} {quoted(file.instances.as_posix())} "
        f"{task.n_particles}"
        for task, file in zip(tasks, files, strict=True)
    )
    columns = ("rlnMicrographName", "cryosegLabelName", "cryosegInstanceName", "rlnGroupNrParticles")
    write_table(folder / LABELS_STAR, "labels", columns, rows)


def _size(task: LabelTask) -> tuple[tuple[int, int], float]:
    shape, pixel_size_A = task.shape, task.pixel_size_A
    if shape is None or pixel_size_A is None:
        if task.micrograph is None:
            raise CryosegError(
                f"{task.name} is not to be found, so its size is not known: run from the project folder or "
                "give the micrographs as --in_mics"
            )
        micrograph = read_micrograph(task.micrograph)
        height, width = micrograph.image.shape
        shape, pixel_size_A = (height, width), pixel_size_A or micrograph.pixel_size_A
    if pixel_size_A is None:
        raise CryosegError(f"{task.name}: its header has no pixel size: give --pixel_size in Å/px")
    return shape, pixel_size_A
