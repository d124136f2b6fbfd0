from __future__ import annotations

import shlex
import shutil
import subprocess

import pytest

from cryoseg_ext.options.picking import PickingOptions
from relion_wrapper.display import display_commands
from relion_wrapper.outputs import JobResult
from relion_wrapper.paths import micrograph_files
from relion_wrapper.picking import PlannedMicrograph
from relion_wrapper.star import MicrographsStar


@pytest.fixture
def commands() -> dict[str, dict[str, str]]:
    """Return the options of each program that shows picks of 190 Å at 1.77 Å/px."""
    from pathlib import Path

    import pandas as pd

    job = Path("External/job002")
    planned = PlannedMicrograph("Micrographs/a.mrc", 1.77, micrograph_files(job, "Micrographs/a.mrc"), "", 0)
    star = MicrographsStar(Path("m.star"), pd.DataFrame(), None)
    printed = display_commands(job, JobResult(star, [planned], [], [], 0.3, PickingOptions(190), {}))
    return {words[0]: _options(words[1:]) for words in map(shlex.split, printed)}


def test_circles_have_the_size_of_the_particle(commands: dict[str, dict[str, str]]) -> None:
    everything, one = commands["relion_manualpick"], commands["relion_display"]
    assert (everything["--particle_diameter"], everything["--angpix"]) == ("190", "1.77")
    assert one["--particle_radius"] == "54"
    assert one["--coords"] == "External/job002/Micrographs/a_autopick.star"
    assert (everything["--odir"], everything["--pickname"]) == ("External/job002/", "autopick")


@pytest.mark.relion
@pytest.mark.parametrize("program", ["relion_manualpick", "relion_display"])
def test_relion_knows_the_options(commands: dict[str, dict[str, str]], program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed (Debian: relion-gui)")
    told = subprocess.run([program, "--help"], capture_output=True, text=True, check=False).stdout
    assert all(f" {option} " in told for option in commands[program])


def _options(words: list[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for word, following in zip(words, [*words[1:], "--"], strict=True):
        if word.startswith("--"):
            options[word] = "" if following.startswith("--") else following
    return options
