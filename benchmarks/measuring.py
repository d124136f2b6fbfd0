"""Wall time and memory of a command with all its processes, for the benchmarks."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_POLL_S = 0.05


def seconds_of(command: Sequence[str], folder: Path) -> float:
    """Return the wall seconds of a command."""
    start = time.perf_counter()
    process = _started(command, folder)
    _, told = process.communicate()
    return _checked(command, process, told, time.perf_counter() - start)


def peak_memory_of(command: Sequence[str], folder: Path) -> float:
    """Return the largest memory of all processes of a command together in GB; looking at it slows it down."""
    process = _started(command, folder)
    peaks = [0.0]

    def watch() -> None:
        while process.poll() is None:
            peaks[0] = max(peaks[0], memory_of(process.pid))
            time.sleep(_POLL_S)

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, told = process.communicate()
    watcher.join()
    return _checked(command, process, told, peaks[0])


def _started(command: Sequence[str], folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _checked(command: Sequence[str], process: subprocess.Popen[bytes], told: bytes, measured: float) -> float:
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: {told.decode()[-500:]}")
    return measured


def memory_of(parent: int) -> float:
    """Return the memory of a process and all below it in GB; each shared page counts once."""
    total = 0.0
    for process in family(parent):
        with suppress(OSError, StopIteration):
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 2**20
    return total


def family(parent: int) -> list[int]:
    """Return a process and all below it."""
    parents: dict[int, list[int]] = defaultdict(list)
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            with suppress(OSError):
                values = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
                parents[int(values[1])].append(int(entry.name))
    found = [parent]
    for process in found:
        found += parents[process]
    return found
