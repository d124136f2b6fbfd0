"""The report as a PDF; matplotlib's Figure objects only, so that no global state is touched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.evaluation.pixels import outline
from cryoseg_ext.files import replacing
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.picks import Picks
from cryoseg_ext.report.preview import GREY_LEVELS, Preview

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PAGE_INCHES = (11.7, 8.3)
_MOST_OVERLAYS = 12
_SKIPPED_SHOWN = 18
_PICK_COLOUR = "#ffd92f"
MASK_COLOUR, CONTAMINATED_COLOUR = "#33a0ff", "#ff5c5c"


@dataclass(frozen=True)
class Overlay:
    """One micrograph to draw.

    Parameters
    ----------
    name : str
        Its caption.
    preview : Preview
        Picture and mask.
    picks : Picks
        The picks at or above the threshold.
    diameter_px : float
        Particle diameter in pixels of the micrograph on disk.
    mixture_pixel_A : float, optional
        Of a mixture of sizes, Å/px of the micrograph on disk: each pick is drawn in its own size.
    """

    name: str
    preview: Preview
    picks: Picks
    diameter_px: float
    mixture_pixel_A: float | None = None

    def diameters_px(self, picks: Picks) -> NDArray[np.float64]:
        """Return ``(n,)`` the diameters of the circles around picks of the micrograph."""
        if self.mixture_pixel_A is None or picks.diameter_A is None:
            return np.full(len(picks), self.diameter_px)
        return picks.diameter_A / self.mixture_pixel_A


def overlay_of_picks(
    name: str, preview: Preview, picks: Picks, options: PickingOptions, pixel_size_A: float
) -> Overlay:
    """Return what to draw of a micrograph.

    Parameters
    ----------
    name : str
        Its caption.
    preview : Preview
        Its picture.
    picks : Picks
        The picks at or above the threshold.
    options : PickingOptions
        How it was picked.
    pixel_size_A : float
        Å/px of the micrograph on disk.
    """
    mixture_pixel_A = None if options.smallest_diameter_A is None else pixel_size_A
    return Overlay(name, preview, picks, options.particle_diameter_A / pixel_size_A, mixture_pixel_A)


@dataclass(frozen=True)
class Report:
    """What the PDF tells.

    Parameters
    ----------
    title : str
        The headline.
    threshold : float
        The lowest score of a pick.
    candidates : Sequence[Picks]
        All candidates of each micrograph, in the order of the run.
    overlays : Sequence[Overlay]
        A sample of micrographs.
    skipped : Sequence[str]
        What was wrong with the micrographs that could not be picked.
    """

    title: str
    threshold: float
    candidates: Sequence[Picks]
    overlays: Sequence[Overlay]
    skipped: Sequence[str] = ()


def write_report(path: Path, report: Report) -> None:
    """Write the report as a PDF: a page of numbers and histograms, then the overlays."""
    # An even sample: each one adds a quarter of a megabyte.
    overlays = report.overlays[:: max(1, -(-len(report.overlays) // _MOST_OVERLAYS))]
    write_pages(path, report.title, chain([summary_page(report)], overlay_pages(overlays)))


def write_pages(
    path: Path, title: str, pages: Iterable[Figure], show: Callable[[Figure], None] = lambda _page: None
) -> None:
    """Write a PDF.

    Parameters
    ----------
    path : Path
        Path of the PDF to write.
    title : str
        Title in its metadata.
    pages : Iterable[Figure]
        Its pages.
    show : callable
        Called with each page as well.
    """
    from matplotlib.backends.backend_pdf import PdfPages

    with replacing(path) as temporary, PdfPages(temporary, metadata={"Title": title}) as pdf:
        for page in pages:
            pdf.savefig(page)
            show(page)


def new_page() -> Figure:
    """Return an empty page."""
    from matplotlib.figure import Figure

    return Figure(figsize=_PAGE_INCHES)


def summary_page(report: Report) -> Figure:
    """Draw the histograms of picks per micrograph and of scores, and list what was skipped."""
    figure = new_page()
    per_micrograph = [len(picks.above(report.threshold)) for picks in report.candidates]
    figure.suptitle(
        f"{report.title}\n{sum(per_micrograph)} picks on {len(per_micrograph)} micrographs "
        f"at a threshold of {report.threshold:g}"
    )
    left, right = figure.subplots(1, 2, gridspec_kw={"bottom": 0.5 if report.skipped else 0.1, "top": 0.86})
    most = max(per_micrograph, default=0)
    left.hist(per_micrograph, bins=min(40, most + 1), range=(0, most + 1), color="0.4")
    left.yaxis.get_major_locator().set_params(integer=True)
    left.set(xlabel="picks per micrograph", ylabel="micrographs")
    scores = np.concatenate([picks.score for picks in report.candidates] or [np.zeros(0)])
    right.hist(scores, bins=50, range=(0, 1), color="0.4")
    right.axvline(report.threshold, color="tab:red", label=f"threshold {report.threshold:g}")
    right.set(xlabel="score (figure of merit)", ylabel="candidates", xlim=(0, 1))
    right.legend(frameon=False)
    if report.skipped:
        _list_skipped(figure.add_axes((0.06, 0.05, 0.9, 0.35)), report.skipped)
    return figure


def overlay_pages(overlays: Sequence[Overlay]) -> Iterator[Figure]:
    """Draw the picks and mask outlines of the micrographs, two side by side on each page."""
    for start in range(0, len(overlays), 2):
        figure = new_page()
        axes = figure.subplots(1, 2, gridspec_kw={"left": 0.05, "right": 0.98, "wspace": 0.1})
        for overlay, ax in zip_longest(overlays[start : start + 2], axes):
            if overlay:
                draw_overlay(ax, overlay)
            else:
                ax.set_axis_off()
        yield figure


def draw_overlay(ax: Axes, overlay: Overlay) -> None:
    """Draw one micrograph, the first stored row on top, in pixels of the micrograph on disk."""
    from matplotlib.collections import EllipseCollection
    from matplotlib.colors import ListedColormap

    preview, picks = overlay.preview, overlay.picks
    ny, nx = preview.source_shape
    extent = (-0.5, nx - 0.5, ny - 0.5, -0.5)
    # The outlines are two more colours of the image: drawn as curves they take ten times as long.
    greys = [str(grey) for grey in np.linspace(0, 1, GREY_LEVELS)]
    colours = ListedColormap([*greys, MASK_COLOUR, CONTAMINATED_COLOUR])
    image = np.where(outline(preview.mask), GREY_LEVELS, preview.image)
    image = np.where(outline(preview.contaminated), GREY_LEVELS + 1, image)
    ax.imshow(image, cmap=colours, vmin=0, vmax=GREY_LEVELS + 1, extent=extent, interpolation="none")
    sizes = overlay.diameters_px(picks)
    circles = EllipseCollection(
        sizes,
        sizes,
        np.zeros(len(picks)),
        units="xy",
        offsets=np.column_stack([picks.x_px, picks.y_px]),
        offset_transform=ax.transData,
        facecolors="none",
        edgecolors=_PICK_COLOUR,
        linewidths=0.6,
    )
    ax.add_collection(circles)
    ax.set(xlim=extent[:2], ylim=extent[2:])
    legend = f"{len(picks)} picks (yellow), mask (blue)"
    if preview.contaminated.any():
        legend += ", contaminated (red)"
    ax.set_title(f"{_shortened(overlay.name, 70)}\n{legend}", fontsize=7)
    ax.tick_params(labelsize=6)


def _list_skipped(ax: Axes, skipped: Sequence[str]) -> None:
    lines = [_shortened(sentence, 150) for sentence in skipped[:_SKIPPED_SHOWN]]
    if len(skipped) > len(lines):
        lines.append(f"and {len(skipped) - len(lines)} more")
    ax.set_axis_off()
    ax.set_title(f"{len(skipped)} micrographs skipped", loc="left", fontsize=9)
    # A "$" in a file name is not mathematics.
    ax.text(0, 1, "\n".join(lines), va="top", fontsize=7, parse_math=False)


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length // 2 - 2]} … {text[1 - length // 2 :]}"
