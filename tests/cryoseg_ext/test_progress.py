"""How far work is, on a terminal, in a file, and for whoever else listens."""

from __future__ import annotations

import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from fcntl import ioctl
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoseg_ext.progress import (
    LOG_INTERVAL_S,
    SHORT_S,
    Lines,
    duration,
    on_terminal,
    showing,
    silent,
    tell,
    tracked,
    write,
)
from tests.told import Told

SIMULATE = ("simulate", "--n", "3", "--size", "384", "384", "--pixel_size", "4", "--out", "session")
COMMAND = Path(sys.executable).with_name("cryoseg")


class Clock:
    """A clock that goes on when it is told to."""

    now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("cryoseg_ext.progress.time", clock)
    return clock


def _on_pty(folder: Path, *arguments: str) -> str:
    """Return what a command shows on a terminal that is 80 columns wide."""
    ours, its = pty.openpty()
    ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen([COMMAND, *arguments], cwd=folder, stdout=its, stderr=its)
    os.close(its)
    shown = b"".join(_read(ours))
    os.close(ours)
    assert process.wait() == 0, shown
    return shown.decode()


def _read(terminal: int) -> Iterator[bytes]:
    # At the end of the program Linux raises an error, macOS gives nothing.
    try:
        while some := os.read(terminal, 4096):
            yield some
    except OSError:
        return


def test_a_terminal_shows_a_bar_with_the_time_left(tmp_path: Path) -> None:
    frames = re.split(r"[\r\n]+", _on_pty(tmp_path, *SIMULATE))
    bars = [
        re.fullmatch(r"Simulating micrographs: +(\d+)%\|.*\| (\d)/3 \[\d\d:\d\d<.+\] *", one)
        for one in frames
    ]
    shown = [int(bar[2]) for bar in bars if bar]
    assert shown[0] == 0
    assert shown == sorted(shown)
    assert len(set(shown)) > 1
    # The sentences of the command stand on lines of their own.
    assert "Micrographs and truth are in session: micrographs.star, particles.star" in frames


def test_a_file_gets_few_lines_and_no_carriage_return(tmp_path: Path) -> None:
    done = subprocess.run([COMMAND, *SIMULATE], cwd=tmp_path, capture_output=True, check=True)
    assert b"\r" not in done.stderr
    lines = done.stderr.decode().splitlines()
    assert lines[0] == "Simulating micrographs: 0 of 3"
    assert all(
        re.fullmatch(r"Simulating micrographs: \d of 3, (\d+ s left|in \d+ s)", one) for one in lines[1:]
    )
    assert len(lines) <= 4


def test_text_stays_whole_beside_a_bar(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    @on_terminal()
    def work() -> None:
        for number in tracked(range(3), "Working"):
            write(f"number {number}")
            if number == 1:
                raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        work()
    sys.stderr.write("Error: broken\n")
    printed = capfd.readouterr()
    assert printed.out == "number 0\nnumber 1\n"
    # What is written last has its own line, and work that was over at once leaves no bar behind.
    assert printed.err.split("\r")[-1] == "Error: broken\n"
    assert printed.err.count("Working:   0%") >= 2


def test_nobody_is_told_by_default_and_the_display_within_counts() -> None:
    outer, inner = Told(), Told()
    tell("Nobody hears", 0, 1)
    with showing(outer):
        for _ in tracked("ab", "Outer"):
            with showing(silent):
                tell("Nobody hears", 0, 1)
        with showing(inner):
            tell("Inner", 1, 2, "a note")
        list(tracked("", "Nothing"))
        list(tracked("cd", "Quick", quick=True))
    assert outer.calls == [("Outer", 0, 2, ""), ("Outer", 1, 2, ""), ("Outer", 2, 2, "")]
    assert inner.calls == [("Inner", 1, 2, "a note")]


def test_quick_work_is_told_of_when_it_turns_out_to_be_long(clock: Clock) -> None:
    with showing(told := Told()):
        for _ in tracked(range(100), "Quick", quick=True):
            clock.now_s += 0.5
    assert told.steps("Quick") == list(range(4, 101))


@given(step_s=st.floats(0.001, 3600), total=st.integers(1, 2000))
def test_lines_are_few_and_no_long_work_is_without(step_s: float, total: int) -> None:
    """However long the work takes, there is a line at its beginning, its end and in between."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("cryoseg_ext.progress.time", clock := Clock())
        written: list[str] = []
        times_s: list[float] = []

        def keep(line: str) -> None:
            written.append(line)
            times_s.append(clock.now_s)

        lines = Lines(keep, LOG_INTERVAL_S)
        for done in range(total + 1):
            lines("Working", done, total, "")
            clock.now_s += step_s
    took_s = step_s * total
    assert written[0] == f"Working: 0 of {total}"
    assert written[-1].startswith(f"Working: {total} of {total}, in ") == (took_s >= SHORT_S)
    assert len(written) <= 100
    # Between the first lines and the last one.
    gaps_s = [after - before for before, after in pairwise(times_s[1:-1])]
    assert all(LOG_INTERVAL_S - 1e-6 <= gap <= max(10, 0.1 * took_s) + step_s + 1e-6 for gap in gaps_s)


def test_a_line_tells_the_time_that_is_left_from_the_steps_of_this_run(clock: Clock) -> None:
    written: list[str] = []
    lines = Lines(written.append, 10.0)
    for done in (500, 600, 1000):
        lines("Training", done, 1000, "loss 0.5")
        clock.now_s += 30
    # The same work again is another one.
    lines("Training", 0, 1000, "")
    assert written == [
        "Training: 500 of 1000, loss 0.5",
        "Training: 600 of 1000, loss 0.5, 2 min left",
        "Training: 1000 of 1000, loss 0.5, in 60 s",
        "Training: 0 of 1000",
    ]


def test_times_are_said_in_words() -> None:
    seconds = (0.4, 99, 100, 5940, 6000, 86400)
    assert list(map(duration, seconds)) == ["0 s", "99 s", "2 min", "99 min", "1 h 40 min", "24 h 0 min"]
