"""Damaged files of every kind that is read end in a result or in one sentence, soon and in little memory."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

MUTATIONS = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks/mutations.py"))


@pytest.mark.parametrize("kind", MUTATIONS["READERS"])
def test_damaged_files_are_read_or_refused_in_one_sentence(kind: str, tmp_path: Path) -> None:
    assert MUTATIONS["escapes"](kind, 150, 1, tmp_path) == {}
