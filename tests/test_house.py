"""The rule of the house: who may import whom, how large things may be, and that parameters are explained.

All is read from the syntax trees.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("cryoseg_ext", "relion_wrapper")
LAYERS = (
    ("arrays", "errors", "words"),
    ("extras", "files", "picks", "processes", "progress"),
    ("options", "image", "network"),
    ("crf", "extract", "formats"),
    ("model",),
    ("pipeline",),
    ("averages", "evaluation"),
    ("report", "simulation", "size"),
    ("job",),
    ("labels", "training", "tuning"),
    ("api", "cryosparc", "folder", "relion_wrapper"),
    ("cli",),
)
"""A room imports from itself and from the layers above its own line, never from its neighbours."""
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Place:
    """A function or a class, and where it stands."""

    path: Path
    node: Function | ast.ClassDef
    owner: ast.ClassDef | None = None

    def __str__(self) -> str:
        names = [part.name for part in (self.owner, self.node) if part]
        return f"{self.path.relative_to(ROOT)}:{self.node.lineno} {'.'.join(names)}"

    @property
    def is_public(self) -> bool:
        return not any(part.name.startswith("_") for part in (self.owner, self.node) if part)

    @property
    def parameters(self) -> list[str]:
        """The names of what it is called with; of a dataclass its fields."""
        if isinstance(self.node, ast.ClassDef):
            made = [one for one in _functions(self.node) if one.name == "__init__"]
            if made:
                return Place(self.path, made[0], self.node).parameters
            is_dataclass = any("dataclass" in ast.dump(one) for one in self.node.decorator_list)
            fields = [one for one in self.node.body if isinstance(one, ast.AnnAssign) and is_dataclass]
            return [
                one.target.id
                for one in fields
                if isinstance(one.target, ast.Name)
                and not (one.value and "init=False" in ast.unparse(one.value))
            ]
        arguments = self.node.args
        names = [one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
        return names[1:] if self.owner and names[:1] in (["self"], ["cls"]) else names


def _files() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _room(module: str) -> str | None:
    """Return the room of a module of ours; the faces of the two packages stand above the house."""
    top, *below = module.split(".")
    if top == "relion_wrapper":
        return top
    return below[0] if top == "cryoseg_ext" and below else None


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def _functions(node: ast.Module | ast.ClassDef) -> list[Function]:
    return [one for one in node.body if isinstance(one, Function)]


def _places() -> Iterator[Place]:
    """Yield all functions, classes and methods that do not stand within a function."""
    for path in _files():
        tree = _tree(path)
        yield from (Place(path, one) for one in _functions(tree))
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                yield Place(path, node)
                yield from (Place(path, one, node) for one in _functions(node))


def _is_command(node: Function | ast.ClassDef) -> bool:
    """Return whether click calls it; the help of its options explains its parameters."""
    calls = (one.func for one in node.decorator_list if isinstance(one, ast.Call))
    return any(isinstance(one, ast.Attribute) and one.attr in ("command", "group") for one in calls)


def _explained(docstring: str) -> set[str]:
    """Return the names that a Parameters section has."""
    _, _, rest = docstring.partition("\nParameters\n----------\n")
    section = re.split(r"\n\w+\n---", rest)[0]
    heads = (line.partition(" : ")[0] for line in section.splitlines() if line and not line.startswith(" "))
    return {name.strip().lstrip("*") for head in heads for name in head.split(",")}


def _overrides(place: Place, classes: dict[str, ast.ClassDef]) -> bool:
    """Return whether a class above has the method, and so explains it."""
    bases = [ast.unparse(one) for one in place.owner.bases] if place.owner else []
    for name in bases:
        if name.startswith(("click.", "torch.autograd.")):
            return True
        above = classes.get(name)
        if above and (
            place.node.name in {one.name for one in _functions(above)}
            or _overrides(Place(place.path, place.node, above), classes)
        ):
            return True
    return False


def test_every_room_imports_only_what_stands_below_it() -> None:
    wrong = []
    for path in _files():
        room = _room(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for module in _imports(path):
            other = _room(module)
            if room in LEVEL and other in LEVEL and other != room and LEVEL[other] >= LEVEL[room]:
                wrong.append(f"{path.relative_to(ROOT)} imports {module}")
    assert wrong == []


def test_every_module_has_a_room() -> None:
    rooms = {_room(".".join(path.relative_to(ROOT).with_suffix("").parts)) for path in _files()}
    assert rooms - {None, "__init__"} == set(LEVEL)


@pytest.mark.parametrize("path", _files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_fits_in_a_mind(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


def test_every_parameter_is_explained_where_there_are_several() -> None:
    places = list(_places())
    classes = {one.node.name: one.node for one in places if isinstance(one.node, ast.ClassDef)}
    missing = [
        f"{place}: {', '.join(sorted(unexplained))}"
        for place in places
        if place.is_public and len(place.parameters) >= 3 and place.node.name != "__init__"
        if not _is_command(place.node) and not _overrides(place, classes)
        if (unexplained := set(place.parameters) - _explained(ast.get_docstring(place.node) or ""))
    ]
    assert missing == []


def test_few_functions_have_many_parameters() -> None:
    functions = [place for place in _places() if not isinstance(place.node, ast.ClassDef)]
    number = {str(place): len(place.parameters) for place in functions}
    assert {name: n for name, n in number.items() if n > 8} == {}
    many = {name: n for name, n in number.items() if n > 6}
    assert len(many) <= 10, many
