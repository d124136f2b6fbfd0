"""A headless Chromium that opens pages from disk, is worked as a user would, and keeps what it downloads."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement


class Browser:
    """The browser, and the folder that it downloads to."""

    def __init__(self, folder: Path) -> None:
        self.downloads = folder / "downloads"
        self.downloads.mkdir()
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        # Without a sandbox because CI is root in a container; without the services that ask the network.
        for flag in (
            *("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-sync"),
            *("disable-background-networking", "disable-component-update", "window-size=1400,1000"),
            f"user-data-dir={folder / 'profile'}",
        ):
            options.add_argument(f"--{flag}")
        options.add_experimental_option("prefs", {"download.default_directory": str(self.downloads)})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = webdriver.ChromeService(shutil.which("chromedriver"))
        self.driver = webdriver.Chrome(options=options, service=service)

    def open(self, page: Path) -> webdriver.Chrome:
        """Open a page."""
        self.driver.get(page.absolute().as_uri())
        return self.driver

    def find(self, selector: str) -> WebElement:
        """Return an element, in the middle of the window."""
        element = self.driver.find_element(By.CSS_SELECTOR, selector)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        return element

    def click(self, selector: str) -> None:
        """Click the middle of an element."""
        self.find(selector).click()

    def click_picture(self, row: int, shape: tuple[int, int], *places_px: Sequence[float]) -> None:
        """Click places (x, y) of a picture, in pixels of its micrograph; to begin with, enlarge it."""
        layers, chain = self._large_picture(row)
        for across, down in _offsets(layers, shape, places_px):
            chain.move_to_element_with_offset(layers, across, down).click()
        chain.perform()

    def drag_on_picture(
        self, row: int, shape: tuple[int, int], from_px: Sequence[float], to_px: Sequence[float]
    ) -> None:
        """Press the mouse at a place of a large picture, and release it at another."""
        layers, chain = self._large_picture(row)
        start, end = _offsets(layers, shape, (from_px, to_px))
        chain.move_to_element_with_offset(layers, *start).click_and_hold()
        chain.move_to_element_with_offset(layers, *end).release().perform()

    def _large_picture(self, row: int) -> tuple[WebElement, ActionChains]:
        selector = f"#picture-{row} .layers"
        if not self.driver.find_elements(By.CSS_SELECTOR, f"#picture-{row}.large"):
            self.click(selector)
        return self.find(selector), ActionChains(self.driver, duration=0)

    def move_threshold(self, threshold: float) -> None:
        """Move the slider, and wait until the page shows it."""
        self.driver.execute_async_script(
            "const slider = document.getElementById('threshold'), done = arguments[1];"
            "slider.value = arguments[0];"
            "slider.dispatchEvent(new Event('input')); slider.dispatchEvent(new Event('change'));"
            "requestAnimationFrame(() => requestAnimationFrame(done));",
            threshold,
        )

    def download(self, selector: str) -> Path:
        """Click what starts a download, and return the file."""
        known = set(self.downloads.iterdir())
        self.click(selector)
        end_s = time.monotonic() + 20
        while time.monotonic() < end_s:
            new = set(self.downloads.iterdir()) - known
            if new and not any(path.suffix == ".crdownload" or path.name.startswith(".") for path in new):
                return new.pop()
            time.sleep(0.05)
        raise AssertionError(f"{selector} downloads nothing")


def _offsets(
    layers: WebElement, shape: tuple[int, int], places_px: Sequence[Sequence[float]]
) -> list[tuple[int, int]]:
    """Return pixels of the screen from the middle of a picture."""
    ny, nx = shape
    scale = layers.rect["width"] / nx
    return [
        (round(scale * (x_px + 0.5 - nx / 2)), round(scale * (y_px + 0.5 - ny / 2)))
        for x_px, y_px in places_px
    ]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Return a browser that all tests of a file share."""
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.driver.quit()
