"""How far long work is: the work tells it, and whoever started the work decides how it is shown.

The work calls `tracked` or `tell`, and by default nobody listens. A command or a host lets a display listen
with `showing`.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from tqdm import tqdm

Item = TypeVar("Item")

Progress = Callable[[str, int, int, str], None]
"""Shows how far work is: what it is, the steps that are done, the number of steps, and a note such as a loss.

It may raise an exception to stop the work.
"""

SHORT_S = 2.0
"""What takes less time need not be shown."""
LOG_INTERVAL_S = 10.0
"""Least time between two lines of a log."""
_LOG_SHARE = 0.1
"""The time between two lines of a log as a share of the time that the work has taken, so that a log of many
hours stays short."""
_BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"


def silent(*_: object) -> None:
    """Show nothing."""


_display: ContextVar[Progress] = ContextVar("display", default=silent)


@contextmanager
def showing(display: Progress) -> Iterator[None]:
    """Let a display show the work of the body, in place of the one outside."""
    before = _display.set(display)
    try:
        yield
    finally:
        _display.reset(before)


def tell(what: str, done: int, total: int, note: str = "") -> None:
    """Tell how far work is.

    Parameters
    ----------
    what : str
        What is done, the same words for all steps.
    done, total : int
        How many steps are done, and of how many; to begin with 0, or those that an earlier run has done.
    note : str
        What else is known at this step.
    """
    _display.get()(what, done, total, note)


def tracked(items: Sequence[Item], what: str, *, quick: bool = False) -> Iterator[Item]:
    """Yield items, and tell how many the caller is done with.

    Parameters
    ----------
    items : Sequence
        What the caller works on, one after another.
    what : str
        What the caller does.
    quick : bool
        Whether an item takes so little that all of them may be done before anybody wants to know.
    """
    start_s = time.monotonic()
    if items and not quick:
        tell(what, 0, len(items))
    for done, item in enumerate(items, start=1):
        yield item
        if not quick or time.monotonic() - start_s >= SHORT_S:
            tell(what, done, len(items))


class Lines:
    """A display of single lines, of which there are few.

    Parameters
    ----------
    write : callable
        Takes a line.
    interval_s : float
        Least time from one line to the next; the last step of work is shown whenever it comes.
    short_s : float
        Of work that takes no longer, only the beginning is shown.
    """

    def __init__(self, write: Callable[[str], None], interval_s: float, short_s: float = SHORT_S) -> None:
        self._write, self._interval_s, self._short_s = write, interval_s, short_s
        self._what, self._first, self._done = "", 0, 0
        self._start_s = self._due_s = 0.0
        self._is_over = False

    def __call__(self, what: str, done: int, total: int, note: str) -> None:
        """Write a line if it is time."""
        now_s = time.monotonic()
        if what != self._what or done < self._done or self._is_over:
            self._what, self._first, self._start_s, self._due_s = what, done, now_s, now_s
        self._done, self._is_over = done, done == total
        took_s = now_s - self._start_s
        if now_s < self._due_s and not (self._is_over and took_s >= self._short_s):
            return
        # The beginning does not put off the first step for long.
        is_first = done == self._first
        self._due_s = now_s + (self._short_s if is_first else max(self._interval_s, _LOG_SHARE * took_s))
        self._write(", ".join(filter(None, (f"{what}: {done} of {total}", note, self._times(took_s, total)))))

    def _times(self, took_s: float, total: int) -> str:
        left, steps = total - self._done, self._done - self._first
        if not left:
            return f"in {duration(took_s)}"
        return f"{duration(took_s * left / steps)} left" if steps else ""


class Terminal:
    """A display on standard error: a bar on a terminal, lines in a file."""

    def __init__(self) -> None:
        self._has_bars = sys.stderr.isatty()
        self._lines = Lines(lambda line: write(line, err=True), LOG_INTERVAL_S)
        self._bar: tqdm[Any] | None = None
        self._start_s = 0.0

    def __call__(self, what: str, done: int, total: int, note: str) -> None:
        """Move the bar, or write a line if it is time."""
        if not self._has_bars:
            self._lines(what, done, total, note)
            return
        bar = self._bar
        if bar is None or bar.desc != what or done < bar.n:
            bar = self._new_bar(what, done, total)
        bar.total = total
        bar.set_postfix_str(note, refresh=bool(note) and done == bar.n)
        bar.update(done - bar.n)
        if done == total:
            self.close()

    def _new_bar(self, what: str, done: int, total: int) -> tqdm[Any]:
        # Not before it is needed: it takes as long to import as a small file to convert.
        import tqdm

        self.close()
        self._start_s = time.monotonic()
        bar: tqdm.tqdm[Any] = tqdm.tqdm(
            desc=what,
            initial=done,
            total=total,
            bar_format=_BAR,
            # The terminal of a container may have 0 columns, with which tqdm shows nothing.
            ncols=shutil.get_terminal_size().columns,
            miniters=1,
            smoothing=0.05,
        )
        self._bar = bar
        return bar

    def close(self) -> None:
        """Leave the line of the bar, which stays only if the work took its time."""
        if self._bar is not None:
            self._bar.leave = time.monotonic() - self._start_s >= SHORT_S
            self._bar.close()
            self._bar = None


@contextmanager
def on_terminal() -> Iterator[None]:
    """Show the work of the body on standard error."""
    terminal = Terminal()
    try:
        with showing(terminal):
            yield
    finally:
        terminal.close()


def write(line: str, *, err: bool = False) -> None:
    """Write a line to standard output or standard error, above a bar that is shown.

    Parameters
    ----------
    line : str
        The line.
    err : bool
        Whether it goes to standard error.
    """
    file = sys.stderr if err else sys.stdout
    # A bar can only be there when the package is.
    if "tqdm" in sys.modules:
        sys.modules["tqdm"].tqdm.write(line, file=file)
    else:
        file.write(f"{line}\n")
    file.flush()


def duration(seconds: float) -> str:
    """Return a time in words: "8 s", "12 min", "3 h 5 min"."""
    minutes = round(seconds / 60)
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
