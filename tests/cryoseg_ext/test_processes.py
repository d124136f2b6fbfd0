"""How a process computes."""

import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cryoseg_ext import processes
from cryoseg_ext.processes import as_many_as_fit, at_most_cores, free_bytes

_SECOND_ARRAY = """
from resource import RUSAGE_SELF, getrusage
import numpy as np
from cryoseg_ext.processes import use_threads
use_threads(1)
np.ones(10**7)
before = getrusage(RUSAGE_SELF).ru_minflt
np.ones(10**7)
print(getrusage(RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is asked to keep memory")
def test_the_memory_of_a_large_array_is_used_again() -> None:
    run = subprocess.run([sys.executable, "-c", _SECOND_ARRAY], check=True, capture_output=True, text=True)
    # The array has 20,000 pages.
    assert int(run.stdout) < 200


_WORKERS = """
import os, sys, time
from cryoseg_ext.processes import in_processes
def work(item):
    os.write(1, b"%d\\n" % os.getpid())
    time.sleep(30)
if __name__ == "__main__":
    list(in_processes(work, [1, 2, 3], 2))
"""


@pytest.mark.skipif(at_most_cores(2) < 2, reason="one processor has no workers")
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_workers_end_with_their_parent(tmp_path: Path, ending: signal.Signals) -> None:
    program = tmp_path / "program.py"
    program.write_text(_WORKERS)
    with subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        workers = [int(parent.stdout.readline()) for _ in range(2)]
        parent.send_signal(ending)
        parent.wait()
        deadline_s = time.monotonic() + 5
        while any(_runs(worker) for worker in workers):
            assert time.monotonic() < deadline_s
            time.sleep(0.05)


def _runs(process: int) -> bool:
    try:
        # One that has ended may wait for somebody who asks for its exit code.
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_no_more_threads_are_used_than_there_are_processors() -> None:
    told: list[str] = []
    cores = len(os.sched_getaffinity(0))
    assert at_most_cores(cores, told.append) == cores
    assert told == []
    assert at_most_cores(cores + 7, told.append) == cores
    assert told == [f"--j {cores + 7} is more than the processors that this job has: using {cores}"]


def test_no_more_processes_are_used_than_fit_into_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    free = free_bytes()
    assert free is None or 1e6 < free < 1e14
    monkeypatch.setattr(processes, "at_most_cores", lambda n, _: n)
    monkeypatch.setattr(processes, "free_bytes", lambda: 2.5e9)
    told: list[str] = []
    assert as_many_as_fit(2, 1e9, told.append) == 2
    assert told == []
    assert as_many_as_fit(8, 1e9, told.append) == 2
    assert as_many_as_fit(8, 3e9, told.append) == 1
    assert told[0] == "8 processes need about 8.0 GB of memory, and 2.5 GB are free: using 2"
    monkeypatch.setattr(processes, "free_bytes", lambda: None)
    assert as_many_as_fit(8, 3e9, told.append) == 8
