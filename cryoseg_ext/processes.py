"""Threads and memory of this process, and work in other processes that ends in order after Ctrl-C."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
"""Numbers of two parameters of glibc's `mallopt`."""
_PR_SET_PDEATHSIG = 1
"""Number of an option of Linux's `prctl`."""
_PARENT_INTERVAL_S = 1.0


def _to_stderr(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")


def at_most_cores(n: int, warn: Callable[[str], None] = _to_stderr) -> int:
    """Return a number of threads or processes, of which no more make sense than this process has processors.

    Parameters
    ----------
    n : int
        What the user wants.
    warn : callable
        Called with a sentence where there are fewer.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if n > cores:
        warn(f"--j {n} is more than the processors that this job has: using {cores}")
    return min(n, cores)


def as_many_as_fit(n: int, bytes_each: float, warn: Callable[[str], None] = _to_stderr) -> int:
    """Return a number of processes, no more than there are processors, nor than fit into the memory.

    Parameters
    ----------
    n : int
        What the user wants.
    bytes_each : float
        Memory of each.
    warn : callable
        Called with a sentence where there are fewer.
    """
    n = at_most_cores(n, warn)
    if (free := free_bytes()) is not None and free < n * bytes_each:
        fitting = max(1, int(free / bytes_each))
        warn(
            f"{n} processes need about {n * bytes_each / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are "
            f"free: using {fitting}"
        )
        return fitting
    return n


def free_bytes() -> float | None:
    """Return the free memory of this machine or of the control group of this process; None if not known."""
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = 1024.0 * int(next(line.split()[1] for line in lines if line.startswith("MemAvailable")))
        group = Path("/sys/fs/cgroup") / Path("/proc/self/cgroup").read_text().strip().partition("::/")[2]
        with suppress(OSError, ValueError, KeyError):
            limit, used = (int((group / f"memory.{name}").read_text()) for name in ("max", "current"))
            # Pages of files that were read count as used, and are given up when memory is short.
            stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
            return min(free, max(limit - used + int(stat["inactive_file"]), 0))
        return free
    return None


def use_threads(n: int, warn: Callable[[str], None] = _to_stderr) -> None:
    """Let torch compute on `n` threads, and let this process keep the memory that it frees.

    By default glibc returns every large array to the system, which then clears the pages of the next one: a
    large part of the time of inference.

    Parameters
    ----------
    n : int
        What the user wants; more than there are processors are not used.
    warn : callable
        Called with a sentence where there are fewer.
    """
    import torch

    torch.set_num_threads(at_most_cores(n, warn))
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def in_processes(function: Callable[[Item], Result], items: Sequence[Item], workers: int) -> Iterator[Result]:
    """Yield ``function(item)`` for each item, in the order in which the results are ready.

    Parameters
    ----------
    function : callable
        Function of one item that can be pickled, such as a function of a module or a partial of one.
    items : Sequence
        Arguments of the calls.
    workers : int
        Number of processes; with 1 everything runs in this one.
    """
    workers = min(at_most_cores(workers), len(items))
    if workers <= 1:
        yield from map(function, items)
        return
    # Forked processes would inherit torch's locks.
    pool = ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_start, initargs=(os.getpid(),)
    )
    try:
        for future in as_completed([pool.submit(function, item) for item in items]):
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def end_with_parent(parent: int) -> None:
    """Let this process end within seconds when its parent has ended, killed or not.

    Parameters
    ----------
    parent : int
        The number of the parent process.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # Another system has no such call, and the parent may have ended before it.
    threading.Thread(target=_watch_parent, args=(parent,), daemon=True).start()


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_PARENT_INTERVAL_S)
    os.kill(os.getpid(), signal.SIGKILL)


def _start(parent: int) -> None:
    # Ctrl-C reaches every process: the workers finish their item, and the main process starts nothing new.
    # A worker must get here before any long import, so this module has none at its top.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(parent)
    use_threads(1)
