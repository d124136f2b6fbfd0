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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

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


@dataclass(frozen=True)
class Reader:
    """A reader and a sound file for it.

    Parameters
    ----------
    name : str
        Name of the file.
    sound : callable
        Writes a sound file.
    read : callable
        Reads a file.
    is_text : bool
        Whether words and lines are mutated too.
    """

    name: str
    sound: Callable[[Path], object]
    read: Callable[[Path], object]
    is_text: bool = False


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


def _image() -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(0).normal(size=(40, 50)).astype(np.float32)


def _sound_mrc(path: Path) -> None:
    import mrcfile

    mrcfile.write(path, _image(), voxel_size=2.0, overwrite=True)


def _sound_map(path: Path) -> None:
    import mrcfile

    density = np.pad(np.ones((6, 6, 6), np.float32), 5)
    with mrcfile.new(path, density, overwrite=True) as mrc:
        mrc.voxel_size = 2.0


def _sound_tiff(path: Path) -> None:
    import tifffile

    tifffile.imwrite(path, _image(), compression="zlib", resolution=(1e7, 1e7), resolutionunit="CENTIMETER")


def _text(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text, encoding="utf-8")


def _sound_model(path: Path) -> None:
    from cryoseg_ext.extract.score import Calibration
    from cryoseg_ext.model.checkpoint import Model, save_model
    from cryoseg_ext.network.architectures import build_network

    architecture = {"name": "residual_unet", "base": 8}
    network = build_network(architecture).eval()
    save_model(Model(network, architecture, Calibration(0.0, (0.1, 0.1, 0.1)), threshold=0.4), path)


def _sound_preview(path: Path) -> None:
    from cryoseg_ext.report.preview import make_preview, save_preview

    save_preview(path, make_preview(_image(), _image() > 0, (40, 50)))


def _sound_finished(path: Path) -> None:
    from cryoseg_ext.image.areas import AreaShares
    from cryoseg_ext.job.finished import FinishedMicrograph, write_finished
    from cryoseg_ext.picks import Picks

    picks = Picks(np.array([3.0, 9.5]), np.array([4.0, 8.0]), np.array([0.9, 0.1]))
    write_finished(path, FinishedMicrograph("key", 0.5, picks, AreaShares(0.1, 0.0, 0.0), (40, 50), 2.0))


def _sound_particles(path: Path) -> None:
    from cryosparc.dataset import Dataset

    dataset = Dataset(
        {
            "uid": np.arange(1, 4, dtype="u8"),
            "location/micrograph_path": np.array(["J1/a.mrc", "J1/a.mrc", "J1/b.mrc"], object),
            "location/micrograph_shape": np.full((3, 2), 40, "u4"),
            "location/center_x_frac": np.array([0.1, 0.2, 0.3], "f4"),
            "location/center_y_frac": np.array([0.1, 0.2, 0.3], "f4"),
            "pick_stats/ncc_score": np.array([0.9, 0.8, 0.7], "f4"),
        }
    )
    dataset.save(path)


def _sound_group(path: Path) -> None:
    _sound_particles(path.with_suffix(".cs"))
    metafile = f"'>{path.with_suffix('.cs').name}'"
    slots = "".join(f"  {slot}:\n    metafile: {metafile}\n" for slot in ("location", "pick_stats"))
    path.write_text(
        "created: 2026-11-22 20:00:57\ngroup:\n  name: p\n  type: particle\n"
        f"results:\n{slots}version: v4.7.1\n"
    )


def _picks(path: Path) -> object:
    from cryoseg_ext.formats.reading import read_located_picks

    return read_located_picks(path)


def _micrographs(path: Path) -> object:
    from cryoseg_ext.formats.micrographs import read_micrographs

    return read_micrographs([path])


def _read_image(path: Path) -> object:
    from cryoseg_ext.image.reading import read_micrograph, read_shape

    return read_shape(path), read_micrograph(path)


def _read_map(path: Path) -> object:
    from cryoseg_ext.image.volume import read_map

    return read_map(path)


def _read_model(path: Path) -> object:
    from cryoseg_ext.model.checkpoint import load_model

    return load_model(path)


def _read_settings(path: Path) -> object:
    from cryoseg_ext.options.settings import read_settings

    return read_settings(path)


def _read_config(path: Path) -> object:
    import click

    from cryoseg_ext.cli.train import train

    try:
        return train.make_context("train", ["--config", str(path)])
    except click.UsageError as error:
        return error.format_message()


def _read_preview(path: Path) -> object:
    from cryoseg_ext.report.preview import load_preview

    return load_preview(path)


def _read_finished(path: Path) -> object:
    from cryoseg_ext.job.finished import read_finished

    return read_finished(path)


_OPTICS = "data_optics\n\nloop_\n_rlnOpticsGroup #1\n_rlnMicrographPixelSize #2\n1 1.5\n2 2.0\n\n"
_COLUMNS = "_rlnMicrographName #1\n_rlnOpticsGroup #2\n"
_COORDINATES = "_rlnCoordinateX #3\n_rlnCoordinateY #4\n_rlnAutopickFigureOfMerit #5\n_rlnAnglePsi #6\n"
_CBOX = "data_global\n\n_cbox_format_version 1.0\n\ndata_cryolo\n\nloop_\n" + "".join(
    f"_{name} #{number}\n"
    for number, name in enumerate(
        ("CoordinateX", "CoordinateY", "CoordinateZ", "Width", "Height", "Depth", "EstWidth", "EstHeight"),
        start=1,
    )
)
READERS: dict[str, Reader] = {
    "mrc": Reader("a.mrc", _sound_mrc, _read_image),
    "tiff": Reader("a.tif", _sound_tiff, _read_image),
    "map": Reader("a.map", _sound_map, _read_map),
    "star": Reader(
        "micrographs.star",
        _text(f"{_OPTICS}data_micrographs\n\nloop_\n{_COLUMNS}a.mrc 1\nb.mrc 2\n'c d.mrc' 1\n"),
        _micrographs,
        is_text=True,
    ),
    "particles": Reader(
        "particles.star",
        _text(
            f"{_OPTICS}data_particles\n\nloop_\n{_COLUMNS}{_COORDINATES}"
            "a.mrc 1 10.5 20 0.9 12.5\na.mrc 1 30 40 0.5 0\nb.mrc 2 5 6 0.1 -3\n"
        ),
        _picks,
        is_text=True,
    ),
    "csv": Reader("a.csv", _text("x,y,score\n1,2,0.5\n3.5,4,0.25\n"), _picks, is_text=True),
    "box": Reader("a.box", _text("10\t20\t30\t30\n40\t50\t30\t30\n"), _picks, is_text=True),
    "cbox": Reader(
        "a.cbox", _text(f"{_CBOX}10 20 <NA> 30 30 1 28 29\n40 50 <NA> 30 30 1 27 28\n"), _picks, is_text=True
    ),
    "topaz": Reader(
        "a.txt",
        _text("image_name\tx_coord\ty_coord\tscore\na\t1\t2\t0.5\nb\t3\t4\t-1.5\n"),
        _picks,
        is_text=True,
    ),
    "json": Reader(
        "settings.json",
        _text(
            '{"settings": {"particle_diameter": 180, "threshold": 0.3, "extraction": "centre"}, '
            '"search": {}}\n'
        ),
        _read_settings,
        is_text=True,
    ),
    "yaml": Reader(
        "config.yaml",
        _text("steps: 7000\nbatch: 6\nloss: dice_ce\nleave_out: [a, b]\n"),
        _read_config,
        is_text=True,
    ),
    "safetensors": Reader("model.safetensors", _sound_model, _read_model),
    "npz": Reader("a_preview.npz", _sound_preview, _read_preview),
    "candidates": Reader("a_candidates.star", _sound_finished, _read_finished, is_text=True),
    "cs": Reader("particles.cs", _sound_particles, _picks),
    "csg": Reader("particles.csg", _sound_group, _picks, is_text=True),
}

if __name__ == "__main__":
    sys.exit(main())
