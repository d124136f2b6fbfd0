"""One micrograph of a job: read, picked, and what the job keeps of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import file_stamp
from cryoseg_ext.job.scale import check_size
from cryoseg_ext.report.preview import make_preview, with_boxes

if TYPE_CHECKING:
    from cryoseg_ext.formats.micrographs import ListedMicrograph
    from cryoseg_ext.image.areas import AreaShares
    from cryoseg_ext.image.reading import Micrograph
    from cryoseg_ext.image.repair import RepairedMicrograph
    from cryoseg_ext.model.checkpoint import Model
    from cryoseg_ext.options.picking import PickingOptions
    from cryoseg_ext.picks import Picks
    from cryoseg_ext.pipeline import PickedMicrograph
    from cryoseg_ext.report.preview import Preview

_READINGS = 3
"""How often a file that changes while it is read is read."""
_SAME_ASPECT = 0.05
"""Largest relative difference of the scales along y and x between a micrograph and a copy of it."""


@dataclass(frozen=True)
class PreparedMicrograph:
    """An image that is read and repaired, and the micrograph that its coordinates refer to.

    Parameters
    ----------
    repaired : RepairedMicrograph
        The grey values of the image.
    pixel_size_A : float
        Å/px of the image.
    shape : tuple of int
        ``(ny, nx)`` of the micrograph: that of the image, unless it is a copy of another size.
    stamp : str
        Size and modification time of the file that was read, see `file_stamp`.
    notes : tuple of str
        What seemed wrong with the file, without its name.
    """

    repaired: RepairedMicrograph
    pixel_size_A: float
    shape: tuple[int, int]
    stamp: str = ""
    notes: tuple[str, ...] = ()

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels of the micrograph per pixel of the image, (y, x)."""
        (ny, nx), (image_ny, image_nx) = self.shape, self.repaired.image.shape
        return ny / image_ny, nx / image_nx

    @property
    def micrograph_pixel_A(self) -> float:
        """Å/px of the micrograph."""
        return self.pixel_size_A / self.scale[1]


@dataclass(frozen=True)
class MicrographResult:
    """What a job keeps of a micrograph that was picked.

    Parameters
    ----------
    candidates : Picks
        All candidates, in pixels of the micrograph.
    areas : AreaShares
        How much of the micrograph is contaminated or dead.
    shape : tuple of int
        ``(ny, nx)`` of the micrograph.
    pixel_size_A : float
        Å/px of the micrograph.
    image_pixel_A : float
        Å/px of the image that was picked.
    stamp : str
        Size and modification time of its file, see `file_stamp`.
    notes : tuple of str
        What seemed wrong with the file, without its name.
    preview : Preview
        A small picture.
    maps : PickedMicrograph, optional
        The maps at the working scale, where they are wanted.
    hint : str, optional
        What seems wrong with the contrast, where it was looked at.
    """

    candidates: Picks
    areas: AreaShares
    shape: tuple[int, int]
    pixel_size_A: float
    image_pixel_A: float
    stamp: str
    notes: tuple[str, ...]
    preview: Preview
    maps: PickedMicrograph | None = None
    hint: str | None = None

    @property
    def working_pixel_A(self) -> tuple[float, float]:
        """Å per pixel of the maps, (y, x)."""
        assert self.maps is not None
        step_y, step_x = self.maps.working.step_px
        return step_y * self.image_pixel_A, step_x * self.image_pixel_A


@dataclass(frozen=True)
class Work:
    """What is to be done with every micrograph of a run.

    Parameters
    ----------
    picking : PickingOptions
        How it is picked.
    keeps_maps : bool
        Whether the maps are wanted too.
    """

    picking: PickingOptions
    keeps_maps: bool = False


def pick_listed(
    model: Model, micrograph: ListedMicrograph, work: Work, *, looks_at_contrast: bool = False
) -> MicrographResult | CryosegError:
    """Read and pick a micrograph, or return what is wrong with it in one sentence that names the file.

    Parameters
    ----------
    model : Model
        The network.
    micrograph : ListedMicrograph
        The micrograph.
    work : Work
        What is to be done.
    looks_at_contrast : bool
        Whether to compare with the other contrast.
    """
    try:
        prepared = prepare(micrograph, invert=work.picking.invert)
        check_size(prepared.repaired.image.shape, prepared.pixel_size_A, work.picking)
        return _result(model, micrograph, prepared, work, looks_at_contrast=looks_at_contrast)
    except Exception as error:
        return about_micrograph(error, micrograph)


def _result(
    model: Model,
    micrograph: ListedMicrograph,
    prepared: PreparedMicrograph,
    work: Work,
    *,
    looks_at_contrast: bool,
) -> MicrographResult:
    from cryoseg_ext.job.contrast import contrast_hint
    from cryoseg_ext.pipeline import pick_repaired

    picked = pick_repaired(prepared.repaired, prepared.pixel_size_A, model, work.picking)
    candidates, working = picked.candidates, picked.working
    preview = make_preview(working.image, picked.mask, prepared.shape, picked.contaminated)
    x_px, y_px = working.from_source_px(candidates.x_px, candidates.y_px)
    preview = with_boxes(preview, working.image, replace(candidates, x_px=x_px, y_px=y_px))
    if micrograph.copy:
        scale_y, scale_x = prepared.scale
        candidates = replace(candidates, x_px=candidates.x_px * scale_x, y_px=candidates.y_px * scale_y)
    return MicrographResult(
        candidates,
        picked.areas,
        prepared.shape,
        prepared.micrograph_pixel_A,
        prepared.pixel_size_A,
        prepared.stamp,
        prepared.notes,
        preview,
        picked if work.keeps_maps else None,
        contrast_hint(picked, model, work.picking) if looks_at_contrast else None,
    )


def prepare(micrograph: ListedMicrograph, *, invert: bool = False) -> PreparedMicrograph:
    """Read and repair the image of a micrograph, whose protein is bright if `invert`.

    A file that changes meanwhile is read again.

    Raises
    ------
    CryosegError
        If it cannot be read, or its pixel size is not known.
    """
    for _ in range(_READINGS):
        stamp = file_stamp(micrograph.image)
        try:
            prepared = _prepare(micrograph, invert=invert)
        except Exception as error:
            if file_stamp(micrograph.image) == stamp:
                raise about_micrograph(error, micrograph) from error
        else:
            if file_stamp(micrograph.image) == stamp:
                return replace(prepared, stamp=stamp or "")
    raise CryosegError(
        f"{micrograph.image} changes while it is read: run the job again when it is written completely"
    )


def _prepare(micrograph: ListedMicrograph, *, invert: bool) -> PreparedMicrograph:
    from cryoseg_ext.image.repair import repair

    read, pixel_size_A, shape = _read_listed(micrograph)
    # A pixel size that the user or a list states makes that of the header needless.
    doubts = () if micrograph.pixel_size_A else read.pixel_size_notes
    repaired = repair(read.image, invert=invert, overwrite=True)
    return PreparedMicrograph(repaired, pixel_size_A, shape, notes=(*read.notes, *doubts))


def _read_listed(micrograph: ListedMicrograph) -> tuple[Micrograph, float, tuple[int, int]]:
    """Return the image of a micrograph, its Å/px, and ``(ny, nx)`` of the micrograph.

    Raises
    ------
    CryosegError
        If it cannot be read, or its pixel size is not known.
    """
    from cryoseg_ext.image.reading import read_micrograph

    read = read_micrograph(micrograph.image)
    ny, nx = read.image.shape
    return read, *size_of(micrograph, (ny, nx), read.pixel_size_A)


def size_of(
    micrograph: ListedMicrograph, image_shape: tuple[int, int], header_A: float | None
) -> tuple[float, tuple[int, int]]:
    """Return Å/px of the image of a micrograph, and ``(ny, nx)`` of the micrograph.

    Parameters
    ----------
    micrograph : ListedMicrograph
        What its list says.
    image_shape : tuple of int
        ``(ny, nx)`` of its image.
    header_A : float, optional
        Å/px that the file of the image states.

    Raises
    ------
    CryosegError
        If the pixel size is not known, or the image shows another field.
    """
    from cryoseg_ext.image.reading import read_shape

    ny, nx = shape = image_shape
    pixel_size_A = micrograph.pixel_size_A or header_A
    if copy := micrograph.copy:
        shape = micrograph.shape or read_shape(micrograph.path)
        if abs(shape[0] * nx / (shape[1] * ny) - 1) > _SAME_ASPECT:
            raise CryosegError(
                f"{copy.path} has {nx} x {ny} px and {micrograph.name} {shape[1]} x {shape[0]}: it shows "
                "another field; give whole copies of the micrographs"
            )
        of_micrograph_A = micrograph.pixel_size_A
        pixel_size_A = of_micrograph_A * shape[1] / nx if of_micrograph_A else copy.pixel_size_A or header_A
    if pixel_size_A is None:
        raise CryosegError(f"{micrograph.image}: its header has no pixel size: give --pixel_size in Å/px")
    return pixel_size_A, shape


def about_micrograph(error: Exception, micrograph: ListedMicrograph) -> CryosegError:
    """Return an error as a sentence about one micrograph, which costs the others nothing."""
    if isinstance(error, CryosegError):
        return error.about(micrograph.image)
    if isinstance(error, MemoryError):
        return CryosegError(
            f"{micrograph.image}: the memory is not enough for it: give the job more memory, or leave it out"
        )
    if isinstance(error, OSError):
        return CryosegError(
            f"{micrograph.image} cannot be read ({error.strerror or error}): check the file and its name"
        )
    what = f"{type(error).__name__}: {error}"[:300]
    return CryosegError(
        f"{micrograph.image}: it cannot be picked (an error in cryoseg itself, please report it: {what})"
    )
