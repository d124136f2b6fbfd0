"""A progress bar like RELION's own, for the job's ``run.out``."""

from __future__ import annotations

import sys
import time

_WIDTH = 60
_MOUSE = '~~(,_,">'
_CHEESE = "[oo]"


class ProgressBar:
    """The mouse that RELION users know, on standard output.

    Parameters
    ----------
    total : int
        The number of steps.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._start_s = time.monotonic()
        self._draw(0, "000/??? sec")

    def update(self, done: int) -> None:
        """Show that `done` of the steps are done."""
        elapsed_s = time.monotonic() - self._start_s
        expected_s = elapsed_s * self._total / max(done, 1)
        unit, name = (3600, "hrs") if expected_s >= 3600 else (60, "min") if expected_s >= 60 else (1, "sec")
        self._draw(done, f"{elapsed_s / unit:.2f}/{expected_s / unit:.2f} {name}")
        if done == self._total:
            sys.stdout.write("\n")

    def _draw(self, done: int, times: str) -> None:
        steps = _WIDTH * done // max(self._total, 1)
        sys.stdout.write(f"\r{times:>15} {'.' * steps}{_MOUSE}{' ' * (_WIDTH - steps)}{_CHEESE}")
        sys.stdout.flush()
