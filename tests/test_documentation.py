"""The documentation is whole, can be read without a network, and what it names is there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import click
import pytest

from cryoseg_ext.options.table import BY_NAME
from relion_wrapper.command import parse
from tests.commands import ALL
from tests.pages import OUTSIDE, PAGES, RELION, ROOT, commands_of, of_cryoseg
from tests.test_house import LAYERS

# Options of other programs that the pages name.
FOREIGN = {"--pipeline_control", "--nproc_per_node", "--no-python", "--nworkers", "--nthreads", "--up-scale"}
FOREIGN |= {"--scale", "--help"}


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
def test_every_commandof_cryoseg_parses(page: Path) -> None:
    for words in filter(of_cryoseg, commands_of(page)):
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
