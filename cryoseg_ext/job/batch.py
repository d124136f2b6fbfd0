"""Many micrographs, one after another, the next one read while this one is segmented."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryoseg_ext.errors import CryosegError

if TYPE_CHECKING:
    from cryoseg_ext.image.repair import RepairedMicrograph
    from cryoseg_ext.model.checkpoint import Model
    from cryoseg_ext.options.picking import PickingOptions
    from cryoseg_ext.pipeline import PickedMicrograph


@dataclass(frozen=True)
class MicrographTask:
    """A micrograph to pick.

    Parameters
    ----------
    name : str
        What the user calls it; in RELION the path as it stands in the STAR file.
    path : Path
        The file.
    pixel_size_A : float, optional
        Å/px; that of the file's header when not given.
    """

    name: str
    path: Path
    pixel_size_A: float | None = None


def pick_batch(
    tasks: Sequence[MicrographTask],
    model: Model,
    options: PickingOptions,
    *,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[MicrographTask, PickedMicrograph | CryosegError]]:
    """Pick particles on micrographs, in order.

    While one micrograph is segmented, a thread reads and repairs the next; no more than that one is held.

    Parameters
    ----------
    tasks : Sequence[MicrographTask]
        What to pick.
    model : Model
        The network.
    options : PickingOptions
        Particle diameter and the rest.
    stop : Callable[[], bool]
        Asked before each micrograph; the iteration ends when it says True.

    Yields
    ------
    tuple[MicrographTask, PickedMicrograph | CryosegError]
        The result, or what is wrong with this micrograph in one sentence that names the file.
    """
    if not tasks:
        return
    reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cryoseg-reader")
    try:
        ahead = reader.submit(prepare, tasks[0], invert=options.invert)
        for task, following in zip(tasks, [*tasks[1:], None], strict=True):
            if stop():
                return
            prepared = _result(ahead)
            if following:
                ahead = reader.submit(prepare, following, invert=options.invert)
            yield task, _picked(task, prepared, model, options)
    finally:
        # The user who aborts does not wait for the micrograph that is being read.
        reader.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True)
class PreparedMicrograph:
    """A micrograph that is read and repaired.

    Parameters
    ----------
    repaired : RepairedMicrograph
        Its grey values.
    pixel_size_A : float
        Å/px.
    """

    repaired: RepairedMicrograph
    pixel_size_A: float


def prepare(task: MicrographTask, *, invert: bool = False) -> PreparedMicrograph:
    """Read and repair a micrograph, whose protein is bright if `invert`.

    Raises
    ------
    CryosegError
        If it cannot be read, or its pixel size is not known.
    """
    from cryoseg_ext.image.reading import read_micrograph
    from cryoseg_ext.image.repair import repair

    micrograph = read_micrograph(task.path)
    pixel_size_A = task.pixel_size_A or micrograph.pixel_size_A
    if pixel_size_A is None:
        raise CryosegError(f"{task.path}: its header has no pixel size: give --pixel_size in Å/px")
    return PreparedMicrograph(repair(micrograph.image, invert=invert), pixel_size_A)


def _result(future: Future[PreparedMicrograph]) -> PreparedMicrograph | CryosegError:
    try:
        return future.result()
    except CryosegError as error:
        return error


def _picked(
    task: MicrographTask, prepared: PreparedMicrograph | CryosegError, model: Model, options: PickingOptions
) -> PickedMicrograph | CryosegError:
    from cryoseg_ext.pipeline import pick_repaired

    if isinstance(prepared, CryosegError):
        return _naming_the_file(prepared, task)
    try:
        return pick_repaired(prepared.repaired, prepared.pixel_size_A, model, options)
    except CryosegError as error:
        return _naming_the_file(error, task)


def _naming_the_file(error: CryosegError, task: MicrographTask) -> CryosegError:
    sentence = str(error)
    return error if str(task.path) in sentence else CryosegError(f"{task.path}: {sentence}")
