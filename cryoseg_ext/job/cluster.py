"""Where a job runs on many machines: the workers of a dask scheduler."""

from __future__ import annotations

import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.job.executor import WorkersGoneError
from cryoseg_ext.job.preparation import call_prepared, preparation
from cryoseg_ext.job.scheduler import CLOSE_S, LOGS, connected, job_queue, require_dask

if TYPE_CHECKING:
    from cryoseg_ext.job.host import Host

PATIENCE_S = 30.0
"""How long no worker may be ready before the user hears of it."""
LOOK_S, ANSWER_S = 2.0, 30.0
"""How often the scheduler is asked for its workers, and how long it may take to answer."""
RESUBMIT_S = 10.0
"""How often jobs of a queue that have ended are submitted again."""
_POLL_S = 0.1


@dataclass(eq=False)
class _Call:
    function: Callable[..., Any]
    args: tuple[Any, ...]
    outcome: Future[Any] = field(default_factory=Future)


@dataclass
class ClusterExecutor:
    """Runs calls on the workers of a cluster; `cluster_executor` makes one.

    Parameters
    ----------
    client : Client
        The connection to the scheduler.
    host : Host
        Gets the warnings.
    queue : JobQueueCluster, optional
        The jobs of a batch system, where the workers are such.
    wanted : int
        Number of workers wanted of them.
    """

    client: Any
    host: Host
    queue: Any
    wanted: int
    name: str = field(default_factory=lambda: f"cryoseg-{uuid4().hex}", init=False)
    """The workers are prepared under this name, beside those of other jobs of the same scheduler."""
    _lock: RLock = field(default_factory=RLock, init=False)
    _waiting: deque[_Call] = field(default_factory=deque, init=False)
    _suspects: deque[_Call] = field(default_factory=deque, init=False)
    """Calls whose workers have died: they are made again one after another."""
    _tried: _Call | None = field(default=None, init=False)
    _running: int = field(default=0, init=False)
    _is_gone: bool = field(default=False, init=False)
    _slots: int = field(default=0, init=False)
    _refused: set[tuple[str, str]] = field(default_factory=set, init=False)
    _has_none: bool = field(default=False, init=False)
    _looked: float = field(default=-math.inf, init=False)
    _lonely_since: float = field(default_factory=time.monotonic, init=False)
    _scaled: float = field(default_factory=time.monotonic, init=False)

    @cached_property
    def _remote(self) -> Any:
        # The workers that are prepared for this job, and no others, have its resource.
        return self.client.get_executor(pure=False, resources={self.name: 1})

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Return the future of ``function(state, *args)`` on a worker, with what `setup` returned there.

        A call whose worker dies is made again; where too many die, a `CryosegError` says so. Where the
        cluster is lost, the exception is a `WorkersGoneError`.
        """
        call = _Call(function, args)
        # It cannot be cancelled alone.
        call.outcome.set_running_or_notify_cancel()
        with self._lock:
            self._waiting.append(call)
        self._send()
        return call.outcome

    def slots(self) -> int:
        """Return how many calls can run at once, at least 1; see `report` for what it raises."""
        self.report()
        return max(1, self._slots)

    def report(self) -> None:
        """Warn the user of what has happened to the workers; to be called often while futures are awaited.

        Raises
        ------
        WorkersGoneError
            If the cluster is lost.
        """
        for sentence in (*self._refusals(), *self._loneliness()):
            self.host.warn(sentence)

    def wait(self) -> None:
        """Wait for the first worker that can be used.

        Raises
        ------
        CryosegError
            If none of those that are there can be.
        """
        refusals = self._refusals()
        while not self._slots:
            if self._has_none:
                raise CryosegError(refusals[0])
            for sentence in self._loneliness():
                self.host.warn(sentence)
            self.host.check()
            time.sleep(_POLL_S)
            refusals += self._refusals()
        for sentence in refusals:
            self.host.warn(sentence)

    def _refusals(self) -> list[str]:
        """Return what is new of workers that cannot be used, in sentences."""
        now = time.monotonic()
        if self._is_gone or self.client.status != "running":
            raise self._gone()
        if now - self._looked < LOOK_S:
            return []
        self._looked = now
        try:
            return self._look()
        except Exception as error:
            raise self._gone() from error

    def _loneliness(self) -> list[str]:
        """Return a sentence where no worker is ready; submit again the jobs of a queue that have ended."""
        now = time.monotonic()
        if self.queue is not None and self._slots < self.wanted and now - self._scaled > RESUBMIT_S:
            self._scaled = now
            self.queue.scale(self.wanted)
        if self._slots:
            self._lonely_since = now
        elif now - self._lonely_since > PATIENCE_S:
            # Once is enough.
            self._lonely_since = math.inf
            return [f"no worker of the cluster is ready: waiting for one {self._hint()}"]
        return []

    def _look(self) -> list[str]:
        """Count the workers, and return what is wrong with those that cannot be used, in sentences."""
        ask = partial(self.client.sync, callback_timeout=ANSWER_S)
        workers = ask(self.client.scheduler.identity, n_workers=-1)["workers"]
        self._slots = sum(
            worker["nthreads"] for worker in workers.values() if worker["resources"].get(self.name)
        )
        events = ask(self.client.scheduler.events, topic=self.name)
        refused = {(problem, machine) for _, (_, machine, problem) in events}
        self._has_none = bool(workers) and workers.keys() <= {address for _, (address, _, _) in events}
        machines: dict[str, list[str]] = {}
        for problem, machine in sorted(refused - self._refused):
            machines.setdefault(problem, []).append(machine)
        self._refused |= refused
        self._send()
        return [f"workers on {', '.join(on)} cannot be used: {problem}" for problem, on in machines.items()]

    def _hint(self) -> str:
        if self.queue is None:
            return "(start workers, or abort the job)"
        logs = self.host.directory / LOGS
        return f"(look at the queue, and at the logs of its jobs in {logs}; or abort the job)"

    def end(self) -> None:
        """Cancel what is not finished, and free the workers."""
        if self._is_gone or self.client.status != "running":
            return
        with suppress(Exception):
            self._remote.shutdown(wait=False)
            self.client.sync(
                self.client.scheduler.unregister_worker_plugin, name=self.name, callback_timeout=CLOSE_S
            )

    def _gone(self) -> WorkersGoneError:
        self._is_gone = True
        return WorkersGoneError(
            "the connection to the scheduler of the cluster is lost: what is finished is kept, run the job "
            "again when the scheduler is back"
        )

    def _send(self) -> None:
        """Hand over to the scheduler what can run at once; what waited on a worker would share its death."""
        with self._lock:
            while (self._is_gone or self._running < max(1, self._slots)) and (call := self._following()):
                self._make(call)

    def _make(self, call: _Call) -> None:
        try:
            remote = self._remote.submit(call_prepared, self.name, call.function, call.args)
        except Exception:
            call.outcome.set_exception(self._gone())
        else:
            self._running += 1
            remote.add_done_callback(partial(self._take, call))

    def _following(self) -> _Call | None:
        if self._suspects and (self._is_gone or not self._tried):
            self._tried = self._suspects.popleft()
            return self._tried
        return self._waiting.popleft() if self._waiting else None

    def _take(self, call: _Call, remote: Future[Any]) -> None:
        error = WorkersGoneError() if remote.cancelled() else remote.exception()
        with self._lock:
            self._running -= 1
            is_second = self._tried is call
            if is_second:
                self._tried = None
            sentence = what_died(error) if error else None
            if sentence and not is_second:
                # dask also counts the deaths that another call of the same worker has caused.
                self._suspects.append(call)
            elif isinstance(error, WorkersGoneError):
                call.outcome.set_exception(self._gone())
            elif error:
                call.outcome.set_exception(CryosegError(sentence) if sentence else error)
            else:
                call.outcome.set_result(remote.result())
        self._send()


@contextmanager
def cluster_executor(
    cluster: str, workers: int, setup: Callable[[], Any], image: Path, host: Host
) -> Iterator[ClusterExecutor]:
    """Connect to a cluster, prepare its workers, and wait for the first of them.

    All that is not finished is cancelled at the end.

    Parameters
    ----------
    cluster : str
        Address of a running dask scheduler, its scheduler file (``.json``), or a configuration of
        dask-jobqueue, see `job_queue`.
    workers : int
        Number of workers wanted of a batch system.
    setup : callable
        Called once in each worker process, also in those that join later; its result is the first argument
        of all calls. It must be possible to pickle it.
    image : Path
        An image that each worker must see; absolute.
    host : Host
        Gets the warnings, ends the wait, and has the folder for the logs of a queue.

    Raises
    ------
    CryosegError
        If there is no such cluster, or none of its workers can be used.
    """
    require_dask()
    with ExitStack() as stack:
        queue = stack.enter_context(job_queue(cluster, workers, host.directory))
        client = stack.enter_context(connected(cluster, queue))
        executor = ClusterExecutor(client, host, queue, workers)
        stack.callback(executor.end)
        # What is missing here as well is no fault of the workers.
        seen = image if os.access(image, os.R_OK) else None
        client.register_plugin(preparation(executor.name, setup, seen), name=executor.name)
        executor.wait()
        yield executor


def what_died(error: BaseException) -> str | None:
    """Return what became of the workers of a call that failed, or None where the call itself did."""
    from distributed.scheduler import KilledWorker, NoValidWorkerError

    if isinstance(error, KilledWorker):
        return (
            f"each of the {error.allowed_failures + 1} workers that tried it died, at last the one at "
            f"{error.last_worker.address}: give the workers more memory, or leave it out"
        )
    if isinstance(error, NoValidWorkerError):
        return "the cluster had no worker for it: run the job again when there are workers"
    return None
