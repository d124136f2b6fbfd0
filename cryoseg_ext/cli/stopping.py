"""A training that a signal stops says so in one sentence."""

from __future__ import annotations

import functools
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import ParamSpec

from cryoseg_ext.errors import CryosegError

_Parameters = ParamSpec("_Parameters")


class _Stopped(BaseException):
    """A signal ended the command; not an `Exception`, so that nothing in between goes on."""


def stoppable(command: Callable[_Parameters, None]) -> Callable[_Parameters, None]:
    """Let SIGTERM and SIGHUP end a training with a sentence that says how to go on."""

    @functools.wraps(command)
    def wrapped(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> None:
        in_main_thread = threading.current_thread() is threading.main_thread()
        # `nohup` ignores SIGHUP, and that stays so.
        handled = [
            number
            for number in (signal.SIGTERM, signal.SIGHUP)
            if in_main_thread and signal.getsignal(number) is signal.SIG_DFL
        ]
        for number in handled:
            signal.signal(number, _raise_stopped)
        try:
            command(*args, **kwargs)
        except _Stopped as stopped:
            raise CryosegError(
                f"the training was stopped by {stopped} (a queue's time limit?): run the same command again, "
                "and it goes on from the last epoch"
            ) from None
        finally:
            for number in handled:
                signal.signal(number, signal.SIG_DFL)

    return wrapped


def _raise_stopped(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a handler's form
    raise _Stopped(signal.Signals(number).name)
