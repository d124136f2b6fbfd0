"""Threads and memory of this process, and work spread over others that Ctrl-C does not tear down."""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
"""Parameters of glibc's `mallopt`."""


def use_threads(n: int) -> None:
    """Let torch compute on `n` threads, and this process keep the memory that it frees.

    Without that glibc gives every large array back to the system, which has to clear the pages of the next
    one: a quarter of the time of a network over a micrograph.
    """
    import torch

    torch.set_num_threads(n)
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def in_processes(function: Callable[[Item], Result], items: Sequence[Item], workers: int) -> Iterator[Result]:
    """Yield ``function(item)`` for each item, in the order in which they are ready.

    Parameters
    ----------
    function : callable
        Can be pickled, as a function of a module or a partial of one.
    items : Sequence
        What it is called with, one by one.
    workers : int
        Processes; with 1, all is done in this one.
    """
    if workers == 1 or len(items) < 2:
        yield from map(function, items)
        return
    # Forked processes would inherit torch's locks.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start)
    try:
        for future in as_completed([pool.submit(function, item) for item in items]):
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _start() -> None:
    # Ctrl-C reaches every process: the workers finish what they are at, and the main one starts nothing new.
    # This stands before any long import, and is the reason for a module without one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    use_threads(1)
