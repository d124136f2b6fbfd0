"""Damaged files of every kind that cryoseg reads: each must end in a result or in one sentence.

    python benchmarks/mutations.py --n 100000 [--kinds mrc star ...] [--seed 1] [--out FOLDER]

Sound files are mutated (bytes flipped, cut, doubled and moved, numbers in headers and in text replaced by
extreme ones, words and lines dropped and repeated), and each is read in a child process. It is an escape
when the reader raises anything but a CryosegError of one line, takes more than 10 s, needs more than 1 GB,
or kills the process. The escapes are written to the folder; the exit status is 1 if there are any.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from mutated_readers import READERS

LIMIT_S, LIMIT_MB = 10, 1024
_EXTREMES = (0, 1, 2, 3, 255, 256, 2**15, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1)
_WORDS = (
    "nan",
    "inf",
    "-1",
    "1e400",
    "0",
    "",
    "999999999999",
    "é",
    "\x1b[2J",
    "{}",
    "[",
    "*a",
    "&a",
    "\t",
    '"',
)


def main() -> int:
    """Read mutated files of each kind and list what escapes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--kinds", nargs="+", choices=READERS, default=list(READERS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/mutations"))
    parser.add_argument("--child", nargs=2, type=int, metavar=("FIRST", "LAST"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        first, last = args.child
        read_in_this_process(args.kinds[0], args.seed, first, last, args.out)
        return 0
    n_escapes = 0
    for kind in args.kinds:
        found = escapes(kind, args.n, args.seed, args.out)
        n_escapes += len(found)
        print(f"{kind:12s} {args.n:8d} inputs {len(found):5d} escapes", flush=True)
        for number, reason in list(found.items())[:5]:
            print(f"    {number}: {reason}", flush=True)
    return int(n_escapes > 0)


def escapes(kind: str, n: int, seed: int, out: Path) -> dict[int, str]:
    """Return what went wrong with which of `n` mutated files of a kind, and keep those files.

    Parameters
    ----------
    kind : str
        One of `READERS`.
    n : int
        How many files are mutated.
    seed : int
        Random seed; a file depends on seed and number alone.
    out : Path
        Folder for the files that escape.
    """
    found: dict[int, str] = {}
    first = 0
    with tempfile.TemporaryDirectory() as scratch:
        while first < n:
            command = [sys.executable, "-X", "faulthandler", str(Path(__file__)), "--kinds", kind]
            command += ["--seed", str(seed), "--out", scratch, "--child", str(first), str(n)]
            limit_s = 60 + 2 * LIMIT_S + 0.2 * (n - first)
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
                code, output, error = done.returncode, done.stdout, done.stderr
            except subprocess.TimeoutExpired as expired:
                code, output, error = -1, str(expired.stdout or b"", "utf-8", "replace"), "takes too long"
            found |= {int(number): reason for number, reason in map(json.loads, output.splitlines())}
            if code == 0:
                break
            current = Path(scratch, "current")
            if not current.exists():
                raise RuntimeError(error)
            number = int(current.read_text())
            found[number] = f"the process ended with {code}: {' '.join(error.split())[:200]}"
            first = number + 1
        for number in found:
            folder = out / f"{kind}_{seed}_{number}"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            _write_mutated(kind, seed, number, folder)
    return found


def read_in_this_process(kind: str, seed: int, first: int, last: int, scratch: Path) -> None:
    """Read mutated files one after another, and print a line of JSON for each that escapes.

    Parameters
    ----------
    kind, seed
        As for `escapes`.
    first, last : int
        Numbers of the first file and behind the last one.
    scratch : Path
        Folder for the files; ``current`` in it has the number of the one that is being read.
    """
    signal.signal(signal.SIGALRM, _too_long)
    reader = READERS[kind]
    reader.read(_write_sound(kind, scratch / "sound"))
    for number in range(first, last):
        (scratch / "current").write_text(str(number))
        path = _write_mutated(kind, seed, number, scratch / "mutated")
        before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        signal.alarm(LIMIT_S)
        reason = _attempt(reader.read, path)
        signal.alarm(0)
        grown_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before_mb
        if grown_mb > LIMIT_MB:
            reason = reason or f"needs {grown_mb:.0f} MB"
        if reason:
            print(json.dumps([number, reason]), flush=True)


def mutated(content: bytes, rng: np.random.Generator, *, is_text: bool) -> bytes:
    """Return a content with a few mutations.

    Parameters
    ----------
    content : bytes
        Of a sound file.
    rng : Generator
        Decides.
    is_text : bool
        Whether words and lines are mutated too.
    """
    for _ in range(int(rng.integers(1, 4))):
        of_words = is_text and rng.random() < 0.35
        content = _mutate_words(content, rng) if of_words else _mutate_bytes(content, rng)
    return content


def _mutate_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    data = bytearray(content)
    # Headers decide, so half of the mutations are there.
    end = len(data) if rng.random() < 0.5 else min(len(data), 1100)
    at = int(rng.integers(max(end, 1)))
    kind = int(rng.integers(6))
    if kind == 0:
        return bytes(data[:at])
    if kind == 1 and data:
        data[at % len(data)] ^= 1 << int(rng.integers(8))
    elif kind == 2:
        data[at : at + 4] = (int(rng.choice(_EXTREMES)) & 0xFFFFFFFF).to_bytes(4, "little")
    elif kind == 3:
        data[at : at + 8] = int(rng.choice(_EXTREMES)).to_bytes(8, "little")
    elif kind == 4:
        data[at:at] = data[at : at + int(rng.integers(1, 64))]
    else:
        del data[at : at + int(rng.integers(1, 64))]
    return bytes(data)


def _mutate_words(content: bytes, rng: np.random.Generator) -> bytes:
    lines = content.split(b"\n")
    at = int(rng.integers(len(lines)))
    kind = int(rng.integers(4))
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines.insert(at, lines[int(rng.integers(len(lines)))])
    elif words := lines[at].split(b" "):
        words[int(rng.integers(len(words)))] = str(rng.choice(_WORDS)).encode() * int(
            rng.choice([1, 1, 1, 500])
        )
        lines[at] = b" ".join(words)
    return b"\n".join(lines)


def _attempt(read: Callable[[Path], object], path: Path) -> str:
    """Return what is wrong with how a file is read; empty where nothing is."""
    from cryoseg_ext.errors import CryosegError

    try:
        read(path)
    except CryosegError as error:
        text = str(error)
        return "" if text and "\n" not in text and len(text) < 1000 else f"not one sentence: {text[:200]!r}"
    except BaseException as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    return ""


def _too_long(*_: object) -> None:
    raise TimeoutError(f"takes more than {LIMIT_S} s")


def _write_sound(kind: str, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / READERS[kind].name
    READERS[kind].sound(path)
    return path


def _write_mutated(kind: str, seed: int, number: int, folder: Path) -> Path:
    """Write the mutated file, beside whatever the sound one has beside it."""
    reader = READERS[kind]
    path = folder / reader.name
    sound = folder / "sound.bin"
    if not sound.exists():
        _write_sound(kind, folder)
        sound.write_bytes(path.read_bytes())
    rng = np.random.default_rng([seed, number])
    path.write_bytes(mutated(sound.read_bytes(), rng, is_text=reader.is_text))
    return path


if __name__ == "__main__":
    sys.exit(main())
