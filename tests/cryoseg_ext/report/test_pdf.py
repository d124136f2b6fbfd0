from __future__ import annotations

import io
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imread

from cryoseg_ext.picks import Picks
from cryoseg_ext.report.pdf import Overlay, Report, draw_overlay, write_report
from cryoseg_ext.report.preview import Preview, make_preview

NO_PICKS = Picks(np.zeros(0), np.zeros(0), np.zeros(0))


def test_circles_lie_around_their_picks_and_the_first_row_is_on_top() -> None:
    nothing = np.zeros((100, 200), bool)
    blank = Preview(np.zeros((100, 200), np.uint8), nothing, nothing, (400, 800))
    pick = Picks(np.array([600.0]), np.array([100.0]), np.array([0.9]))
    figure = Figure(figsize=(8, 4), dpi=100)
    ax = figure.add_axes((0, 0, 1, 1))
    draw_overlay(ax, Overlay("", blank, pick, diameter_px=80))
    ax.set_axis_off()
    with io.BytesIO() as png:
        figure.savefig(png, format="png")
        png.seek(0)
        drawn = imread(png)[..., :3].sum(axis=2) > 0.4
    # The figure has as many pixels as the micrograph, so that its rows and columns are the micrograph's.
    y, x = np.nonzero(drawn)
    distance = np.hypot(x - 600, y - 100)
    assert len(distance) > 50
    assert np.all(np.abs(distance - 40) < 3)


def test_a_full_report_is_small_and_quick(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(900, 900)).astype(np.float32)
    preview = make_preview(noise, noise > 1, (4096, 4096))
    picks = Picks(rng.uniform(0, 4096, 400), rng.uniform(0, 4096, 400), rng.uniform(0, 1, 400))
    overlays = [Overlay(f"Micrographs/{number}.mrc", preview, picks, 107.0) for number in range(12)]
    start_s = time.process_time()
    write_report(
        tmp_path / "logfile.pdf",
        Report("External/job002", 0.5, [picks] * 1000, overlays, ["a.mrc: $x$"] * 30),
    )
    # Three seconds; a slow processor shared with other jobs takes six.
    assert time.process_time() - start_s < 12
    assert (tmp_path / "logfile.pdf").stat().st_size < 5_000_000


def test_a_report_without_picks_or_overlays_is_written(tmp_path: Path) -> None:
    write_report(tmp_path / "logfile.pdf", Report("External/job002", 0.5, [NO_PICKS], []))
    assert (tmp_path / "logfile.pdf").read_bytes().startswith(b"%PDF")
