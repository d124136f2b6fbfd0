"""The sdist and the wheel are complete, and the wheel works where there is nothing else of the project."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import numpy as np
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cryoseg_ext.evaluation.matching import match_picks
from cryoseg_ext.extras import EXTRAS
from cryoseg_ext.formats.reading import read_picks

ROOT = Path(__file__).parents[1]
PACKAGES = ("cryoseg_ext", "relion_wrapper")
COMMANDS = ("cryoseg", "cryoseg-relion", "cryoseg-relion-train")
DIAMETER_PX = 90.0


def _run(folder: Path, *command: object) -> str:
    done = subprocess.run(
        [str(one) for one in command],
        cwd=folder,
        # It could lead to the packages of this checkout.
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist, and the wheel from it alone."""
    folder = tmp_path_factory.mktemp("built")
    _run(folder, sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def requirements(wheel: Path) -> list[Requirement]:
    return [Requirement(text) for text in _metadata(wheel).get_all("Requires-Dist", [])]


def _metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [one for one in archive.namelist() if one.endswith(".dist-info/METADATA")]
        return Parser().parsestr(archive.read(name).decode())


def _files(folder: Path) -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_has_every_file_of_the_packages_and_no_other(wheel: Path) -> None:
    expected = set().union(*(_files(ROOT / package) for package in PACKAGES))
    assert {"cryoseg_ext/model/weights/default.safetensors", "relion_wrapper/py.typed"} < expected
    with zipfile.ZipFile(wheel) as archive:
        packed = {one for one in archive.namelist() if not one.partition("/")[0].endswith(".dist-info")}
    assert packed == expected


def test_the_sdist_has_what_make_needs(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    files = {"LICENSE", "Makefile", "README.md", "constraints.txt", "pyproject.toml", "tests/conftest.py"}
    assert files - packed == set()


def test_the_packages_of_each_extra_are_those_that_sentences_name(requirements: list[Requirement]) -> None:
    for extra, packages in EXTRAS.items():
        named = {one.name for one in requirements if one.marker and f'extra == "{extra}"' in str(one.marker)}
        assert named == set(packages.values()), extra


def test_each_requirement_is_one_of_the_tested_versions(requirements: list[Requirement]) -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    tested = {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in pins}
    outside = {
        str(one) for one in requirements if not one.specifier.contains(tested[canonicalize_name(one.name)])
    }
    assert outside == set()


def test_the_conda_recipe_asks_for_the_same(wheel: Path, requirements: list[Requirement]) -> None:
    recipe = yaml.safe_load((ROOT / "packaging/conda/recipe.yaml").read_text())
    python, *asked = recipe["requirements"]["run"]
    environment = {
        "python_version": "3.11",
        "sys_platform": "linux",
        "platform_machine": "x86_64",
        "extra": "",
    }
    names = {"matplotlib": "matplotlib-base", "torch": "pytorch"}
    needed = [one for one in requirements if one.marker is None or one.marker.evaluate(environment)]
    assert asked == sorted(f"{names.get(one.name, one.name)} {one.specifier}" for one in needed)
    assert python == recipe["requirements"]["host"][0]
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [one for one in archive.namelist() if one.endswith(".dist-info/entry_points.txt")]
        _, *scripts = archive.read(name).decode().splitlines()
    assert recipe["build"]["python"]["entry_points"] == scripts


@pytest.mark.parametrize("name", ["Dockerfile", "packaging/cryoseg.def"])
def test_a_container_has_all_extras(name: str) -> None:
    assert f"pip install '.[{','.join(sorted(EXTRAS))}]'" in (ROOT / name).read_text()


def test_an_installed_wheel_picks_particles(wheel: Path, tmp_path: Path) -> None:
    """The packages of others are those of this Python, since installing them all takes minutes."""
    environment, job = tmp_path / "environment", tmp_path / "job"
    venv.create(environment, symlinks=True)
    job.mkdir()
    python, bin_ = environment / "bin/python", environment / "bin"
    _run(job, sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel)
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "others.pth").write_text(f"{sysconfig.get_paths()['purelib']}\n")
    for package in PACKAGES:
        where = _run(job, python, "-c", f"import {package}; print({package}.__file__)")
        assert where.strip() == str(site / package / "__init__.py")
    assert all("Usage: " in _run(job, bin_ / command, "--help") for command in COMMANDS)

    field = ("--size", 768, 768, "--pixel_size", 2, "--particles", 20, "--snr", 1, "--no_contaminants")
    _run(job, bin_ / "cryoseg", "simulate", "--out", "sim", "--n", 1, *field)
    _run(job, bin_ / "cryoseg", "pick", "sim/Micrographs", "--particle_diameter", 180, "--out", "picks")
    (truth,) = read_picks(job / "sim/Coordinates/mic_0001.star").values()
    (picks,) = read_picks(job / "picks/mic_0001.star").values()
    is_right = match_picks(np.stack([truth.x_px, truth.y_px], axis=1), picks, 0.3 * DIAMETER_PX)
    assert len(picks) <= 21
    assert is_right.sum() >= 19
