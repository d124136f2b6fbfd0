from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from cryoseg_ext.formats.micrographs import MicrographList
from cryoseg_ext.job.finished import FinishedMicrograph
from cryoseg_ext.job.result import JobResult
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.picks import Picks
from relion_wrapper.display import display_commands
from relion_wrapper.host import RelionHost
from relion_wrapper.job import RelionJob
from tests.engine import AREAS


@pytest.fixture
def commands() -> dict[str, dict[str, str]]:
    """Return the options of each program that shows picks of 190 Å at 1.77 Å/px."""
    host = RelionHost(RelionJob(Path("External/job002")))
    picked = FinishedMicrograph("", 0.3, Picks(*np.zeros((3, 0))), AREAS, (4096, 4096), 1.77)
    finished = {"Micrographs/a.mrc": picked}
    result = JobResult(MicrographList(Path("m.star"), {}), finished, {}, PickingOptions(190), 0.3, {})
    return {words[0]: _options(words[1:]) for words in map(shlex.split, display_commands(host, result))}


def test_circles_have_the_size_of_the_particle(commands: dict[str, dict[str, str]]) -> None:
    all_of_them, first = commands["relion_manualpick"], commands["relion_display"]
    assert (all_of_them["--particle_diameter"], all_of_them["--angpix"]) == ("190", "1.77")
    assert first["--particle_radius"] == "54"
    assert first["--coords"] == "External/job002/Micrographs/a_autopick.star"
    assert (all_of_them["--odir"], all_of_them["--pickname"]) == ("External/job002/", "autopick")


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
