"""A program that runs cryoseg commands, each in a process of its own that need not import everything again.

It reads a command as a line of JSON, and writes its process id and then its exit code, a line each.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any


def main() -> None:
    # What the commands import when they need it.
    import cryoseg_ext.cryosparc.truth
    import cryoseg_ext.job.contrast
    import cryoseg_ext.job.micrograph
    import cryoseg_ext.training.fine_tune
    import cryoseg_ext.training.labelled  # noqa: F401

    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _run(json.loads(line))
        _write(pid)
        _, status = os.waitpid(pid, 0)
        _write(os.waitstatus_to_exitcode(status))


def _run(command: dict[str, Any]) -> None:
    from cryoseg_ext.cli import main as cryoseg

    # Where the tests run in the background of a shell, Ctrl-C is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.update(command["environment"])
    with open(command["output"], "wb") as output:  # noqa: PTH123 - its descriptor is wanted
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    cryoseg(command["arguments"])


def _write(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
