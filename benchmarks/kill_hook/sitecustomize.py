"""Kills a command, or all of its processes, before a file operation; see kills.py.

Python loads it from PYTHONPATH. What is counted is what changes a folder: opening for writing, renaming,
removing and making folders, by whichever of the processes.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

_OPERATIONS = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_FOLDER = os.environ.get("KILLS_FOLDER", "")
_COUNTER = os.environ.get("KILLS_COUNTER", "")
_AT = int(os.environ.get("KILLS_AT", "0"))
_WHOM = os.environ.get("KILLS_WHOM", "group")


def _before(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open":
        path, _, flags = arguments
        if not flags & _WRITING:
            return
    elif event in _OPERATIONS:
        path = arguments[0]
    else:
        return
    if isinstance(path, (str, bytes, os.PathLike)) and _is_in_folder(os.fsdecode(path), arguments):
        counter = os.open(_COUNTER, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(counter, b".")
        number = os.lseek(counter, 0, os.SEEK_CUR)
        os.close(counter)
        if number == _AT:
            # The leader of the group is the command itself, whichever of its processes comes here.
            (os.killpg if _WHOM == "group" else os.kill)(os.getpgrp(), signal.SIGKILL)


def _is_in_folder(path: str, arguments: tuple[Any, ...]) -> bool:
    # `shutil.rmtree` names files by their folder's descriptor, which comes last.
    descriptor = arguments[-1]
    if not os.path.isabs(path) and type(descriptor) is int and descriptor > 2 and len(arguments) == 2:  # noqa: PTH117
        path = os.path.join(os.readlink(f"/proc/self/fd/{descriptor}"), path)  # noqa: PTH115, PTH118
    return f"{os.path.realpath(path)}/".startswith(f"{_FOLDER}/")


if _FOLDER:
    sys.addaudithook(_before)
