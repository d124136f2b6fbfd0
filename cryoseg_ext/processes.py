"""Threads and memory of this process, and work in other processes that ends in order after Ctrl-C."""

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
"""Numbers of two parameters of glibc's `mallopt`."""


def use_threads(n: int) -> None:
    """Let torch compute on `n` threads, and let this process keep the memory that it frees.

    By default glibc returns every large array to the system, which then clears the pages of the next one: a
    large part of the time of inference.
    """
    import torch

    torch.set_num_threads(n)
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
    # Ctrl-C reaches every process: the workers finish their item, and the main process starts nothing new.
    # A worker must get here before any long import, so this module has none at its top.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    use_threads(1)
