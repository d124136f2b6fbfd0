"""What the workers of `test_pool` do: it must be importable in other processes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from cryoseg_ext.errors import CryosegError


def state(value: str = "state") -> str:
    return value


def fail(marker: Path | None = None) -> str:
    if marker is None or not first(marker):
        raise CryosegError("the GPU is full")
    return "state"


def first(marker: Path) -> bool:
    """Return whether this is the first process that asks."""
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def answer(state: str, number: int) -> tuple[str, int, int]:
    return state, number, os.getpid()


def die(_: str, marker: Path | None = None) -> int:
    if marker is None or first(marker):
        os.kill(os.getpid(), signal.SIGKILL)
    return 7


def be_wrong(_: str) -> None:
    raise ValueError("wrong")


def sleep(_: str, seconds: float) -> None:
    time.sleep(seconds)
