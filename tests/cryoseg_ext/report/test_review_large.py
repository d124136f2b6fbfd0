"""The picking page of a session of thousands of micrographs, in a real browser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cryoseg_ext.formats.edits import read_edits
from cryoseg_ext.formats.micrographs import ListedMicrograph, MicrographList
from cryoseg_ext.picks import Picks
from tests.benchmark import run_benchmark
from tests.browser import Browser, browser
from tests.cryoseg_ext.report.test_review_edits import places

__all__ = ["browser"]


@pytest.mark.chromium
def test_50_edits_on_a_page_of_5000_micrographs_are_saved_exactly(browser: Browser, tmp_path: Path) -> None:
    large = run_benchmark("review_page.py")
    page, shape = tmp_path / "review.html", large["SHAPE_PX"]
    names, candidates = large["write_page"](page, 5000)
    assert page.stat().st_size < 8_000_000
    browser.open(page)
    row = int((browser.find("#pictures figure").get_attribute("id") or "").rpartition("-")[2])
    name, some = names[0], candidates[0].above(large["THRESHOLD"])
    assert browser.driver.execute_script("return rows[arguments[0]].name", row) == name
    free = _free_places(candidates[0], large["DIAMETER_PX"])[:25]
    rejected = np.stack([some.x_px, some.y_px], axis=1)[:25]
    browser.click_picture(row, shape, *np.stack([rejected, free], axis=1).reshape(-1, 2))
    listed = MicrographList(Path("m.star"), {name: ListedMicrograph(name, Path(name), 1.0, shape)})
    picks = read_edits(browser.download("#star"), listed).picks[name]
    kept = places(some.at(np.arange(25, len(some))))
    assert kept < places(picks)
    added = np.array(sorted(places(picks) - kept))
    assert added.shape == (25, 3)
    apart_px = np.hypot(*(added[:, None, :2] - free[None]).transpose(2, 0, 1))
    # The mouse hits whole pixels of the screen, 5 px of the micrograph.
    assert apart_px.min(axis=1).max() < 12
    assert set(apart_px.argmin(axis=1)) == set(range(25))


def _free_places(candidates: Picks, diameter_px: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return ``(n, 2)`` places that are farther than a diameter from any candidate and from each other."""
    grid = np.arange(150.0, 3900.0, 1.2 * diameter_px)
    places = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    distance = np.hypot(places[:, :1] - candidates.x_px, places[:, 1:] - candidates.y_px)
    return places[distance.min(axis=1) > diameter_px]
