"""Workers in processes of this machine: one that dies takes no more than its call along."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import forkserver, get_context
from threading import Condition
from typing import TYPE_CHECKING, Any

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.job.executor import WorkersGoneError
from cryoseg_ext.processes import end_with_parent
from cryoseg_ext.words import counted

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_TRIES = 2
"""How often a call is made whose worker dies."""
_PRELOADED = ["cryoseg_ext.pipeline", "cryoseg_ext.job.contrast", "cryoseg_ext.job.micrograph"]
"""What the server of processes imports, once for all workers."""
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class WorkerDiedError(Exception):
    """A worker ended during a call; the message says how."""


class _Worker:
    """A process that makes its state and then answers calls, one after another."""

    def __init__(self, context: Any, setup: Callable[[], Any]) -> None:
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, setup), daemon=True)
        self._process.start()
        theirs.close()
        self._receive()

    def call(self, function: Callable[..., Any], args: Sequence[Any]) -> Any:
        """Return ``function(state, *args)``, or raise what it raises."""
        with suppress(OSError):
            self._pipe.send((function, args))
        return self._receive()

    def kill(self) -> None:
        self._process.kill()

    def _receive(self) -> Any:
        try:
            is_error, answer = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join()
            raise WorkerDiedError(_cause(self._process.exitcode)) from None
        if is_error:
            raise answer
        return answer


class ProcessPool:
    """An executor of processes, see `cryoseg_ext.job.executor.Executor`; they end with the ``with`` block.

    Parameters
    ----------
    setups : Sequence of callable
        Make the state of a worker; the workers take them in turn.
    n : int
        Number of workers.
    warn : callable
        Called with a sentence on workers that cannot start or have died.
    """

    def __init__(self, setups: Sequence[Callable[[], Any]], n: int, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._free = deque(setups[number % len(setups)] for number in range(n))
        self._idle: deque[tuple[_Worker, Callable[[], Any]]] = deque()
        self._all: set[_Worker] = set()
        self._changed = Condition()
        self._n, self._is_open = n, True
        self._news: deque[str] = deque()
        self._failure: Exception | None = None
        # Each thread speaks with one worker at a time.
        self._threads = ThreadPoolExecutor(n, thread_name_prefix="cryoseg-worker")
        self._context = get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOADED)
        with _environment(dict.fromkeys(_ONE_THREAD, "1")):
            forkserver.ensure_running()

    def __enter__(self) -> ProcessPool:
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._is_open = False
            workers = list(self._all)
            self._changed.notify_all()
        # The user who aborts does not wait for the micrographs in hand.
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.kill()
        self._threads.shutdown()

    def slots(self) -> int:
        """Return the number of workers, after `report`."""
        self.report()
        return max(self._n, 1)

    def report(self) -> None:
        """Warn of workers that could not start or have died."""
        while self._news:
            self._warn(self._news.popleft())

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Return the future of ``function(state, *args)``; a call whose worker dies is made once more."""
        return self._threads.submit(self._call, function, args)

    def _call(self, function: Callable[..., Any], args: Sequence[Any]) -> Any:
        for _ in range(_TRIES):
            worker, setup = self._take()
            try:
                answer = worker.call(function, args)
            except WorkerDiedError as died:
                cause = str(died)
                self._give_back(None, setup)
            except BaseException:
                self._give_back(worker, setup)
                raise
            else:
                self._give_back(worker, setup)
                return answer
        raise CryosegError(
            f"the process that picked it {cause}, two times: give the job more memory or fewer workers "
            "(--j), or leave it out"
        )

    def _take(self) -> tuple[_Worker, Callable[[], Any]]:
        """Return a worker that waits, or a new one."""
        while True:
            with self._changed:
                while self._is_open and not self._idle and not self._free:
                    if self._n == 0:
                        raise WorkersGoneError(str(self._failure)) from self._failure
                    self._changed.wait()
                if not self._is_open:
                    raise WorkersGoneError("the job has ended")
                if self._idle:
                    return self._idle.popleft()
                setup = self._free.popleft()
            if worker := self._start(setup):
                return worker, setup

    def _start(self, setup: Callable[[], Any]) -> _Worker | None:
        """Return a new worker; one that cannot start is not tried again."""
        try:
            worker = self._started(setup)
        except (CryosegError, OSError) as error:
            with self._changed:
                self._n -= 1
                self._failure = error
                if self._n:
                    going_on = f"going on with {counted(self._n, 'worker')}"
                    self._news.append(f"a worker cannot start ({error}): {going_on}")
                self._changed.notify_all()
            return None
        with self._changed:
            self._all.add(worker)
            if not self._is_open:
                worker.kill()
        return worker

    def _started(self, setup: Callable[[], Any]) -> _Worker:
        for _ in range(_TRIES):
            try:
                return _Worker(self._context, setup)
            except WorkerDiedError as died:  # noqa: PERF203 - starting a process takes longer
                cause = str(died)
        raise CryosegError(f"its process {cause}, two times: give the job more memory or fewer workers (--j)")

    def _give_back(self, worker: _Worker | None, setup: Callable[[], Any]) -> None:
        with self._changed:
            if worker:
                self._idle.append((worker, setup))
            else:
                self._free.append(setup)
            self._changed.notify()


def _cause(exit_code: int | None) -> str:
    if exit_code == -signal.SIGKILL:
        return "was killed (out of memory?)"
    if exit_code is not None and exit_code < 0:
        return f"was ended by signal {-exit_code}"
    return f"ended (exit code {exit_code})"


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set variables of the environment for the server of processes that starts meanwhile."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _serve(pipe: Connection, setup: Callable[[], Any]) -> None:
    """Run a worker: make the state, and answer calls."""
    # Ctrl-C reaches every process: only the main one acts on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(os.getppid())
    try:
        state = setup()
    except CryosegError as error:
        pipe.send((True, error))
        return
    except Exception as error:
        # Such as a GPU whose memory is full.
        pipe.send((True, CryosegError(f"{type(error).__name__}: {error}"[:300])))
        return
    pipe.send((False, None))
    with suppress(EOFError):
        while True:
            function, args = pipe.recv()
            try:
                answer = False, function(state, *args)
            except Exception as error:
                answer = True, error
            pipe.send(answer)
