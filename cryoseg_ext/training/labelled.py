"""From the files that a user names to labelled micrographs at the working scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch_fourier_rescale import fourier_rescale_2d

from cryoseg_ext.arrays import Image
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.edits import nothing_for, read_edits
from cryoseg_ext.formats.masks import MaskFiles, read_labels_star
from cryoseg_ext.formats.micrographs import ListedMicrograph, MicrographList, read_micrographs
from cryoseg_ext.formats.names import match_names
from cryoseg_ext.image.reading import read_micrograph
from cryoseg_ext.image.scale import WORKING_DIAMETER_PX, to_working_scale
from cryoseg_ext.job.micrograph import prepare
from cryoseg_ext.picks import Picks, instance_centres
from cryoseg_ext.progress import tracked
from cryoseg_ext.training.micrographs import LabelledMicrograph, working_xy_px
from cryoseg_ext.words import note


@dataclass(frozen=True)
class TrainingFiles:
    """The files of a training set.

    Parameters
    ----------
    in_mics : Sequence of str
        Micrographs: what `cryoseg_ext.formats.micrographs.read_micrographs` takes.
    in_coords : Path, optional
        Picks of them: what `cryoseg_ext.formats.reading.read_picks` takes.
    in_labels : Path, optional
        Masks of them, in place of picks: ``labels.star`` of ``cryoseg labels``.
    pixel_size_A : float, optional
        Å/px, in place of the pixel sizes in lists and headers.
    """

    in_mics: Sequence[str]
    in_coords: Path | None = None
    in_labels: Path | None = None
    pixel_size_A: float | None = None


def read_training_set(
    files: TrainingFiles,
    particle_diameter_A: float | None,
    skipped: Callable[[str], None],
    *,
    invert: bool = False,
) -> list[LabelledMicrograph]:
    """Read the micrographs and labels of a training set.

    Parameters
    ----------
    files : TrainingFiles
        Micrographs, and either picks or masks.
    particle_diameter_A : float or None
        Stated diameter in Å.
    skipped : callable
        Called with one sentence for each micrograph that is skipped.
    invert : bool
        Whether protein is bright.

    Raises
    ------
    CryosegError
        If an option is missing, or what it names cannot be used.
    """
    if particle_diameter_A is None:
        raise CryosegError("--particle_diameter is missing: give the longest extent of the particle in Å")
    if (files.in_coords is None) == (files.in_labels is None):
        raise CryosegError(
            "give the labels of the micrographs: either picks, --in_coords, or masks, --in_labels"
        )
    listed = read_micrographs(files.in_mics, files.pixel_size_A)
    for sentence in listed.problems.values():
        skipped(sentence)
    labels = (
        find_picks(files.in_coords, listed, skipped)
        if files.in_coords
        else find_masks(Path(files.in_labels or ""), listed.micrographs)
    )
    return read_labelled(listed.micrographs, labels, particle_diameter_A, skipped, invert=invert)


def find_picks(in_coords: Path, listed: MicrographList, skipped: Callable[[str], None]) -> dict[str, Picks]:
    """Return the picks in a file or folder, in pixels of the listed micrographs, by the name of these.

    Parameters
    ----------
    in_coords : Path
        What `cryoseg_ext.formats.edits.read_edits` reads; micrographs that it rejects are left out.
    listed : MicrographList
        The micrographs.
    skipped : callable
        Called with one sentence for each micrograph whose picks do not fit it.

    Raises
    ------
    CryosegError
        If it cannot be read, has no picks of these micrographs, or its picks are on another scale that is
        not known.
    """
    edits = read_edits(in_coords, listed)
    for sentence in edits.remarks:
        note(sentence)
    for sentence in edits.skipped:
        skipped(sentence)
    return {name: picks for name, picks in edits.picks.items() if not edits.rejects(name)}


def find_masks(in_labels: Path, micrographs: Sequence[ListedMicrograph]) -> dict[str, MaskFiles]:
    """Return the masks that ``labels.star`` lists, by the name of their micrograph in the list.

    Raises
    ------
    CryosegError
        If it cannot be read or has no masks of these micrographs.
    """
    masks = read_labels_star(in_labels)
    return {found: masks[name] for name, found in _matched(in_labels, list(masks), micrographs).items()}


def read_labelled(
    micrographs: Sequence[ListedMicrograph],
    labels: Mapping[str, Picks] | Mapping[str, MaskFiles],
    particle_diameter_A: float,
    skipped: Callable[[str], None],
    *,
    invert: bool = False,
) -> list[LabelledMicrograph]:
    """Read, repair and rescale the micrographs that have labels.

    Parameters
    ----------
    micrographs : Sequence[ListedMicrograph]
        The micrographs.
    labels : Mapping[str, Picks] or Mapping[str, MaskFiles]
        Picks in pixels of the micrograph on disk, or masks, by the name of the micrograph. Micrographs
        without any are left out, because nobody may have looked at them.
    particle_diameter_A : float
        Stated diameter in Å.
    skipped : callable
        Called with one sentence for each micrograph that is skipped.
    invert : bool
        Whether protein is bright.

    Raises
    ------
    CryosegError
        If fewer than two can be used: one to train on and one to validate.
    """
    found: list[LabelledMicrograph] = []
    for micrograph in tracked(micrographs, "Reading micrographs and labels"):
        label = labels.get(micrograph.name)
        if label is None or (isinstance(label, Picks) and len(label) == 0):
            continue
        try:
            found.append(_read(micrograph, label, particle_diameter_A, invert))
        except CryosegError as error:
            skipped(str(error.about(micrograph.path)))
    if len(found) < 2:
        raise CryosegError(
            f"{len(found)} of {len(micrographs)} micrographs can be read and have labels: at least 2 are "
            "needed, one to train on and one to validate; check that the labels are of these micrographs"
        )
    return found


def rescale_classes(classes: Image, pixel_size_A: float, particle_diameter_A: float) -> NDArray[np.int8]:
    """Return ``(y, x)`` labels at the working scale: the class that has most of a pixel.

    They are rescaled as `cryoseg_ext.image.scale.to_working_scale` does the image; the label of the nearest
    pixel would displace outlines by up to half a pixel of the micrograph.

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
        fourier_rescale_2d(torch.from_numpy(np.float32(classes == label)), pixel_size_A, spacing_A)[0].numpy()
        for label in known
    ]
    return known.astype(np.int8)[np.argmax(shares, axis=0)]


def _matched(
    source: Path, names: Sequence[str], micrographs: Sequence[ListedMicrograph]
) -> Mapping[str, str]:
    known = [micrograph.name for micrograph in micrographs]
    matched = match_names(names, known)
    if not matched:
        raise nothing_for(source, names, known)
    return matched


def _read(
    micrograph: ListedMicrograph, label: Picks | MaskFiles, particle_diameter_A: float, invert: bool
) -> LabelledMicrograph:
    prepared = prepare(micrograph, invert=invert)
    pixel_size_A, shape = prepared.pixel_size_A, prepared.repaired.image.shape
    working = to_working_scale(prepared.repaired, pixel_size_A, particle_diameter_A)
    if isinstance(label, Picks):
        _check_inside(micrograph, label, shape)
        return LabelledMicrograph(micrograph.name, working, working_xy_px(working, label))
    classes, instances = (read_micrograph(path).image for path in (label.labels, label.instances))
    if classes.shape != shape or instances.shape != classes.shape:
        raise CryosegError(f"{label.labels} is not of the size of {micrograph.path}: make the labels again")
    # Soft masks are more particle than not from one half on.
    small = rescale_classes(np.rint(classes), pixel_size_A, particle_diameter_A)
    centres = working_xy_px(working, instance_centres(instances))
    return LabelledMicrograph(micrograph.name, working, centres, small)


def _check_inside(micrograph: ListedMicrograph, picks: Picks, shape: tuple[int, ...]) -> None:
    ny, nx = shape
    if picks.x_px.max() > nx or picks.y_px.max() > ny or min(picks.x_px.min(), picks.y_px.min()) < -1:
        raise CryosegError(
            f"{micrograph.path} is {nx} x {ny} px, and some of its picks lie outside: give the micrographs "
            "that were picked, not binned or cropped ones"
        )
