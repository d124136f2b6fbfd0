"""What a job asks of its workers, wherever they run."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

from cryoseg_ext.errors import CryosegError


class WorkersGoneError(CryosegError):
    """There are no workers any more: the job ends, and goes on when it is run again."""


class Executor(Protocol):
    """Workers, each of which has made its state, such as the model, before its first call."""

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Return the future of ``function(state, *args)`` in a worker.

        Its exception is a `WorkersGoneError`, or what went wrong with this call alone.
        """

    def slots(self) -> int:
        """Return how many calls can run at once, at least 1."""

    def report(self) -> None:
        """Tell the user what has happened to the workers; to be called often while futures are awaited.

        Raises
        ------
        WorkersGoneError
            If there are none any more.
        """
