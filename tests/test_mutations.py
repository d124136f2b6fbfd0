"""Damaged files of every kind that is read end in a result or in one sentence, soon and in little memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmark import run_benchmark

MUTATIONS = run_benchmark("mutations.py")


@pytest.mark.parametrize("kind", MUTATIONS["READERS"])
def test_damaged_files_are_read_or_refused_in_one_sentence(kind: str, tmp_path: Path) -> None:
    assert MUTATIONS["escapes"](kind, 150, 1, tmp_path) == {}
