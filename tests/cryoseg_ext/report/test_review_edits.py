"""Editing on the page, in a real browser and by mouse and keys: what is seen is what is saved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from cryoseg_ext.averages import ClassAverage
from cryoseg_ext.formats.edits import Edits, read_edits
from cryoseg_ext.formats.micrographs import ListedMicrograph, MicrographList
from cryoseg_ext.formats.reading import read_picks
from cryoseg_ext.image.areas import AreaShares, assess
from cryoseg_ext.picks import Picks
from cryoseg_ext.report.content import Overlay, Report, count_scores
from cryoseg_ext.report.preview import Preview
from cryoseg_ext.report.review import write_review
from tests.browser import Browser, browser

__all__ = ["browser"]

SHAPE_PX, DIAMETER_PX, THRESHOLD = (400, 800), 50.0, 0.5
NAMES = ["Mics/a 1.mrc", 'Mics/b "2", c.mrc', "Mics/c.mrc", "Mics/d.mrc"]
LISTED = MicrographList(
    Path("micrographs.star"), {name: ListedMicrograph(name, Path(name), 2.0, SHAPE_PX) for name in NAMES}
)
PICTURED = (0, 2)
SPACING_PX = 100
N_ABOVE, N_CANDIDATES = 11, 21
"""The candidates of a micrograph lie on a grid, in the order of their scores."""


def _candidates(number: int) -> Picks:
    rng = np.random.default_rng(number)
    x, y = np.meshgrid(np.arange(7), np.arange(3))
    x_px, y_px = (
        np.round(SPACING_PX * (grid.ravel() + 0.7) + rng.uniform(-9, 9, N_CANDIDATES), 2) for grid in (x, y)
    )
    score = np.round(np.linspace(0.96, 0.04, N_CANDIDATES) + rng.uniform(0, 0.02, N_CANDIDATES), 6)
    return Picks(x_px, y_px, score)


CANDIDATES = [_candidates(number) for number in range(len(NAMES))]
BOXES = np.random.default_rng(0).integers(0, 32, (N_CANDIDATES, 36, 36), np.uint8)
PREVIEW = Preview(
    np.full((100, 200), 9, np.uint8),
    np.eye(100, 200) > 0,
    np.eye(100, 200) > 0,
    SHAPE_PX,
    BOXES,
    np.arange(N_CANDIDATES),
)


def _write(path: Path, edits: Edits | None = None) -> Path:
    edits = edits or Edits()
    picks = [edits.picks_of(name, one, THRESHOLD) for name, one in zip(NAMES, CANDIDATES, strict=True)]
    overlays = [
        Overlay(NAMES[row], PREVIEW, picks[row], DIAMETER_PX, candidates=CANDIDATES[row]) for row in PICTURED
    ]
    counts = np.stack([count_scores(one.score) for one in CANDIDATES])
    averages = [ClassAverage(BOXES[at].astype(np.float32), number) for at, number in enumerate((1200, 300))]
    n_picks = [len(one) for one in picks]
    report = Report("External/job002", THRESHOLD, n_picks, counts, overlays, averages=averages)
    commands = {"Again": "cryoseg-relion --in_coords {edits} --threshold {threshold}"}
    qualities = [assess(one, AreaShares(0.1 * at, 0.0, 0.0), 100) for at, one in enumerate(picks)]
    write_review(path, report, NAMES, qualities, edits, commands)
    return path


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Browser:
    """Return the browser with the page open."""
    (tmp_path / "job002").mkdir()
    browser.open(_write(tmp_path / "job002/review.html"))
    return browser


def _picks(page: Browser, row: int) -> int:
    return int(page.driver.find_elements(By.CSS_SELECTOR, f"[data-number='{row}'] td")[1].text)


def _text(page: Browser, selector: str) -> str:
    return page.driver.find_element(By.CSS_SELECTOR, selector).text


def _click_candidate(page: Browser, row: int, number: int) -> None:
    one = CANDIDATES[row]
    page.click_picture(row, SHAPE_PX, (one.x_px[number], one.y_px[number]))


def _key(page: Browser, *keys: str) -> None:
    chain = ActionChains(page.driver)
    for key in keys[:-1]:
        chain.key_down(key)
    chain.send_keys(keys[-1])
    for key in keys[:-1]:
        chain.key_up(key)
    chain.perform()


def _saved(page: Browser) -> Edits:
    return read_edits(page.download("#star"), LISTED)


def places(picks: Picks) -> set[tuple[float, float, float]]:
    """Return picks in no order."""
    return set(zip(picks.x_px.tolist(), picks.y_px.tolist(), picks.score.tolist(), strict=True))


@pytest.mark.chromium
def test_clicks_reject_add_and_take_in_and_each_can_be_undone(page: Browser) -> None:
    _click_candidate(page, 0, 3)
    assert _picks(page, 0) == N_ABOVE - 1
    page.click_picture(0, SHAPE_PX, (130.0, 130.0))
    assert _picks(page, 0) == N_ABOVE
    page.click("[data-hides=no-faint]")
    _click_candidate(page, 0, N_CANDIDATES - 1)
    assert _picks(page, 0) == N_ABOVE + 1
    assert "picks of 1 micrograph edited; not saved" in _text(page, "#edits")
    picks = _saved(page).picks[NAMES[0]]
    assert "not saved" not in _text(page, "#edits")
    kept = places(CANDIDATES[0].at(np.delete(np.arange(N_ABOVE), 3)))
    taken = places(CANDIDATES[0].at(np.array([N_CANDIDATES - 1])))
    assert kept | taken < places(picks)
    ((x_px, y_px, score),) = places(picks) - kept - taken
    assert [x_px, y_px] == pytest.approx([130, 130], abs=1.5)
    assert score == 1
    # Once more takes each back, in another order than they were made in.
    page.click_picture(0, SHAPE_PX, (130.0, 130.0))
    _click_candidate(page, 0, 3)
    _click_candidate(page, 0, N_CANDIDATES - 1)
    assert "edited" not in _text(page, "#edits")
    for _ in range(3):
        _key(page, Keys.CONTROL, "z")
    assert _picks(page, 0) == N_ABOVE + 1
    for _ in range(3):
        _key(page, Keys.CONTROL, "z")
    assert _picks(page, 0) == N_ABOVE
    assert not page.find("#undo").is_enabled()
    _key(page, Keys.CONTROL, Keys.SHIFT, "z")
    page.click("#redo")
    assert _picks(page, 0) == N_ABOVE
    assert "not saved" in _text(page, "#edits")


@pytest.mark.chromium
def test_a_click_hits_the_pick_within_its_radius_and_a_drag_does_nothing(page: Browser) -> None:
    one, reach = CANDIDATES[0], DIAMETER_PX / 2
    _click_candidate(page, 0, 5)
    page.click_picture(0, SHAPE_PX, (one.x_px[5] + 0.8 * reach, one.y_px[5]))
    assert _picks(page, 0) == N_ABOVE
    page.click_picture(0, SHAPE_PX, (one.x_px[5] + 1.3 * reach, one.y_px[5]))
    assert _picks(page, 0) == N_ABOVE + 1
    page.drag_on_picture(0, SHAPE_PX, (one.x_px[2], one.y_px[2]), (one.x_px[2] + 60, one.y_px[2] + 40))
    assert _picks(page, 0) == N_ABOVE + 1
    page.click("[data-hides=no-picks]")
    _click_candidate(page, 0, 5)
    assert _picks(page, 0) == N_ABOVE + 1


@pytest.mark.chromium
def test_picks_are_edited_by_the_keyboard_alone(page: Browser) -> None:
    page.driver.execute_script("document.querySelector('#picture-2 .layers').focus()")
    for key in (Keys.ENTER, "n", "n", Keys.ENTER):
        _key(page, key)
    assert _picks(page, 2) == N_ABOVE - 1
    # From pick to pick, down into the gap between the rows of the grid.
    for key in ("n", *[Keys.ARROW_DOWN] * 4, *[Keys.ARROW_RIGHT] * 4, Keys.ENTER, "a", Keys.ESCAPE):
        _key(page, key)
    assert _picks(page, 2) == N_ABOVE
    assert "large" not in (page.find("#picture-2").get_attribute("class") or "")
    saved = _saved(page)
    assert saved.selected == {NAMES[2]: True}
    assert places(saved.picks[NAMES[2]]).issuperset(places(CANDIDATES[2].at(np.array([0, 2, 3]))))


@pytest.mark.chromium
def test_micrographs_are_decided_one_by_one_by_keys_and_by_a_filter(page: Browser) -> None:
    page.click("[data-number='1'] [data-accepts=no]")
    assert f"{3 * N_ABOVE} picks on 3 micrographs" in _text(page, "#summary")
    page.click("#picture-2 .bar button:nth-child(2)")
    assert f"{2 * N_ABOVE} picks on 2 micrographs" in _text(page, "#summary")
    page.driver.execute_script("document.querySelector('[data-number=\"2\"]').focus()")
    for key in ("u", Keys.ARROW_DOWN, "a"):
        _key(page, key)
    assert _text(page, "#edits") == "1 micrograph accepted, 1 micrograph rejected; not saved"
    assert _saved(page).selected == {NAMES[1]: False, NAMES[3]: True}
    page.find("#filter-name").send_keys("mics/")
    page.find("#filter-column").send_keys("Contaminated")
    page.find("#filter-value").send_keys("5")
    assert _text(page, "#filtered") == "3 of 4 micrographs"
    page.click("#reject-all")
    assert f"{N_ABOVE} picks on 1 micrograph " in _text(page, "#summary")
    _key(page, Keys.CONTROL, "z")
    page.click("#accept-all")
    page.find("#filter-decision").send_keys("undecided")
    assert _text(page, "#filtered") == "0 of 4 micrographs"
    assert _saved(page).selected == dict.fromkeys(NAMES[1:], True)


@pytest.mark.chromium
def test_the_gallery_shows_what_the_threshold_cuts_and_decides_on_picks(page: Browser) -> None:
    def boxes(state: str) -> int:
        return len(page.driver.find_elements(By.CSS_SELECTOR, f"#all-boxes [aria-pressed={state}]"))

    assert (boxes("true"), boxes("false")) == (2 * N_ABOVE, 2 * (N_CANDIDATES - N_ABOVE))
    bands = [
        line.get_attribute("class") for line in page.driver.find_elements(By.CSS_SELECTOR, "#bands > div")
    ]
    assert bands == [""] * 5 + ["cut"] * 5
    page.move_threshold(0.75)
    bands = [
        line.get_attribute("class") for line in page.driver.find_elements(By.CSS_SELECTOR, "#bands > div")
    ]
    assert bands == ["", "", "divided"] + ["cut"] * 7
    above = [one.above(0.75) for one in CANDIDATES]
    assert boxes("true") == sum(len(above[row]) for row in PICTURED)
    page.click("#all-boxes button")
    best = max(PICTURED, key=lambda row: CANDIDATES[row].score[0])
    assert _picks(page, best) == len(above[best]) - 1
    assert NAMES[best] in _text(page, "#located")
    assert "not picked" in _text(page, "#located")
    assert page.driver.find_element(By.CSS_SELECTOR, f"#picture-{best} .mark").get_attribute("d")
    page.find("#order").send_keys("lowest")
    page.click("#all-boxes button")
    worst = min(PICTURED, key=lambda row: CANDIDATES[row].score[-1])
    saved = _saved(page).picks[NAMES[worst]]
    assert saved.score.min() == CANDIDATES[worst].score[-1]


@pytest.mark.chromium
def test_averages_are_shown_with_the_number_of_their_particles(page: Browser) -> None:
    shown = page.driver.find_elements(By.CSS_SELECTOR, "#averages figure")
    assert [figure.text for figure in shown] == ["1,200 (80 %)", "300 (20 %)"]
    widths = "return [...document.querySelectorAll('#averages img')].map((image) => image.naturalWidth)"
    assert page.driver.execute_script(widths) == [36, 36]


@pytest.mark.chromium
def test_both_files_hold_the_picks_exactly_and_the_page_begins_where_they_ended(
    page: Browser, tmp_path: Path
) -> None:
    page.move_threshold(0.3)
    for number in (0, 4, 20):
        _click_candidate(page, 0, number)
    page.click_picture(2, SHAPE_PX, (333.0, 20.0))
    page.click("[data-number='1'] [data-accepts=no]")
    star, csv = page.download("#star"), page.download("#csv")
    assert (star.stem[:12], csv.suffix) == ("job002_edits", ".csv")
    edits = read_edits(star, LISTED)
    assert read_picks(star).keys() == read_picks(csv).keys() == {NAMES[0], NAMES[2]}
    for name, picks in read_picks(csv).items():
        np.testing.assert_array_equal(picks.x_px, edits.picks[name].x_px)
        np.testing.assert_array_equal(picks.y_px, edits.picks[name].y_px)
        np.testing.assert_array_equal(picks.score, edits.picks[name].score)
    picked = {row: len(edits.picks[NAMES[row]]) for row in PICTURED}
    above = len(CANDIDATES[0].above(0.3))
    assert picked == {0: above - 1, 2: len(CANDIDATES[2].above(0.3)) + 1}
    page.open(_write(tmp_path / "job002/again.html", edits))
    assert {row: _picks(page, row) for row in PICTURED} == picked
    assert "picks on 3 micrographs" in _text(page, "#summary")
    assert "not saved" not in _text(page, "#edits")
    again = _saved(page)
    assert again.selected == edits.selected
    for name, picks in edits.picks.items():
        assert places(again.picks[name]) == places(picks)


@pytest.mark.chromium
def test_picks_of_another_program_on_a_micrograph_without_a_picture_are_saved_again(
    page: Browser, tmp_path: Path
) -> None:
    elsewhere = Picks(np.array([5.25, 70.5]), np.array([9.0, 300.75]), np.array([0.4, 0.3]))
    page.open(_write(tmp_path / "job002/other.html", Edits(picks={NAMES[3]: elsewhere})))
    page.move_threshold(0.9)
    assert _picks(page, 3) == 2
    assert places(_saved(page).picks[NAMES[3]]) == places(elsewhere)


@pytest.mark.chromium
def test_the_command_is_shown_and_copied_and_leaving_warns_of_what_is_not_saved(page: Browser) -> None:
    warns = (
        "const event = new Event('beforeunload', {cancelable: true}); window.dispatchEvent(event);"
        "return event.defaultPrevented"
    )
    page.move_threshold(0.62)
    command = "cryoseg-relion --in_coords job002_edits.star --threshold 0.62"
    assert _text(page, "#commands code") == command
    page.click("#commands button")
    assert page.driver.execute_script("return getSelection().toString()") == command
    assert not page.driver.execute_script(warns)
    page.click("#picture-0 .bar button")
    assert page.driver.execute_script(warns)
    page.download("#star")
    assert not page.driver.execute_script(warns)
    assert page.driver.get_log("browser") == []  # type: ignore[no-untyped-call]
