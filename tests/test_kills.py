"""A job that is killed anywhere and given again ends in the same bytes; `benchmarks/kills.py` does many."""

from __future__ import annotations

import pytest

from tests.benchmark import run_benchmark

KILLS = run_benchmark("kills.py")


@pytest.mark.timeout(600)
def test_a_job_that_was_killed_ends_in_the_same_bytes() -> None:
    whole, found = KILLS["faults"](KILLS["COMMANDS"]["pick"], 2, 1)
    assert found == []
    assert whole.n_operations > 20
    assert all(whole.content.values()), "two undisturbed runs differ"
