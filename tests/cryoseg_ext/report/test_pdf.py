from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from scipy.ndimage import gaussian_filter

from cryoseg_ext.averages import ClassAverage
from cryoseg_ext.picks import Picks
from cryoseg_ext.report.content import SCORE_BINS, Overlay, Report, count_scores
from cryoseg_ext.report.pages import draw_overlay, pages_of, write_report
from cryoseg_ext.report.pixels import draw_pixels
from cryoseg_ext.report.preview import Preview, make_preview


def test_circles_lie_around_their_picks_and_the_first_row_is_on_top() -> None:
    nothing = np.zeros((100, 200), bool)
    blank = Preview(np.zeros((100, 200), np.uint8), nothing, nothing, (400, 800))
    pick = Picks(np.array([600.0]), np.array([100.0]), np.array([0.9]))
    overlay = Overlay("", blank, pick, diameter_px=80)
    # One pixel of the micrograph is one of the page, the title above it is 30 pt high.
    pixels = draw_pixels(lambda canvas: draw_overlay(canvas, (0, 0, 800, 430), overlay), (800, 430), dpi=72)
    yellow = (pixels[30:, :, 0] > 100) & (pixels[30:, :, 2] < 100)
    y, x = np.nonzero(yellow)
    distance = np.hypot(x - 600, y - 100)
    assert len(distance) > 50
    assert np.all(np.abs(distance - 40) < 3)


@pytest.mark.skipif(shutil.which("pdftoppm") is None, reason="needs Debian's poppler-utils")
def test_the_pdf_shows_what_the_picture_of_the_page_shows(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    mask = np.zeros((300, 300), bool)
    mask[50:90, 200:260] = True
    noise = Preview(rng.integers(0, 32, mask.shape, np.uint8), mask, mask[::-1], (3000, 3000))
    picks = Picks(rng.uniform(0, 3000, 60), rng.uniform(0, 3000, 60), rng.uniform(0, 1, 60))
    counts = np.tile(count_scores(picks.score), (9, 1))
    blob = gaussian_filter(rng.normal(size=(36, 36)), 3).astype(np.float32)
    averages = [ClassAverage(blob.T, 70), *[ClassAverage(blob, 30)] * 6]
    overlays = [Overlay("a (1).mrc", noise, picks, 200.0)]
    report = Report("External/job002", 0.5, [20] * 9, counts, overlays, ["b: gone"], averages)
    assert len(list(pages_of(report))) == 3
    write_report(tmp_path / "logfile.pdf", report)
    subprocess.run(["pdftoppm", "-r", "72", "-png", "logfile.pdf", "page"], cwd=tmp_path, check=True)
    for number, draw in enumerate(pages_of(report), start=1):
        page = imread(tmp_path / f"page-{number}.png")[..., :3] * 255
        drawn = draw_pixels(draw, dpi=72)
        assert page.shape == drawn.shape
        # The letters are of other fonts.
        far = np.abs(gaussian_filter(page - drawn, (4, 4, 0))).max(axis=2) > 60
        assert far.mean() < 0.003


def test_a_full_report_is_small_and_quick(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(900, 900)).astype(np.float32)
    preview = make_preview(noise, noise > 1, (4096, 4096))
    picks = Picks(rng.uniform(0, 4096, 400), rng.uniform(0, 4096, 400), rng.uniform(0, 1, 400))
    overlays = [Overlay(f"Micrographs/{number}.mrc", preview, picks, 107.0) for number in range(12)]
    counts = np.tile(count_scores(picks.score), (1000, 1))
    start_s = time.process_time()
    write_report(
        tmp_path / "logfile.pdf",
        Report("External/job002", 0.5, [200] * 1000, counts, overlays, ["a.mrc: $x$"] * 30),
    )
    # A tenth of a second; a slow processor shared with other jobs takes longer.
    assert time.process_time() - start_s < 1
    assert (tmp_path / "logfile.pdf").stat().st_size < 5_000_000


def test_a_report_without_picks_or_overlays_is_written(tmp_path: Path) -> None:
    write_report(
        tmp_path / "logfile.pdf",
        Report("External/job002", 0.5, [0], np.zeros((1, SCORE_BINS), np.uint16), []),
    )
    assert (tmp_path / "logfile.pdf").read_bytes().startswith(b"%PDF")
