from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine import Engine, blobs, write_micrograph


@pytest.fixture
def folder(tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, with three micrographs in ``in``."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate("abc"):
        write_micrograph(tmp_path / f"in/{name}.mrc", blobs(seed))
    return tmp_path
