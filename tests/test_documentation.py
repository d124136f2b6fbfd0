"""The documentation is whole, can be read without a network, and what it tells to type can be typed."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import click
import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from cryosparc.dataset import Dataset

from cryoseg_ext.cli import main
from cryoseg_ext.formats.micrographs import read_micrographs
from cryoseg_ext.options.table import BY_NAME
from relion_wrapper.cli import main as relion_main
from relion_wrapper.command import PICK, parse
from relion_wrapper.train import TRAIN
from relion_wrapper.train import main as relion_train_main
from tests.commands import ALL
from tests.test_house import LAYERS

ROOT = Path(__file__).parent.parent
CARD = ROOT / "cryoseg_ext/model/weights/MODEL_CARD.md"
OUTSIDE = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", CARD]
PAGES = [*OUTSIDE, *sorted((ROOT / "docs").rglob("*.md"))]
RELION = {"cryoseg-relion": (PICK, relion_main), "cryoseg-relion-train": (TRAIN, relion_train_main)}
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Options of other programs that the pages name.
FOREIGN = {"--pipeline_control", "--nproc_per_node", "--no-python", "--nworkers", "--nthreads", "--up-scale"}
FOREIGN |= {"--scale", "--help"}
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


def _blocks(page: Path, language: str) -> list[str]:
    return [text for found, text in BLOCK.findall(page.read_text(encoding="utf-8")) if found == language]


def commands_of(page: Path) -> list[list[str]]:
    """Return the command lines of a page as lists of words."""
    lines = (line for block in _blocks(page, "sh") for line in block.replace("\\\n", " ").splitlines())
    return [shlex.split(line, comments=True) for line in lines if line.strip()]


def _of_cryoseg(words: Sequence[str]) -> bool:
    return words[0] == "cryoseg" or words[0] in RELION


def _named(pages: Sequence[Path], choose: re.Pattern[str]) -> Iterator[tuple[Path, str]]:
    """Yield what a pattern finds on pages, blocks of commands and lines of text alike."""
    for page in pages:
        yield from ((page, found) for found in choose.findall(page.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site, a warning being an error."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going"]
    command += ["-d", str(out / "doctrees"), str(ROOT / "docs"), str(out / "html")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out / "html"


class _Page(HTMLParser):
    """The ids of a page, what it links, and what it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.formulas = 0
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.formulas += tag == "math"
        self.ids |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a":
            self.links.append(values.get("href", ""))
        elif tag == "link" and values.get("rel") in ("stylesheet", "icon", "preload"):
            self.loads.append(values["href"])
        elif "src" in values:
            self.loads.append(values["src"])


@pytest.mark.timeout(600)
def test_the_site_is_whole_and_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = {path: _Page(path) for path in site.rglob("*.html")}
    assert len(pages) > 25
    wrong = []
    for path, page in pages.items():
        wrong += [f"{path.name} loads {one}" for one in page.loads if re.match(r"(\w+:)?//", one)]
        for link in [*page.links, *page.loads]:
            target, _, anchor = unquote(link).partition("#")
            file = (path.parent / target.partition("?")[0]) if target else path
            if re.match(r"\w+:", link) or "data:" in link:
                continue
            if not file.resolve().exists():
                wrong.append(f"{path.name}: {link} is not there")
            elif anchor and file.suffix == ".html" and anchor not in pages[file.resolve()].ids:
                wrong.append(f"{path.name}: {link} has no such place")
    assert wrong == []
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"url\(['\"]?(?:https?:)?//", styles) == []


@pytest.mark.timeout(600)
def test_formulas_and_the_tables_of_options_are_in_the_pages(site: Path) -> None:
    assert _Page(site / "how_it_works.html").formulas > 20
    assert "\\sum" not in (site / "how_it_works.html").read_text(encoding="utf-8")
    options = (site / "reference/options.html").read_text(encoding="utf-8")
    assert [name for name in BY_NAME if f"--{name}<" not in options] == []
    commands = (site / "reference/commands.html").read_text(encoding="utf-8")
    leaves = [name for name, context in ALL.items() if not isinstance(context.command, click.Group)]
    assert [name for name in (*leaves, *RELION) if f'id="{name.replace(" ", "-")}"' not in commands] == []


@pytest.mark.parametrize("page", OUTSIDE, ids=lambda page: page.name)
def test_the_links_of_a_page_outside_of_the_site_lead_somewhere(page: Path) -> None:
    from mdit_py_plugins.anchors.index import slugify

    text = page.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    for link in links:
        target, _, anchor = link.partition("#")
        file = page.parent / target if target else page
        assert file.exists(), link
        titles = re.findall(r"^#+ (.*)$", file.read_text("utf-8"), re.MULTILINE) if anchor else []
        assert not anchor or anchor in map(slugify, titles), link


def test_every_guide_is_linked_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    guides = [path.relative_to(ROOT).as_posix() for path in (ROOT / "docs/guides").glob("*.md")]
    assert [guide for guide in guides if f"]({guide})" not in readme] == []


def test_every_room_of_the_house_is_explained() -> None:
    table = re.findall(r"^\| (`.*?) \|", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.MULTILINE)
    rows = [set(re.findall(r"`(\w+)`", row)) for row in table]
    assert [layer for layer in map(set, LAYERS) if layer not in rows] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_cryoseg_parses(page: Path) -> None:
    for words in filter(_of_cryoseg, commands_of(page)):
        _parse(words)


def _parse(words: Sequence[str]) -> None:
    """Read a command line as its command does, but for files that are not here."""
    if words[0] in RELION:
        given, warnings = parse(RELION[words[0]][0], list(words[1:]))
        assert given["o"]
        assert warnings == ()
        return
    name, rest = words[0], list(words[1:])
    while isinstance(ALL[name].command, click.Group):
        name = f"{name} {rest.pop(0)}"
    context, command = ALL[name], ALL[name].command
    plain = click.Context(command, token_normalize_func=context.token_normalize_func)
    values, left, _ = command.make_parser(plain).parse_args(rest)
    assert left == []
    for param in command.params:
        value = values.get(str(param.name))
        is_given = isinstance(value, str | tuple | list) and len(value) > 0
        assert is_given or not param.required, f"{shlex.join(words)}: {param.name} is missing"
        if is_given and not isinstance(param.type, click.Path) and "DIR" not in str(param.metavar):
            param.type_cast_value(context, value)


def test_every_option_that_is_named_exists() -> None:
    params = [param for one in ALL.values() for param in one.command.params]
    params += [param for command, _ in RELION.values() for param in command.params]
    known = FOREIGN | {option for param in params for option in (*param.opts, *param.secondary_opts)}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    wrong = []
    # The page of maps names those of RELION and of its benchmark.
    pages = [page for page in PAGES if page.name != "maps.md"]
    for page, span in _named(pages, re.compile(r"`([^`\n]+)`")):
        if "benchmarks/" in span:
            continue
        options = re.findall(r"(?<![\w-])--\w[\w-]*", span)
        wrong += [f"{page.name}: {one}" for one in options if one not in known]
        if span.startswith("make ") and f"\n{span.split()[1]}:" not in makefile:
            wrong.append(f"{page.name}: {span}")
    assert wrong == []


def test_every_file_of_the_source_that_is_named_is_there() -> None:
    found = list(_named(PAGES, re.compile(r"`(?:python )?([\w./]+\.(?:py|md|toml))(?: [^`]*)?`")))
    places = (ROOT, ROOT / "cryoseg_ext")
    assert [
        f"{page.name}: {name}" for page, name in found if not any((one / name).exists() for one in places)
    ] == []
    assert len(found) > 30


def test_every_benchmark_that_a_figure_rests_on_takes_these_options() -> None:
    wrong = []
    found = list(_named(PAGES, re.compile(r"`(?:python )?(benchmarks/\w+\.py[^`]*)`")))
    for page, span in found:
        script, *words = shlex.split(span)
        source = (ROOT / script).read_text(encoding="utf-8") if (ROOT / script).exists() else ""
        missing = [word for word in words if word.startswith("--") and f'"{word}"' not in source]
        wrong += [f"{page.name}: {script} {one}" for one in (missing if source else ["is not there"])]
    assert wrong == []
    assert len(found) > 10


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
RUN = [page for page in PAGES if page != CARD and any(map(_of_cryoseg, commands_of(page)))]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)
def test_the_commands_of_a_page_run(page: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    for words in filter(_runs_here, commands_of(page)):
        _run(" ".join([shlex.join(words), *(more for word, more in SMALLER.items() if word in words)]))


def test_the_commands_that_run_are_most_of_them() -> None:
    every = [words for page in RUN for words in commands_of(page) if _of_cryoseg(words)]
    assert sum(map(_runs_here, every)) > 0.7 * len(every) > 20


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", [one for one in PAGES if _blocks(one, "python")], ids=lambda page: page.name)
def test_the_python_of_a_page_runs(page: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    names: dict[str, object] = {}
    for block in _blocks(page, "python"):
        # Those of a server have tests of their own.
        if "cryoseg_ext.cryosparc" not in block:
            exec(compile(block, str(page), "exec"), names)


def _runs_here(words: Sequence[str]) -> bool:
    # Training on simulation alone calibrates for minutes.
    is_long = words[:2] == ["cryoseg", "train"] and "--in_mics" not in words
    return _of_cryoseg(words) and not ELSEWHERE.intersection(words) and not is_long


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
