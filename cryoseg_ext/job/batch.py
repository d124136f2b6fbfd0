"""Many micrographs, one after another, the next one read while this one is segmented."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import file_stamp
from cryoseg_ext.job.scale import check_size

if TYPE_CHECKING:
    from cryoseg_ext.formats.micrographs import ListedMicrograph
    from cryoseg_ext.image.reading import Micrograph
    from cryoseg_ext.image.repair import RepairedMicrograph
    from cryoseg_ext.model.checkpoint import Model
    from cryoseg_ext.options.picking import PickingOptions
    from cryoseg_ext.picks import Picks
    from cryoseg_ext.pipeline import PickedMicrograph

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
class BatchResult:
    """What was found on a micrograph.

    Parameters
    ----------
    picked : PickedMicrograph
        The result for the image that was picked.
    candidates : Picks
        Its candidates in pixels of the micrograph.
    prepared : PreparedMicrograph
        The image.
    """

    picked: PickedMicrograph
    candidates: Picks
    prepared: PreparedMicrograph

    @property
    def working_pixel_A(self) -> tuple[float, float]:
        """Å per pixel of the maps, (y, x)."""
        step_y, step_x = self.picked.working.step_px
        return step_y * self.prepared.pixel_size_A, step_x * self.prepared.pixel_size_A


def pick_batch(
    micrographs: Sequence[ListedMicrograph],
    model: Model,
    options: PickingOptions,
    check: Callable[[], None] = lambda: None,
) -> Iterator[tuple[ListedMicrograph, BatchResult | CryosegError]]:
    """Pick particles on micrographs, in order.

    While one micrograph is segmented, a thread reads and repairs the next; no more than that one is held.

    Parameters
    ----------
    micrographs : Sequence of ListedMicrograph
        What to pick.
    model : Model
        The network.
    options : PickingOptions
        Particle diameter and the rest.
    check : callable
        Called before each micrograph; may raise to stop.

    Yields
    ------
    tuple of (ListedMicrograph, BatchResult or CryosegError)
        The result, or what is wrong with this micrograph in one sentence that names the file.
    """
    if not micrographs:
        return
    reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cryoseg-reader")
    try:
        ahead = reader.submit(prepare, micrographs[0], invert=options.invert)
        for micrograph, following in zip(micrographs, [*micrographs[1:], None], strict=True):
            check()
            prepared = _result(ahead)
            if following:
                ahead = reader.submit(prepare, following, invert=options.invert)
            yield micrograph, _picked(micrograph, prepared, model, options)
    finally:
        # The user who aborts does not wait for the micrograph that is being read.
        reader.shutdown(wait=False, cancel_futures=True)


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

    read, pixel_size_A, shape = read_listed(micrograph)
    # A pixel size that the user or a list states makes that of the header needless.
    doubts = () if micrograph.pixel_size_A else read.pixel_size_notes
    repaired = repair(read.image, invert=invert)
    return PreparedMicrograph(repaired, pixel_size_A, shape, notes=(*read.notes, *doubts))


def read_listed(micrograph: ListedMicrograph) -> tuple[Micrograph, float, tuple[int, int]]:
    """Return the image of a micrograph, its Å/px, and ``(ny, nx)`` of the micrograph.

    Raises
    ------
    CryosegError
        If it cannot be read, or its pixel size is not known.
    """
    from cryoseg_ext.image.reading import read_micrograph, read_shape

    read = read_micrograph(micrograph.image)
    ny, nx = read.image.shape
    pixel_size_A = micrograph.pixel_size_A or read.pixel_size_A
    shape = (ny, nx)
    if copy := micrograph.copy:
        shape = micrograph.shape or read_shape(micrograph.path)
        if abs(shape[0] * nx / (shape[1] * ny) - 1) > _SAME_ASPECT:
            raise CryosegError(
                f"{copy.path} has {nx} x {ny} px and {micrograph.name} {shape[1]} x {shape[0]}: it shows "
                "another field; give whole copies of the micrographs"
            )
        of_micrograph_A = micrograph.pixel_size_A
        pixel_size_A = (
            of_micrograph_A * shape[1] / nx if of_micrograph_A else copy.pixel_size_A or read.pixel_size_A
        )
    if pixel_size_A is None:
        raise CryosegError(f"{micrograph.image}: its header has no pixel size: give --pixel_size in Å/px")
    return read, pixel_size_A, shape


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


def _result(future: Future[PreparedMicrograph]) -> PreparedMicrograph | CryosegError:
    try:
        return future.result()
    except CryosegError as error:
        return error


def _picked(
    micrograph: ListedMicrograph,
    prepared: PreparedMicrograph | CryosegError,
    model: Model,
    options: PickingOptions,
) -> BatchResult | CryosegError:
    from cryoseg_ext.pipeline import pick_repaired

    if isinstance(prepared, CryosegError):
        return prepared
    try:
        check_size(prepared.repaired.image.shape, prepared.pixel_size_A, options)
        picked = pick_repaired(prepared.repaired, prepared.pixel_size_A, model, options)
    except Exception as error:
        return about_micrograph(error, micrograph)
    candidates = picked.candidates
    if micrograph.copy:
        scale_y, scale_x = prepared.scale
        candidates = replace(candidates, x_px=candidates.x_px * scale_x, y_px=candidates.y_px * scale_y)
    return BatchResult(picked, candidates, prepared)
