"""Settings that every test shares."""

from __future__ import annotations

import os
import shutil

import pytest
from hypothesis import settings

os.environ["MPLBACKEND"] = "Agg"

# No deadline: the first example of a test pays for imports, and a CI machine is shared.
settings.register_profile("cryoseg", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("cryoseg")

RELION_PROGRAMS = ("relion_pipeliner", "relion_preprocess")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a `relion` test where RELION is missing, or fail it where CRYOSEG_REQUIRE_RELION=1."""
    if item.get_closest_marker("relion") is None:
        return
    missing = [program for program in RELION_PROGRAMS if shutil.which(program) is None]
    if not missing:
        return
    reason = f"RELION is not installed: no {' and no '.join(missing)} on PATH"
    if os.environ.get("CRYOSEG_REQUIRE_RELION") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
