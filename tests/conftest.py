"""Settings that every test shares."""

from __future__ import annotations

import os
import shutil
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engine import Engine

os.environ["MPLBACKEND"] = "Agg"
# `nohup` ignores it, and so would the programs that tests start.
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# No deadline: the first example of a test pays for imports, and a CI machine is shared.
settings.register_profile("cryoseg", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("cryoseg")

# By the marker of the tests that need them.
PROGRAMS = {
    "relion": ("relion_pipeliner", "relion_preprocess", "relion_star_handler"),
    "chromium": ("chromium", "chromedriver"),
}


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Put an engine that finds dark blobs in the place of the network."""
    from tests.engine import replace_network

    return replace_network(tmp_path / "model.safetensors", monkeypatch)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose programs are missing, or fail it where CRYOSEG_REQUIRE_RELION or _CHROMIUM is 1."""
    for marker, programs in PROGRAMS.items():
        missing = [program for program in programs if shutil.which(program) is None]
        if not missing or item.get_closest_marker(marker) is None:
            continue
        reason = f"{marker} is not installed: no {' and no '.join(missing)} on PATH"
        if os.environ.get(f"CRYOSEG_REQUIRE_{marker.upper()}") == "1":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
