"""The scripts in benchmarks, as tests call them."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def run_benchmark(name: str) -> dict[str, Any]:
    """Return what a script defines, beside the others of its folder as when it is run."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        return runpy.run_path(str(BENCHMARKS / name))
    finally:
        sys.path.remove(str(BENCHMARKS))
