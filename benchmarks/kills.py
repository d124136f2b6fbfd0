"""Kills at random file operations: the same command given again must end in the same bytes.

    python benchmarks/kills.py [--n 20] [--commands pick train ...] [--seed 1]

Each command runs undisturbed, twice, to see which of its files are equal at all. Then it is killed (SIGKILL)
at a random file operation in its folder, together with its workers or alone, and is given again until its
end; what is then in the folder is compared with that of the undisturbed run. The exit status is 1 if
anything differs.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from killed_commands import COMMANDS, Command

_BUSY = "another job of cryoseg is writing to this folder"
_BUSY_S = 30
"""Seconds after which the workers of a job that was killed must have left its folder."""
_TIMES = (
    re.compile(rb"^# .*\d{4}.*$", re.MULTILINE),
    re.compile(rb"/(?:Creation|Mod)Date \(.*?\)"),
    re.compile(rb"^created: .*$", re.MULTILINE),
)
"""Comments of STAR files, dates of PDF files and of CryoSPARC's groups."""

_SECONDS = re.compile(rb"^(\d+,[^,]*,[^,]*),[^,]*", re.MULTILINE)
"""The fourth column of the log of a training."""

Content = dict[str, str]
"""The digest of each file, by its path in the folder; empty for one that differs between undisturbed runs."""


@dataclass(frozen=True)
class Undisturbed:
    """What a command writes when nothing happens.

    Parameters
    ----------
    content : dict of str to str
        Its files.
    n_operations : int
        Number of file operations in its folder.
    """

    content: Content
    n_operations: int


@dataclass(frozen=True)
class Done:
    """A command that ended.

    Parameters
    ----------
    code : int
        Its exit code, or the number of the signal that killed it, below 0.
    output : str
        What it and its workers printed.
    group : int
        Their process group.
    """

    code: int
    output: str
    group: int


def main() -> int:
    """Kill each command many times and list what differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=20)
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    wrong = 0
    for name in args.commands:
        start = time.monotonic()
        whole, found = faults(COMMANDS[name], args.n, args.seed)
        wrong += len(found)
        print(
            f"{name:12s} {args.n:4d} kills at {whole.n_operations:4d} operations {len(found):4d} faults "
            f"{time.monotonic() - start:6.0f} s",
            flush=True,
        )
        if left_out := [name for name, digest in whole.content.items() if not digest]:
            print(f"    left out, as undisturbed runs differ in them: {', '.join(left_out)}", flush=True)
        for text in found:
            print(f"    {text}", flush=True)
    return int(wrong > 0)


def faults(command: Command, n: int, seed: int) -> tuple[Undisturbed, list[str]]:
    """Return what a command writes, and what went wrong after `n` kills of it.

    Parameters
    ----------
    command : Command
        The command.
    n : int
        How often it is killed.
    seed : int
        Decides at which operations, and whether its workers are killed with it.
    """
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch).resolve()
        command.write_inputs(place / "inputs")
        whole = _undisturbed(command, place)
        found = []
        for _ in range(n):
            at = int(rng.integers(1, whole.n_operations + 1))
            whom = str(rng.choice(["group", "command"]))
            reason = _after_kill(command, place, at, whom, whole.content)
            if reason:
                found.append(f"operation {at}, {whom} killed: {reason}")
    return whole, found


def _undisturbed(command: Command, place: Path) -> Undisturbed:
    """Run a command twice."""
    contents = []
    for _ in range(2):
        folder = _prepared(place)
        with command.host(folder) as environment:
            done = _run(command.line, folder, environment | _hook(place, command))
        if done.code != 0:
            raise RuntimeError(done.output)
        contents.append(_content(folder / command.out))
    first, second = contents
    equal = {name: digest if second.get(name) == digest else "" for name, digest in first.items()}
    return Undisturbed(equal, (place / "counter").stat().st_size)


def _after_kill(command: Command, place: Path, at: int, whom: str, whole: Content) -> str:
    """Return what is wrong after a kill and a second run; empty where nothing is."""
    folder = _prepared(place)
    with command.host(folder) as environment:
        killed = _run(command.line, folder, environment | _hook(place, command, at, whom))
        # Not killed where it did fewer operations this time.
        if killed.code not in (-signal.SIGKILL, 0):
            return f"it ended with {killed.code} before the kill: {killed.output[-300:]}"
        end = time.monotonic() + _BUSY_S
        while True:
            done = _run(command.line + command.to_go_on, folder, environment)
            if done.code == 0 or _BUSY not in done.output or time.monotonic() > end:
                break
            time.sleep(0.5)
    if done.code != 0:
        return f"it does not go on, {done.code}: {done.output[-300:]}"
    if _lives(killed.group):
        os.killpg(killed.group, signal.SIGKILL)
        return "its workers live on"
    found = _content(folder / command.out)
    return ", ".join(
        f"{name} {'is absent' if name not in found else 'is new' if name not in whole else 'differs'}"
        for name in sorted(whole.keys() | found.keys())
        if name not in found or whole.get(name) not in ("", found[name])
    )


def _prepared(place: Path) -> Path:
    """Return the folder to run in, always the same, with fresh inputs of the same times."""
    (place / "counter").unlink(missing_ok=True)
    folder = place / "run"
    if folder.exists():
        shutil.rmtree(folder)
    shutil.copytree(place / "inputs", folder, symlinks=True)
    return folder


def _hook(place: Path, command: Command, at: int = 0, whom: str = "") -> dict[str, str]:
    path = os.pathsep.join([str(Path(__file__).with_name("kill_hook")), os.environ.get("PYTHONPATH", "")])
    place_of = {"KILLS_FOLDER": str(place / "run" / command.out), "KILLS_COUNTER": str(place / "counter")}
    return {**place_of, "KILLS_AT": str(at), "KILLS_WHOM": whom, "PYTHONPATH": path}


def _run(line: str, folder: Path, environment: dict[str, str]) -> Done:
    """Run a command in a process group of its own."""
    program, *arguments = line.split()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [Path(sys.executable).with_name(program), *arguments],
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        # Its workers may have the output open for longer.
        code = process.wait()
        output.seek(0)
        return Done(code, output.read().decode(errors="replace"), process.pid)


def _lives(group: int) -> bool:
    """Return whether a process of a group lives on for long."""
    for _ in range(10 * _BUSY_S):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.1)
    return True


def _content(out: Path) -> Content:
    found = {}
    for path in sorted(out.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            for pattern in _TIMES:
                content = pattern.sub(b"", content)
            if path.name == "training.csv":
                content = _SECONDS.sub(rb"\1", content)
            found[str(path.relative_to(out))] = hashlib.sha256(content).hexdigest()
    return found


if __name__ == "__main__":
    sys.exit(main())
