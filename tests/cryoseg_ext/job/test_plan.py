from __future__ import annotations

import cProfile
import pstats
from pathlib import Path

import pytest

from cryoseg_ext.formats.micrographs import MicrographList, read_micrographs
from cryoseg_ext.job.host import Host
from cryoseg_ext.job.plan import plan
from cryoseg_ext.options.picking import PickingOptions


def _calls(listed: MicrographList) -> int:
    """Return how many functions are called to plan a job."""
    profile = cProfile.Profile()
    planned = profile.runcall(plan, listed, Host(Path("job")), PickingOptions(100.0), "digest", (), print)
    assert list(planned) == list(listed.by_name)
    return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]


def test_the_cost_of_a_plan_grows_with_the_list_and_no_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for number in range(3000):
        Path(f"in/{number:04}.mrc").touch()
    few, many = read_micrographs(["in/00*.mrc"]), read_micrographs(["in"])
    # What is called once, and imports, are not what grows.
    _calls(few)
    of_few, of_many = _calls(few) / len(few.by_name), _calls(many) / len(many.by_name)
    assert of_few / 2 < of_many < 1.05 * of_few
