"""The installed commands answer at once, and the README tells their options."""

from __future__ import annotations

import re
import subprocess
import sysconfig
import time
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.parametrize("command", ["cryoseg", "cryoseg-relion"])
def test_help_takes_less_than_half_a_second(command: str) -> None:
    best_s = min(_seconds(command) for _ in range(3))
    assert best_s < 0.5


def test_every_option_in_the_readme_exists() -> None:
    table = re.findall(r"^\| `(--\w+)` \|", README.read_text(encoding="utf-8"), flags=re.MULTILINE)
    printed = _help("cryoseg-relion").stdout
    assert len(table) > 5
    assert [option for option in table if f"{option} " not in printed] == []


def _seconds(command: str) -> float:
    start = time.perf_counter()
    assert "Usage" in _help(command).stdout
    return time.perf_counter() - start


def _help(command: str) -> subprocess.CompletedProcess[str]:
    program = Path(sysconfig.get_path("scripts")) / command
    return subprocess.run([program, "--help"], capture_output=True, text=True, check=True)
