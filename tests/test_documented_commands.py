"""What the documentation tells to type can be typed: its commands and its Python run on a small project."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from cryosparc.dataset import Dataset

from cryoseg_ext.cli import main
from cryoseg_ext.formats.micrographs import read_micrographs
from tests.pages import CARD, PAGES, RELION, blocks, commands_of, of_cryoseg

# What makes a small thing of a command that takes long, by a word of it.
SMALLER = {
    "train": "--steps 1 --batch 2 --workers 0",
    "cryoseg-relion-train": "--steps 1",
    "compare": "--steps 1 --workers 0 --architectures fcn:8 --losses dice_ce",
    "simulate": "--n 1 --size 256 240 --pixel_size 4.5",
    "--watch_until_idle": "--watch_until_idle 0.02",
}
# Of a server, a cluster or a GPU that is not here.
ELSEWHERE = {"cryosparc", "--cluster", "--gpu", "cuda"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a small project that has what the pages name."""
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as here:
        here.chdir(folder)
        _run("cryoseg simulate --out . --n 3 --size 400 380 --pixel_size 4.5 --family symmetric")
        for link, target in (
            *(("micrographs", "Micrographs"), ("Denoise", "Micrographs"), ("manual_picks", "Coordinates")),
            ("micrograph.mrc", min(Path("Micrographs").iterdir())),
        ):
            Path(link).symlink_to(target)
        for copy, source in (
            ("CtfFind/job003/micrographs_ctf.star", "micrographs.star"),
            ("Refine3D/job020/run_data.star", "particles.star"),
            ("Refine3D/job020/run_class001.mrc", "Truth/structure_1.mrc"),
        ):
            Path(copy).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy)
        Path("my.yaml").write_text("steps: 1\n")
        Path("model.pdb").write_text(_molecule())
        _write_exposures(Path("J12/J12_exposures_accepted.csg"))
        _run("cryoseg-relion --o AutoPick/job006/ --in_mics micrographs.star --particle_diameter 180")
        _run("cryoseg segment micrographs --particle_diameter 180 --out masks")
        Path("job005_edits.star").write_text(_edits(list(read_micrographs(["micrographs.star"]).by_name)))
        exposures = "J12/J12_exposures_accepted.csg"
        _run(f"cryoseg convert AutoPick/job006/autopick.star picked.csg --micrographs {exposures}")
    return folder


# Those of the model card need the micrographs that it names.
RUN = [page for page in PAGES if page != CARD and any(map(of_cryoseg, commands_of(page)))]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)
def test_the_commands_of_a_page_run(page: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    for words in filter(_runs_here, commands_of(page)):
        _run(" ".join([shlex.join(words), *(more for word, more in SMALLER.items() if word in words)]))


def test_the_commands_that_run_are_most_of_them() -> None:
    every = [words for page in RUN for words in commands_of(page) if of_cryoseg(words)]
    assert sum(map(_runs_here, every)) > 0.7 * len(every) > 20


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", [one for one in PAGES if blocks(one, "python")], ids=lambda page: page.name)
def test_the_python_of_a_page_runs(page: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    names: dict[str, object] = {}
    for block in blocks(page, "python"):
        # Those of a server have tests of their own.
        if "cryoseg_ext.cryosparc" not in block:
            exec(compile(block, str(page), "exec"), names)


def _runs_here(words: Sequence[str]) -> bool:
    # Training on simulation alone calibrates for minutes.
    is_long = words[:2] == ["cryoseg", "train"] and "--in_mics" not in words
    return of_cryoseg(words) and not ELSEWHERE.intersection(words) and not is_long


def _run(line: str) -> None:
    """Run a command as the terminal would, in this process."""
    name, *words = shlex.split(line)
    if name in RELION:
        shutil.rmtree(words[words.index("--o") + 1], ignore_errors=True)
        RELION[name][1](words)
    else:
        done = CliRunner().invoke(main, words, catch_exceptions=False)
        assert done.exit_code == 0, f"{line}\n{done.output}"


def _write_exposures(path: Path) -> None:
    """Write the micrographs of the project as the exposures of a CryoSPARC job."""
    path.parent.mkdir()
    micrographs = read_micrographs(["micrographs.star"]).micrographs
    table = {
        "uid": list(range(1, len(micrographs) + 1)),
        "micrograph_blob/path": [one.name for one in micrographs],
        "micrograph_blob/shape": np.array([(380, 400)] * len(micrographs), np.uint32),
        "micrograph_blob/psize_A": np.full(len(micrographs), 4.5, np.float32),
        "mscope_params/exp_group_id": [1] * len(micrographs),
    }
    Dataset(table).save(path.with_suffix(".cs"))
    slots = {
        name: {"metafile": f">{path.stem}.cs", "num_items": len(micrographs), "type": f"exposure.{name}"}
        for name in ("micrograph_blob", "mscope_params")
    }
    group = {"description": "", "name": "exposures", "title": "Exposures", "type": "exposure"}
    path.write_text(yaml.safe_dump({"group": group, "results": slots, "version": "v4.6.2"}))


def _edits(names: Sequence[str]) -> str:
    """Return what ``review.html`` saves: the first micrograph is rejected, the others have two picks each."""
    labels = ("rlnMicrographName", "rlnSelected", "cryosegEdited")
    decided = [f"{name} {number > 0:d} {number > 0:d}\n" for number, name in enumerate(names)]
    picked = [f"{name} {x} {x} 1.000000\n" for name in names[1:] for x in (100, 250)]
    of_picks = ("rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit")
    return "".join(
        f"data_{table}\n\nloop_\n{''.join(f'_{label}{chr(10)}' for label in columns)}{''.join(rows)}\n"
        for table, columns, rows in (("micrographs", labels, decided), ("particles", of_picks, picked))
    )


def _molecule() -> str:
    """Return a ball of carbon atoms as a PDB file."""
    places = np.random.default_rng(0).normal(0, 25, (400, 3))
    rows = (
        f"ATOM  {number:5d}  CA  GLY A{number:4d}    {x:8.3f}{y:8.3f}{z:8.3f}  1.00 20.00           C  \n"
        for number, (x, y, z) in enumerate(places, start=1)
    )
    return "".join(rows) + "END\n"
