"""Batches from worker processes that end with this process, and without a word of their own."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.processes import end_with_parent

_OF_THE_DATA = "Caught "
"""Beginning of an error that the data set raised in a worker; others mean that the worker has ended."""


def load_batches(fields: Dataset[Any], batch: int, workers: int) -> Iterator[tuple[Tensor, ...]]:
    """Return the batches of a data set in its order.

    Parameters
    ----------
    fields : Dataset
        Images, labels and centre maps.
    batch : int
        Fields of a batch.
    workers : int
        Processes that prepare them; with 0 this one does.

    Raises
    ------
    CryosegError
        If a worker has ended.
    """
    start = partial(_start, os.getpid())
    loader = DataLoader(fields, batch_size=batch, num_workers=workers, worker_init_fn=start)
    on_child = signal.getsignal(signal.SIGCHLD)
    batches = iter(loader)
    # Torch's handler would raise in the midst of what this process does when a signal ends them all. Without
    # it a dead worker is noticed when its next batch is waited for.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGCHLD, on_child)
    return _watched(batches) if workers else batches


def _watched(batches: Iterator[tuple[Tensor, ...]]) -> Iterator[tuple[Tensor, ...]]:
    try:
        yield from batches
    except (RuntimeError, ConnectionError, EOFError, FileNotFoundError) as error:
        if str(error).startswith(_OF_THE_DATA):
            raise
        raise CryosegError(
            "a process that prepares fields was ended, perhaps for lack of memory: run the command again "
            "with fewer --workers, and it goes on from the last epoch"
        ) from error


def _start(parent: int, worker: int) -> None:  # noqa: ARG001 - torch's form
    # Ctrl-C and a queue's signals reach every process of the group: only the main one answers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    end_with_parent(parent)
