"""Work spread over processes, none of which is torn down in the middle of it by Ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


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
    import torch

    torch.set_num_threads(1)
