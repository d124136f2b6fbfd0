"""How large review.html is, and how long a browser takes to open it and to show an edit.

    python benchmarks/review_page.py [--micrographs 5000]

The page is that of a job on simulated noise with 300 candidates on each micrograph and as many pictures and
boxes of particles as a job keeps. It needs chromium and chromedriver.
"""

from __future__ import annotations

import argparse
import runpy
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from cryoseg_ext.image.areas import AreaShares, assess
from cryoseg_ext.picks import Picks
from cryoseg_ext.report.content import Overlay, Report, count_scores
from cryoseg_ext.report.preview import N_PREVIEWS, Preview, make_preview, with_boxes
from cryoseg_ext.report.review import write_review

SHAPE_PX, WORKING_PX, DIAMETER_PX = (4096, 4096), 919, 107.0
N_CANDIDATES, N_OPENED, THRESHOLD = 300, 5, 0.5


def candidates(number: int) -> Picks:
    """Return candidates on a grid, most of them sure or hardly any."""
    rng = np.random.default_rng(number)
    at = rng.permutation(24 * 24)[:N_CANDIDATES]
    score = np.sort(rng.beta(0.5, 0.5, N_CANDIDATES))[::-1]
    x_px, y_px = (
        np.round(165 * (grid + 0.8) + rng.uniform(-9, 9, len(at)), 2) for grid in (at % 24, at // 24)
    )
    return Picks(x_px, y_px, np.round(0.02 + 0.98 * score, 6))


def picture(number: int, some: Picks) -> Preview:
    """Return the preview of a noisy micrograph."""
    image = np.random.default_rng(number).normal(size=(WORKING_PX, WORKING_PX)).astype(np.float32)
    mask = gaussian_filter(image, 8) > 0.03
    scale = WORKING_PX / SHAPE_PX[0]
    preview = make_preview(image, mask, SHAPE_PX, gaussian_filter(image, 20) > 0.03)
    return with_boxes(preview, image, Picks(scale * some.x_px, scale * some.y_px, some.score))


def write_page(path: Path, n_micrographs: int) -> tuple[list[str], list[Picks]]:
    """Write the page; return the names of the micrographs with a picture, and their candidates."""
    names = [
        f"MotionCorr/job002/Movies/GridSquare_{i // 50}/FoilHole_{i:05d}.mrc" for i in range(n_micrographs)
    ]
    some = [candidates(number) for number in range(N_PREVIEWS)]
    counts = np.stack([count_scores(one.score) for one in some])
    quality = [assess(one.above(THRESHOLD), AreaShares(0.1, 0.05, 0.01), 100) for one in some]
    of = [i % N_PREVIEWS for i in range(n_micrographs)]
    # A micrograph in each part of the list, and all candidates different.
    pictured = [
        names[n_micrographs * number // N_PREVIEWS // N_PREVIEWS * N_PREVIEWS + number]
        for number in range(N_PREVIEWS)
    ]
    overlays = [
        Overlay(name, picture(number, one), one.above(THRESHOLD), DIAMETER_PX, candidates=one)
        for number, (name, one) in enumerate(zip(pictured, some, strict=True))
    ]
    report = Report("External/job002", THRESHOLD, [quality[i].n_picks for i in of], counts[of], overlays)
    write_review(path, report, names, [quality[i] for i in of])
    return pictured, some


def main() -> None:
    """Print sizes and times."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--micrographs", type=int, default=5000)
    n_micrographs = parser.parse_args().micrographs
    Browser = runpy.run_path(str(Path(__file__).parents[1] / "tests/browser.py"))["Browser"]
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "review.html"
        write_page(page, n_micrographs)
        print(f"{n_micrographs} micrographs, {page.stat().st_size / 1e6:.2f} MB")
        browser = Browser(Path(folder))
        opened_s, shown_s = [], []
        for _ in range(N_OPENED):
            start_s = time.perf_counter()
            browser.open(page)
            opened_s.append(time.perf_counter() - start_s)
            shown_s.append(
                browser.driver.execute_script(
                    "const start = performance.now(); toggleCandidate(data.pictures[0], 0);"
                    "document.body.getBoundingClientRect(); return performance.now() - start"
                )
                / 1000
            )
        browser.driver.quit()
    spread = f"{min(opened_s):.2f} to {max(opened_s):.2f}"
    print(f"opened in {statistics.median(opened_s):.2f} s ({spread}, {N_OPENED} times)")
    print(f"an edit is shown in {statistics.median(shown_s):.3f} s")


if __name__ == "__main__":
    main()
