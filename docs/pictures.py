"""The pictures of the pages, made anew from the demo's project.

    python docs/pictures.py

Runs the demo in a temporary folder, draws the steps of one of its micrographs (``_static/steps.jpg``), and
photographs ``review.html`` in Chromium (``_static/review.jpg``).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Circle
from PIL import Image
from selenium import webdriver

import cryoseg_ext
from cryoseg_ext.image.reading import read_micrograph
from cryoseg_ext.image.repair import repair
from cryoseg_ext.image.scale import to_working_scale
from relion_wrapper.demo import DIAMETER_A, JOB

STATIC = Path(__file__).parent / "_static"
WINDOW_PX = (1280, 1250)


def main() -> None:
    """Make the pictures."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "demo"
        subprocess.run([sys.executable, "-m", "relion_wrapper.demo", str(folder)], check=True)
        draw_steps(min((folder / "Micrographs").glob("*.mrc")), STATIC / "steps.jpg")
        photograph(folder / JOB / "review.html", STATIC / "review.jpg")


def draw_steps(path: Path, out: Path) -> None:
    """Draw a micrograph, what the network says of it, and the picks.

    Parameters
    ----------
    path : Path
        The micrograph.
    out : Path
        The picture.
    """
    micrograph = read_micrograph(path)
    assert micrograph.pixel_size_A
    working = to_working_scale(repair(micrograph.image), micrograph.pixel_size_A, DIAMETER_A)
    maps = cryoseg_ext.segment(path, particle_diameter_A=DIAMETER_A)
    picks = cryoseg_ext.pick(path, particle_diameter_A=DIAMETER_A).picks
    figure, axes = plt.subplots(1, 4, figsize=(14, 3.8), layout="constrained")
    panels: list[tuple[str, Any, str]] = [
        ("working scale", working.image, "gray"),
        ("particle", maps.probability, "viridis"),
        ("contaminant", maps.contaminant, "viridis"),
        ("picks and scores", working.image, "gray"),
    ]
    for axis, (title, image, colours) in zip(axes, panels, strict=True):
        limits = (-2.5, 2.5) if colours == "gray" else (0, 1)
        axis.imshow(image, cmap=colours, vmin=limits[0], vmax=limits[1])
        axis.set_title(title)
        axis.set_axis_off()
    x_px, y_px = working.from_source_px(picks.x_px, picks.y_px)
    radius = working.diameter_px / 2
    for x, y, score in zip(x_px, y_px, picks.score, strict=True):
        colour = plt.get_cmap("RdYlGn")(score)
        axes[-1].add_patch(Circle((x, y), radius, fill=False, color=colour, linewidth=1.2))
    shown = BytesIO()
    figure.savefig(shown, dpi=110)
    _save(shown.getvalue(), out)


def photograph(page: Path, out: Path) -> None:
    """Photograph a page in Chromium, at the head of it.

    Parameters
    ----------
    page : Path
        The page.
    out : Path
        The picture.
    """
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", f"--window-size={WINDOW_PX[0]},{WINDOW_PX[1]}"):
        options.add_argument(argument)
    # Found here, so that selenium does not look for one in the network.
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    browser = webdriver.Chrome(options=options, service=service)
    try:
        browser.get(page.resolve().as_uri())
        browser.implicitly_wait(5)
        _save(browser.get_screenshot_as_png(), out)
    finally:
        browser.quit()


def _save(png: bytes, out: Path) -> None:
    image = Image.open(BytesIO(png)).convert("RGB")
    Image.fromarray(np.asarray(image)).save(out, quality=85, optimize=True)


if __name__ == "__main__":
    main()
