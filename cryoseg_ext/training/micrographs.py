"""Real micrographs with the picks or masks that a user trusts, at the working scale."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch_fourier_rescale import fourier_rescale_2d

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.masks import MaskFiles
from cryoseg_ext.image.reading import read_micrograph
from cryoseg_ext.image.scale import WORKING_DIAMETER_PX, WorkingMicrograph, to_working_scale
from cryoseg_ext.job.batch import MicrographTask, prepare
from cryoseg_ext.picks import Picks, instance_centres

Centres = NDArray[np.float64]


@dataclass(frozen=True)
class LabelledMicrograph:
    """A micrograph and what a user says is on it.

    Parameters
    ----------
    name : str
        As the user calls it.
    working : WorkingMicrograph
        The normalised micrograph at the working scale.
    xy_px : NDArray[np.float64]
        ``(n, 2)`` labelled centres (x, y) in working pixels.
    classes : NDArray[np.int8] or None
        ``(y, x)`` labels at the working scale: 0 background, 1 particle, 2 contaminant, -1 not known. None
        where there are only picks.
    """

    name: str
    working: WorkingMicrograph
    xy_px: Centres
    classes: NDArray[np.int8] | None = None


def read_labelled(
    tasks: Sequence[MicrographTask],
    labels: Mapping[str, Picks] | Mapping[str, MaskFiles],
    particle_diameter_A: float,
    tell: Callable[[str], None],
    *,
    invert: bool = False,
) -> list[LabelledMicrograph]:
    """Read, repair and rescale the micrographs that have labels.

    Parameters
    ----------
    tasks : Sequence[MicrographTask]
        The micrographs.
    labels : Mapping[str, Picks] or Mapping[str, MaskFiles]
        Picks in pixels of the micrograph on disk, or masks, by the name of the task. Micrographs without any
        are left out, because nobody may have looked at them.
    particle_diameter_A : float
        Stated diameter in Å.
    tell : callable
        Told, in one sentence each, which micrographs cannot be used; the others are.
    invert : bool
        Whether protein is bright.

    Raises
    ------
    CryosegError
        If fewer than two can be used: one to train on and one to validate.
    """
    found: list[LabelledMicrograph] = []
    for task in tasks:
        label = labels.get(task.name)
        if label is None or (isinstance(label, Picks) and len(label) == 0):
            continue
        try:
            found.append(_read(task, label, particle_diameter_A, invert))
        except CryosegError as error:
            sentence = str(error)
            tell(sentence if str(task.path) in sentence else f"{task.path}: {sentence}")
    if len(found) < 2:
        raise CryosegError(
            f"{len(found)} of {len(tasks)} micrographs can be read and have labels: at least 2 are needed, "
            "one to train on and one to validate; check that the labels are of these micrographs"
        )
    return found


def working_xy_px(working: WorkingMicrograph, picks: Picks) -> Centres:
    """Return ``(n, 2)`` centres (x, y) in working pixels."""
    return np.stack(working.from_source_px(picks.x_px, picks.y_px), axis=1)


def fingerprint(micrographs: Sequence[LabelledMicrograph]) -> str:
    """Return a hexadecimal digest of the images and labels, whatever the names of the files."""
    digest = hashlib.sha256()
    for micrograph in micrographs:
        classes = np.zeros(0, np.int8) if micrograph.classes is None else micrograph.classes
        for array in (micrograph.working.image, micrograph.xy_px, classes):
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def _read(
    task: MicrographTask, label: Picks | MaskFiles, particle_diameter_A: float, invert: bool
) -> LabelledMicrograph:
    prepared = prepare(task, invert=invert)
    pixel_size_A, shape = prepared.pixel_size_A, prepared.repaired.image.shape
    working = to_working_scale(prepared.repaired, pixel_size_A, particle_diameter_A)
    if isinstance(label, Picks):
        _check_inside(task, label, shape)
        return LabelledMicrograph(task.name, working, working_xy_px(working, label))
    classes, instances = (read_micrograph(path).image for path in (label.labels, label.instances))
    if classes.shape != shape or instances.shape != classes.shape:
        raise CryosegError(f"{label.labels} has not the size of {task.path}: make the labels again")
    # Soft masks are more particle than not from one half on.
    small = rescale_classes(np.rint(classes), pixel_size_A, particle_diameter_A)
    return LabelledMicrograph(task.name, working, working_xy_px(working, instance_centres(instances)), small)


def rescale_classes(
    classes: NDArray[np.float32], pixel_size_A: float, particle_diameter_A: float
) -> NDArray[np.int8]:
    """Return ``(y, x)`` labels at the working scale: the class that has most of a pixel.

    Rescaled as `cryoseg_ext.image.scale.to_working_scale` does the image. The label of the nearest pixel
    would
    put outlines up to half a pixel of the micrograph off, which costs a hundredth of the overlap.

    Parameters
    ----------
    classes : NDArray[np.float32]
        ``(y, x)`` whole numbers at `pixel_size_A`.
    pixel_size_A : float
        Å/px.
    particle_diameter_A : float
        Stated diameter in Å.
    """
    spacing_A = particle_diameter_A / WORKING_DIAMETER_PX
    known = np.unique(classes)
    shares = [
        fourier_rescale_2d(torch.from_numpy(np.float32(classes == one)), pixel_size_A, spacing_A)[0].numpy()
        for one in known
    ]
    small: NDArray[np.int8] = known.astype(np.int8)[np.argmax(shares, axis=0)]
    return small


def _check_inside(task: MicrographTask, picks: Picks, shape: tuple[int, ...]) -> None:
    ny, nx = shape
    if picks.x_px.max() > nx or picks.y_px.max() > ny or min(picks.x_px.min(), picks.y_px.min()) < -1:
        raise CryosegError(
            f"{task.path} is {nx} x {ny} px, and some of its picks lie outside: give the micrographs that "
            "were picked, not binned or cropped ones"
        )
