"""The page in a real browser, opened from disk and worked as a user would."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from cryoseg_ext.image.areas import AreaShares, assess
from cryoseg_ext.job.finished import FinishedMicrograph
from cryoseg_ext.job.reports import overlay_of
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.picks import Picks
from cryoseg_ext.report.content import Overlay, Report, count_scores
from cryoseg_ext.report.preview import Preview
from cryoseg_ext.report.review import write_review
from tests.browser import Browser, browser

__all__ = ["browser"]

SHAPE_PX, DIAMETER_PX, THRESHOLD = (400, 800), 50.0, 0.4213
# The second would run a script, and the third end the page's own, if names were not escaped.
NAMES = ["Mics/a 10.mrc", "Mics/<img src=x onerror=alert(1)>.mrc", "Mics/</script><b>.mrc", "Mics/a 9.mrc"]
CONTAMINATED = [0.2, 0.0, 0.05, 0.4]
PICTURED = (0, 2, 3)


def _picks(number: int) -> Picks:
    rng = np.random.default_rng(number)
    score = np.round(np.sort(rng.uniform(0.02, 1, 30 + 20 * number))[::-1], 6)
    return Picks(rng.uniform(0, 800, len(score)), rng.uniform(0, 400, len(score)), score)


PREVIEW = Preview(np.full((100, 200), 9, np.uint8), np.eye(100, 200) > 0, np.eye(100, 200) > 0, SHAPE_PX)
CANDIDATES = [_picks(number) for number in range(len(NAMES))]


def _report(candidates: list[Picks], overlays: list[Overlay], skipped: Sequence[str] = ()) -> Report:
    counts = np.stack([count_scores(one.score) for one in candidates])
    return Report("External/job002", THRESHOLD, [len(one) for one in candidates], counts, overlays, skipped)


def _write(path: Path) -> None:
    picks = [candidates.above(THRESHOLD) for candidates in CANDIDATES]
    overlays = [
        Overlay(NAMES[row], PREVIEW, picks[row], DIAMETER_PX, candidates=CANDIDATES[row]) for row in PICTURED
    ]
    qualities = [
        assess(one, AreaShares(share, share / 2, 0.1), 100)
        for one, share in zip(picks, CONTAMINATED, strict=True)
    ]
    report = _report(CANDIDATES, overlays, ["b.mrc is <truncated>"])
    write_review(path, report, NAMES, qualities)


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> webdriver.Chrome:
    """Return the browser with the page open."""
    _write(tmp_path / "review.html")
    return browser.open(tmp_path / "review.html")


def _column(page: webdriver.Chrome, number: int) -> list[str]:
    return [cell.text for cell in page.find_elements(By.CSS_SELECTOR, f"tbody td:nth-child({number})")]


def _click_heading(page: webdriver.Chrome, label: str) -> None:
    page.find_element(By.XPATH, f"//th/button[text()='{label}']").click()


def _drawn(page: webdriver.Chrome, row: int) -> str:
    return page.find_element(By.CSS_SELECTOR, f"#picture-{row} path").get_attribute("d") or ""


def _circles(page: webdriver.Chrome, row: int) -> int:
    return _drawn(page, row).count("M")


@pytest.mark.chromium
def test_it_shows_all_micrographs_by_name_and_loads_nothing(page: webdriver.Chrome) -> None:
    assert _column(page, 1) == NAMES
    assert "b.mrc is <truncated>" in page.find_element(By.ID, "skipped").text
    counts = [len(candidates.above(THRESHOLD)) for candidates in CANDIDATES]
    assert _column(page, 2) == [str(count) for count in counts]
    assert f"{sum(counts)} picks on 4 micrographs" in page.find_element(By.ID, "summary").text
    assert page.get_log("browser") == []  # type: ignore[no-untyped-call]
    loaded: list[Any] = page.execute_script(
        "return performance.getEntriesByType('resource').map((one) => one.name)"
        ".filter((name) => !name.startsWith('data:'))"
    )
    assert loaded == []


@pytest.mark.chromium
def test_a_heading_sorts_table_and_pictures_and_once_more_the_other_way(page: webdriver.Chrome) -> None:
    _click_heading(page, "Contaminated, %")
    assert _column(page, 4) == ["40.0", "20.0", "5.0", "0.0"]
    pictures = page.find_elements(By.CSS_SELECTOR, "#pictures figure")
    assert [one.get_attribute("id") for one in pictures] == ["picture-3", "picture-0", "picture-2"]
    _click_heading(page, "Contaminated, %")
    assert _column(page, 4) == ["0.0", "5.0", "20.0", "40.0"]
    _click_heading(page, "Micrograph")
    assert _column(page, 1)[-2:] == ["Mics/a 9.mrc", "Mics/a 10.mrc"]
    # Of the film, which is half of what is contaminated.
    assert _column(page, 8).count("carbon or edge") == 1
    page.find_element(By.ID, "filter-name").send_keys("carbon")
    assert _column(page, 1) == ["Mics/a 9.mrc"]


@pytest.mark.chromium
def test_the_threshold_filters_circles_counts_and_scores(page: webdriver.Chrome, browser: Browser) -> None:
    assert _circles(page, 3) == len(CANDIDATES[3].above(THRESHOLD))
    for threshold in (0.75, 0.29):
        browser.move_threshold(threshold)
        kept = [candidates.above(threshold) for candidates in CANDIDATES]
        assert _column(page, 2) == [str(len(picks)) for picks in kept]
        assert [_circles(page, row) for row in PICTURED] == [len(kept[row]) for row in PICTURED]
        means = [float(np.mean(picks.score)) for picks in kept]
        assert [float(text) for text in _column(page, 3)] == pytest.approx(means, abs=0.005)
    page.find_element(By.ID, "reset").click()
    assert _column(page, 2) == [str(len(candidates.above(THRESHOLD))) for candidates in CANDIDATES]


@pytest.mark.chromium
def test_circles_lie_on_their_places_in_the_picture_and_hide(page: webdriver.Chrome) -> None:
    image, svg = (page.find_element(By.CSS_SELECTOR, f"#picture-0 {tag}") for tag in ("img", "svg"))
    assert svg.rect == pytest.approx(image.rect, abs=1)
    path = page.find_element(By.CSS_SELECTOR, "#picture-0 path").rect
    kept, scale = CANDIDATES[0].above(THRESHOLD), image.rect["width"] / SHAPE_PX[1]
    left = image.rect["x"] + scale * (np.rint(kept.x_px).min() + 0.5 - DIAMETER_PX / 2)
    top = image.rect["y"] + scale * (np.rint(kept.y_px).min() + 0.5 - DIAMETER_PX / 2)
    assert (path["x"], path["y"]) == (pytest.approx(left, abs=1.5), pytest.approx(top, abs=1.5))
    page.find_element(By.CSS_SELECTOR, "[data-hides=no-picks]").click()
    assert not svg.is_displayed()
    assert image.is_displayed()


@pytest.mark.chromium
def test_circles_of_a_mixture_have_the_sizes_of_their_particles(browser: Browser, tmp_path: Path) -> None:
    small, large = 90.0, 240.0
    picks = replace(CANDIDATES[0], diameter_A=np.where(CANDIDATES[0].score > 0.7, large, small))
    areas = AreaShares(0.1, 0.0, 0.0)
    finished = FinishedMicrograph("", THRESHOLD, picks, areas, SHAPE_PX, pixel_size_A=1.5)
    for options, expected_px in (
        (PickingOptions(large), {large / 1.5}),
        (PickingOptions(large, smallest_diameter_A=small), {small / 1.5, large / 1.5}),
    ):
        overlay = overlay_of(NAMES[0], PREVIEW, finished, options, picks.above(THRESHOLD))
        quality = assess(overlay.picks, areas, 100)
        write_review(tmp_path / "review.html", _report([picks], [overlay]), NAMES[:1], [quality])
        browser.open(tmp_path / "review.html")
        # An arc ends one diameter to the right of its start: "a radius radius 0 1 0 diameter 0".
        drawn_px = re.findall(r"0 1 0 (\d+) 0", _drawn(browser.driver, 0))
        assert len(drawn_px) == len(overlay.picks)
        assert set(map(float, drawn_px)) == expected_px


@pytest.mark.chromium
def test_a_long_table_shows_its_first_thousand_and_all_on_demand(browser: Browser, tmp_path: Path) -> None:
    areas, n = AreaShares(0.1, 0.0, 0.0), 1200
    quality = assess(CANDIDATES[0].above(THRESHOLD), areas, 100)
    report = _report([CANDIDATES[0]] * n, [])
    write_review(tmp_path / "review.html", report, [f"{i}.mrc" for i in range(n)], [quality] * n)
    browser.open(tmp_path / "review.html")
    lines = "return document.querySelectorAll('tbody tr').length"
    assert browser.driver.execute_script(lines) == 1000
    browser.click("#all")
    assert browser.driver.execute_script(lines) == n


@pytest.mark.chromium
def test_a_bin_of_any_size_is_counted(browser: Browser, tmp_path: Path) -> None:
    sizes = [1, 254, 255, 256, 511, 70]
    scores = [np.full(size, 0.905) for size in sizes]
    picks = [Picks(np.zeros(len(score)), np.zeros(len(score)), score) for score in scores]
    quality = [assess(one, AreaShares(0.1, 0.0, 0.0), 100) for one in picks]
    names = [f"{size}.mrc" for size in sizes]
    write_review(tmp_path / "review.html", _report(picks, []), names, quality)
    browser.open(tmp_path / "review.html")
    browser.move_threshold(0.9)
    assert _column(browser.driver, 2) == [str(size) for size in sizes]
