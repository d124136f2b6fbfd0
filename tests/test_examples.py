"""The examples in the docstrings run, and the public names have one."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import cryoseg_ext

ROOT = Path(cryoseg_ext.__file__).parent.parent
WITH_EXAMPLES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for package in ("cryoseg_ext", "relion_wrapper")
    for path in sorted((ROOT / package).rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_a_module_run(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert found.attempted > 0
    assert found.failed == 0


USED_FIRST = (
    "load_model",
    "pick",
    "segment",
    "PickResult",
    "Segmentation",
    "Picks",
    "CrfChoice",
    "ExtractionOptions",
)


@pytest.mark.parametrize("name", USED_FIRST)
def test_what_users_call_first_has_an_example(name: str) -> None:
    assert ">>> " in (getattr(cryoseg_ext, name).__doc__ or "")
