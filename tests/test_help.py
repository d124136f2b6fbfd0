"""Every command answers ``--help`` at once."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from statistics import median

import pytest

from tests.commands import ALL, RELION

HELP = """
import atexit, json, sys, time
def tell():
    heavy = {"torch", "pandas", "matplotlib"} & set(sys.modules)
    print(json.dumps([time.thread_time(), sorted(heavy)]), file=sys.stderr)
atexit.register(tell)
from %s import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("module", "words"),
    [
        *(("cryoseg_ext.cli", name.split()[1:]) for name in ALL),
        ("relion_wrapper.cli", []),
        ("relion_wrapper.train", []),
    ],
    ids=[*ALL, RELION, f"{RELION}-train"],
)
def test_help_is_quick_and_imports_nothing_large(module: str, words: list[str]) -> None:
    seconds = []
    for _ in range(3):
        command = [sys.executable, "-c", HELP % module, *words, "--help"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "Usage" in done.stdout
        # Of the processor, so that a busy machine does not count, and without the threads that numpy starts.
        taken_s, heavy = json.loads(done.stderr.splitlines()[-1])
        assert heavy == []
        seconds.append(taken_s)
    assert median(seconds) < 0.3


def test_the_commands_of_the_package_are_those_that_were_looked_at() -> None:
    scripts = importlib.metadata.entry_points(group="console_scripts")
    ours = {script.name for script in scripts if script.value.startswith(("cryoseg_ext", "relion_wrapper"))}
    assert ours == {"cryoseg", RELION, f"{RELION}-train"}
