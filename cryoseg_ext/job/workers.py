"""Where the micrographs of a job are picked: in this process, in others on this machine, or on a cluster.

Each worker computes on one thread, so that a micrograph gets the same bytes wherever it is picked, and
results are taken in the order of the list.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.job.device import choose_devices
from cryoseg_ext.job.executor import WorkersGoneError
from cryoseg_ext.job.micrograph import pick_listed
from cryoseg_ext.processes import as_many_as_fit, at_most_cores, use_threads

if TYPE_CHECKING:
    from cryoseg_ext.formats.micrographs import ListedMicrograph
    from cryoseg_ext.job.executor import Executor
    from cryoseg_ext.job.host import Host
    from cryoseg_ext.job.micrograph import MicrographResult, Work
    from cryoseg_ext.model.checkpoint import Model
    from cryoseg_ext.model.file import ModelFile
    from cryoseg_ext.options.job import JobOptions

PER_GPU = 4
"""Workers for each GPU, as a micrograph takes longer to read and repair than to segment."""
WORKER_BYTES, BYTES_PER_FILE_BYTE = 600_000_000, 6
"""Memory of a worker: without a micrograph, and for each byte of its file."""
_AHEAD = 2
"""Micrographs in hand for each call that can run."""
_POLL_S = 0.2

Outcome = tuple["ListedMicrograph", "MicrographResult | CryosegError"]


def load_worker(file: ModelFile, device: str, precision: str) -> Model:
    """Return the model of a worker, which computes on one thread.

    Parameters
    ----------
    file : ModelFile
        The model, with its content.
    device, precision : str
        Where and with which numbers it computes.
    """
    use_threads(1)
    return file.load(device, precision)


def load_remote(file: ModelFile, device: str, precision: str) -> Model:
    """Return the model of a worker on another machine, which must have the numbers of the job.

    Parameters
    ----------
    file, device, precision
        As for `load_worker`; the precision is chosen.

    Raises
    ------
    CryosegError
        If the results would be others than those of the job's own machine.
    """
    from cryoseg_ext.model.backend import computes

    model = load_worker(file, device, precision)
    if precision != "auto" and not computes(precision, device):
        raise CryosegError(
            f"their processor or GPU has no instructions for {precision}, which the job computes with: leave "
            "them out, or give --precision float32"
        )
    return model


@dataclass
class Workers:
    """Where the micrographs of a job are picked; what is started stays until `close`.

    Parameters
    ----------
    options : JobOptions
        Workers and devices.
    host : Host
        Gets warnings, and may end the job at any time.
    file : ModelFile
        The model.
    load : callable
        Returns the model in this process.
    warn : callable
        Called with a sentence where other devices or fewer workers are used than were asked for.
    """

    options: JobOptions
    host: Host
    file: ModelFile
    load: Callable[[], Model]
    warn: Callable[[str], None]
    _stack: ExitStack = field(default_factory=ExitStack, init=False)
    _executor: Executor | None = field(default=None, init=False)

    def pick(self, micrographs: Sequence[ListedMicrograph], work: Work) -> Iterator[Outcome]:
        """Pick micrographs, at least one, in their order.

        Yields
        ------
        tuple of (ListedMicrograph, MicrographResult or CryosegError)
            The result, or what is wrong with this micrograph in one sentence that names the file.

        Raises
        ------
        CryosegError
            If the model or the workers cannot be used.
        """
        executor = self._executor = self._executor or self._started(micrographs)
        if executor is None:
            return _one_by_one(self.load(), micrographs, work, self.host)
        if not self.options.cluster:
            return _in_order(executor, micrographs, work, self.host)
        # A worker on a cluster has another current folder.
        outcomes = _in_order(executor, list(map(_absolute, micrographs)), work, self.host)
        return map(_as_listed, micrographs, outcomes)

    def close(self) -> None:
        """End what has been started."""
        self._executor = None
        self._stack.close()

    def _started(self, micrographs: Sequence[ListedMicrograph]) -> Executor | None:
        """Return what has just been started; None where one worker is enough, which is this process."""
        options = self.options
        if options.cluster:
            from cryoseg_ext.job.cluster import cluster_executor

            device, precision = (options.device if options.gpu is None else "cuda"), options.precision
            if device == "cpu":
                # The same numbers on every machine.
                precision = self.load().precision
            setup = partial(load_remote, _with_content(self.file), device, precision)
            first = _absolute(micrographs[0]).image
            there = cluster_executor(options.cluster, options.workers or 1, setup, first, self.host)
            return self._stack.enter_context(there)
        devices, n = _workers(options, micrographs, self.warn)
        if n == 1:
            return None
        from cryoseg_ext.job.pool import ProcessPool

        setups = [
            partial(load_worker, _with_content(self.file), device, options.precision) for device in devices
        ]
        return self._stack.enter_context(ProcessPool(setups, n, self.host.warn))


def _workers(
    options: JobOptions, micrographs: Sequence[ListedMicrograph], warn: Callable[[str], None]
) -> tuple[list[str], int]:
    """Return the devices of the workers, and how many workers there are."""
    if options.gpu is None and (options.workers or 1) == 1:
        # Nothing is asked of the machine: the model is loaded on its device, or says that it cannot be.
        return [options.device], 1
    devices = choose_devices(options, warn)
    by_default = 1 if devices == ["cpu"] else at_most_cores(PER_GPU * len(devices), lambda _: None)
    n = options.workers or by_default
    file_bytes = max((one.image.stat().st_size for one in micrographs[:1] if one.image.exists()), default=0)
    n = as_many_as_fit(n, WORKER_BYTES + BYTES_PER_FILE_BYTE * file_bytes, warn)
    # While the job watches, more will come.
    return devices, n if options.watches else min(n, len(micrographs))


def _one_by_one(
    model: Model, micrographs: Sequence[ListedMicrograph], work: Work, host: Host
) -> Iterator[Outcome]:
    looks = True
    for micrograph in micrographs:
        host.check()
        outcome = pick_listed(model, micrograph, work, looks_at_contrast=looks)
        looks = looks and isinstance(outcome, CryosegError)
        yield micrograph, outcome


def _in_order(
    executor: Executor, micrographs: Sequence[ListedMicrograph], work: Work, host: Host
) -> Iterator[Outcome]:
    rest, pending = iter(micrographs), deque[tuple["ListedMicrograph", bool, Future[Any]]]()
    looks = True
    while True:
        while len(pending) < _AHEAD * executor.slots() and (following := next(rest, None)):
            # What CryoSPARC knows of it is not needed there.
            bare = replace(following, exposure=None)
            pending.append((following, looks, executor.submit(_pick, bare, work, looks)))
            looks = False
        if not pending:
            return
        micrograph, looked, future = pending.popleft()
        outcome = _awaited(future, executor, host)
        # The first that can be picked is looked at.
        looks = looks or (looked and isinstance(outcome, CryosegError))
        yield micrograph, outcome.about(micrograph.image) if isinstance(outcome, CryosegError) else outcome


def _pick(
    model: Model, micrograph: ListedMicrograph, work: Work, looks: bool
) -> MicrographResult | CryosegError:
    return pick_listed(model, micrograph, work, looks_at_contrast=looks)


def _awaited(future: Future[Any], executor: Executor, host: Host) -> MicrographResult | CryosegError:
    while not wait([future], timeout=_POLL_S).done:
        host.check()
        executor.report()
    host.check()
    try:
        return future.result()
    except WorkersGoneError:
        raise
    except CryosegError as error:
        return error


def _absolute(micrograph: ListedMicrograph) -> ListedMicrograph:
    copy = micrograph.copy and replace(micrograph.copy, path=micrograph.copy.path.absolute())
    return replace(micrograph, path=micrograph.path.absolute(), copy=copy)


def _as_listed(micrograph: ListedMicrograph, outcome: Outcome) -> Outcome:
    there, result = outcome
    if isinstance(result, CryosegError):
        result = CryosegError(str(result).replace(str(there.image), str(micrograph.image)))
    return micrograph, result


def _with_content(file: ModelFile) -> ModelFile:
    """Return a model file that has been read, so that workers need no file and none of them has another."""
    assert file.content
    return file
