"""How far work is as RELION shows it: a title and a bar, in the job's ``run.out``."""

from __future__ import annotations

import sys
import time

from relion_wrapper.job import RelionJob, say

_WIDTH = 60
_MOUSE = '~~(,_,">'
_CHEESE = "[oo]"
_INTERVAL_S = 1.0
"""Least time between two drawings of a bar, each of which makes ``run.out`` longer."""


class RelionProgress:
    """A display of the work of a RELION job; it stops the work when the Abort button was pressed.

    Parameters
    ----------
    job : RelionJob
        The running job.
    """

    def __init__(self, job: RelionJob) -> None:
        self._job = job
        self._what, self._done = "", 0
        self._bar: ProgressBar | None = None

    def __call__(self, what: str, done: int, total: int, note: str) -> None:  # noqa: ARG002 - a display's form
        """Move the mouse on."""
        self._job.stop_if_aborted()
        bar = self._bar
        if bar is None or what != self._what or done < self._done:
            self.break_line()
            say(f"{what} ...")
            bar = self._bar = ProgressBar(total, done)
        self._what, self._done, bar.total = what, done, total
        bar.update(done)
        if done == total:
            self._bar = None

    def break_line(self) -> None:
        """Leave the line of a bar, so that something else can be written; the work has a new bar then."""
        if self._bar is not None:
            sys.stdout.write("\n")
            self._bar = None


class ProgressBar:
    """The mouse that RELION users know, on standard output.

    Parameters
    ----------
    total : int
        The number of steps.
    first : int
        How many of them were done before.
    """

    def __init__(self, total: int, first: int = 0) -> None:
        self.total, self._first = total, first
        self._start_s = self._drawn_s = time.monotonic()
        self._draw(first, "000/??? sec")

    def update(self, done: int) -> None:
        """Show that `done` of the steps are done."""
        now_s = time.monotonic()
        if done < self.total and now_s - self._drawn_s < _INTERVAL_S:
            return
        self._drawn_s, elapsed_s = now_s, now_s - self._start_s
        expected_s = elapsed_s * (self.total - self._first) / max(done - self._first, 1)
        unit, name = (3600, "hrs") if expected_s >= 3600 else (60, "min") if expected_s >= 60 else (1, "sec")
        self._draw(done, f"{elapsed_s / unit:.2f}/{expected_s / unit:.2f} {name}")
        if done == self.total:
            sys.stdout.write("\n")

    def _draw(self, done: int, times: str) -> None:
        steps = _WIDTH * done // max(self.total, 1)
        sys.stdout.write(f"\r{times:>15} {'.' * steps}{_MOUSE}{' ' * (_WIDTH - steps)}{_CHEESE}")
        sys.stdout.flush()
