"""Without the extras, what cannot be done is said before work begins, with the line that installs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
NO_EXTRAS = 'import sys\nsys.modules.update(dict.fromkeys(("gemmi", "monai", "pydensecrf", "trackpy")))\n'
"""A module that Python imports by itself as it starts; what is None cannot be imported."""
GEMMI = "a.pdb: an atomic model needs the package gemmi: "
MONAI = "this architecture needs the package monai: "
PYDENSECRF = "--crf_filter permutohedral needs the package pydensecrf2: "
TRACKPY = "--extraction trackpy needs the package trackpy: "

Run = Callable[[str], tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return what runs ``cryoseg`` without the extras, for its exit code and what it prints."""
    (tmp_path / "without").mkdir()
    (tmp_path / "without/sitecustomize.py").write_text(NO_EXTRAS)
    paths = os.pathsep.join([str(tmp_path / "without"), str(ROOT)])

    def cryoseg(arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-c", "from cryoseg_ext.cli import main; main(prog_name='cryoseg')"]
        done = subprocess.run(
            [*command, *arguments.split()],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": paths},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return cryoseg


@pytest.mark.parametrize(
    ("arguments", "installs"),
    [
        ("simulate --out out --n 1 --structure models/a.pdb", GEMMI),
        ("train --out out --structures models", GEMMI),
        ("train --out out --architecture unetpp", MONAI),
        ("compare --out out --architectures fcn,unetpp", MONAI),
        ("select a.mrc --out out/choice.json --particle_diameter 150 --extraction trackpy", TRACKPY),
        ("pick a.mrc --out out --particle_diameter 150 --extraction trackpy", TRACKPY),
        ("pick a.mrc --out out --particle_diameter 150 --crf_filter permutohedral", PYDENSECRF),
    ],
    ids=["simulate", "train on structures", "train", "compare", "select", "pick", "pick with the lattice"],
)
def test_it_is_one_sentence_and_nothing_is_written(
    run: Run, tmp_path: Path, arguments: str, installs: str
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/a.pdb").write_text("END\n")
    code, printed = run(arguments)
    assert code == 1
    assert "Traceback" not in printed
    (sentence,) = [line for line in printed.splitlines() if line.startswith("Error: ")]
    assert installs in sentence
    assert f"{sys.executable} -m pip install " in sentence
    assert not (tmp_path / "out").exists()


def test_compare_leaves_the_networks_out_that_it_would_have_tried(run: Run) -> None:
    # A file stands where its folder should be, so that it ends before the first training.
    code, printed = run("compare --out without/sitecustomize.py/out --steps 1 --workers 0")
    assert code != 0
    left_out = "unetpp, attention_unet, flexible_unet, segresnet: left out: "
    assert f"{left_out}{MONAI}{sys.executable} -m pip install monai" in printed


def test_select_leaves_out_the_method_that_it_would_have_tried(run: Run) -> None:
    _, printed = run("select no_such.mrc --out choice.json --particle_diameter 150")
    assert "trackpy is not installed, so it is not tried: pip install trackpy" in printed
    assert "Traceback" not in printed
