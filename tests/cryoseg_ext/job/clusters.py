"""Small clusters of dask on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from cryoseg_ext.job.host import Host

# A call is tried on two workers, in place of four.
SETTINGS = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}


class Cluster:
    """A dask scheduler and workers of one thread, each in a process of its own."""

    def __init__(self, folder: Path, workers: int) -> None:
        self.file, self._folder = folder / "scheduler.json", folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self._start("dask_scheduler", "--host", "127.0.0.1", "--port", "0")
        while not self.file.exists() or not self.file.read_text().endswith("}"):
            time.sleep(0.02)
        if workers:
            self.add(workers)

    def add(self, workers: int) -> None:
        self._start("dask_worker", "--nworkers", str(workers), "--nthreads", "1")

    def _start(self, program: str, *arguments: str) -> None:
        command = [sys.executable, "-m", f"distributed.cli.{program}", *arguments]
        with (self._folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [*command, "--no-dashboard", "--scheduler-file", str(self.file)],
                cwd=self._folder, env=os.environ | SETTINGS, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self._processes.append(process)

    def kill_worker(self) -> None:
        """Kill a worker; its nanny starts another one."""
        found = subprocess.run(
            ["pgrep", "-P", str(self._processes[-1].pid), "-f", "spawn_main"], check=True, capture_output=True
        )
        os.kill(int(found.stdout.split()[0]), signal.SIGKILL)

    def kill_scheduler(self) -> None:
        self._processes[0].kill()

    def kill(self) -> None:
        for process in self._processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class Listener(Host):
    """A host that keeps what it is told, and ends the job after a time."""

    def __init__(self, directory: Path, patience_s: float = 60.0) -> None:
        super().__init__(directory)
        self.warnings: list[str] = []
        self._end = time.monotonic() + patience_s

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def check(self) -> None:
        if time.monotonic() > self._end:
            raise KeyboardInterrupt
