"""The commands that write a folder, on small inputs, for kills.py."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

DIAMETER_A = 150


def write_micrographs(folder: Path) -> None:
    """Write a small RELION project of three micrographs, with the truth about them."""
    simulate = [str(Path(sys.executable).with_name("cryoseg")), "simulate", "--out", str(folder), "--n", "3"]
    field = ["--size", "320", "280", "--pixel_size", "6", "--family", "shell", "--seed", "3"]
    size = ["--particle_diameter", str(DIAMETER_A)]
    subprocess.run([*simulate, *field, *size], check=True, capture_output=True)


@contextmanager
def cryosparc(folder: Path) -> Iterator[dict[str, str]]:
    """Serve the project on loopback; what the server got is written to the folder of the job at the end."""
    _find_tests()
    from tests.cryoseg_ext.cryosparc.instance import EMAIL, PASSWORD
    from tests.cryoseg_ext.cryosparc.server import serve
    from tests.cryoseg_ext.cryosparc.session import instance_of

    instance = instance_of(folder, "5")
    server = serve(instance, "5")
    home = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "CRYOSPARC_COMMAND_RETRY_SECONDS": "0"}
    login = {"CRYOSPARC_EMAIL": EMAIL, "CRYOSPARC_PASSWORD": PASSWORD, "CRYOSPARC_BASE_URL": server.url}
    try:
        yield home | login
        job = instance.picking
        particles = job.outputs["particles"].dataset if "particles" in job.outputs else None
        lines = [job.status]
        if particles is not None:
            columns = particles.fields(exclude_uid=True)
            lines += [f"{name} {particles[name].tolist()}" for name in columns]
        Path(instance.job_folder(job.uid), "received.txt").write_text("\n".join(lines))
    finally:
        server.close()


def write_cryosparc(folder: Path) -> None:
    """Write the CryoSPARC project of the tests."""
    _find_tests()
    from tests.cryoseg_ext.cryosparc.session import write_project

    write_project(folder)


def _find_tests() -> None:
    """Have `tests` found, a name of which others install a package too."""
    package = ModuleType("tests")
    package.__path__ = [str(Path(__file__).parents[1] / "tests")]
    sys.modules.setdefault("tests", package)


@dataclass(frozen=True)
class Command:
    """A command that is killed and given again.

    Parameters
    ----------
    line : str
        What a user types, in a folder with the inputs.
    out : str
        The folder that it writes.
    to_go_on : str
        What a user types in addition to go on with it.
    write_inputs : callable
        Writes the inputs to a folder.
    host : callable
        Yields environment variables while the command runs, and again.
    """

    line: str
    out: str = "out"
    to_go_on: str = ""
    write_inputs: Callable[[Path], None] = write_micrographs
    host: Callable[[Path], AbstractContextManager[dict[str, str]]] = lambda _: nullcontext({})


_PICK = f"--in_mics micrographs.star --particle_diameter {DIAMETER_A}"
_COORDINATES = f"{_PICK} --in_coords particles.star"
COMMANDS = {
    "pick": Command(f"cryoseg pick {_PICK} --masks --out out"),
    "segment": Command(f"cryoseg segment {_PICK} --out out"),
    "simulate": Command(
        f"cryoseg simulate --particle_diameter {DIAMETER_A} --n 4 --size 256 256 --pixel_size 6 "
        "--family shell --j 2 --out out"
    ),
    "labels": Command(f"cryoseg labels {_COORDINATES} --j 2 --out out"),
    "train": Command(f"cryoseg train {_COORDINATES} --steps 3 --batch 1 --workers 1 --out out"),
    "select": Command(f"cryoseg select {_PICK} --most 1 --masks --out out/settings.json"),
    "convert": Command("cryoseg convert particles.star out --micrographs micrographs.star"),
    "relion": Command(f"cryoseg-relion {_PICK} --j 2 --o External/job002/", "External/job002"),
    "cryosparc": Command(
        "cryoseg cryosparc pick --project P3 --workspace W1 --exposures J12:exposures_accepted --masks "
        "--particle_diameter 120",
        "disk/project/J45",
        " --job J45",
        write_cryosparc,
        cryosparc,
    ),
}
