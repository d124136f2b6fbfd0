"""Import all modules of packages with what macOS lacks taken away, and print those that cannot be imported.

python tests/as_on_macos.py cryoseg_ext relion_wrapper
"""

from __future__ import annotations

import ctypes
import fcntl
import importlib
import os
import pkgutil
import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any

ONLY_LINUX = {
    fcntl: ("F_ADD_SEALS", "F_GETPIPE", "F_NOTIFY", "F_SETPIPE"),
    os: (
        *(
            "CLONE_",
            "GRND_",
            "MFD_",
            "O_DIRECT",
            "O_LARGEFILE",
            "O_PATH",
            "O_TMPFILE",
            "P_PIDFD",
            "POSIX_FADV",
        ),
        *("SCHED_BATCH", "SCHED_IDLE", "SPLICE_", "copy_file_range", "eventfd", "fdatasync", "getrandom"),
        *("getresgid", "getresuid", "getxattr", "listxattr", "memfd", "pidfd", "pipe2", "posix_fadvise"),
        *("posix_fallocate", "removexattr", "sched_get", "sched_param", "sched_rr", "sched_set", "setns"),
        *("setresgid", "setresuid", "setxattr", "splice", "unshare"),
    ),
    resource: (
        "RLIMIT_MSGQUEUE",
        "RLIMIT_NICE",
        "RLIMIT_RT",
        "RLIMIT_SIGPENDING",
        "RUSAGE_THREAD",
        "prlimit",
    ),
    select: ("EPOLL", "epoll"),
    signal: ("SIGCLD", "SIGPOLL", "SIGPWR", "SIGRT", "SIGSTKFLT", "sigtimedwait", "sigwaitinfo"),
    socket: ("AF_ALG", "AF_NETLINK", "AF_PACKET", "AF_VSOCK", "SOCK_CLOEXEC", "SOCK_NONBLOCK"),
    time: ("CLOCK_BOOTTIME", "CLOCK_TAI"),
}
"""Beginnings of the names that these modules have on Linux only."""
ONLY_LINUX_FILES = ("/dev/shm", "/proc", "/sys/")


def _modules(packages: list[str]) -> Iterator[str]:
    for package in packages:
        yield package
        for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            # It runs the program.
            if not found.name.endswith(".__main__"):
                yield found.name


def _take_away() -> None:
    sys.platform = "darwin"
    for module, beginnings in ONLY_LINUX.items():
        for name in [one for one in vars(module) if one.startswith(beginnings)]:
            delattr(module, name)
    ctypes.CDLL = _no_library  # type: ignore[assignment, misc]
    sys.addaudithook(_no_file)


def _no_library(name: object = None, *_: Any, **__: Any) -> None:
    raise OSError(f"the library {name or 'of the process'} is another one on macOS")


def _no_file(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and str(arguments[0]).startswith(ONLY_LINUX_FILES):
        raise FileNotFoundError(f"macOS has no {arguments[0]}")


def main(packages: list[str]) -> int:
    """Return the exit code."""
    # The packages of others stay imported, and they are those of this machine.
    names = list(_modules(packages))
    for name in names:
        importlib.import_module(name)
    for name in [one for one in sys.modules if one.partition(".")[0] in packages]:
        del sys.modules[name]
    _take_away()
    failed = False
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: PERF203 - an import takes longer
            failed = True
            sys.stdout.write(f"{name}: {type(error).__name__}: {error}\n")
    sys.stdout.write(f"{len(names)} modules\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
