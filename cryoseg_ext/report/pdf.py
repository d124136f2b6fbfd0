"""Reports with charts of matplotlib; Figure objects only, so that no global state is touched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cryoseg_ext.files import replacing
from cryoseg_ext.report import pages
from cryoseg_ext.report.canvas import Canvas
from cryoseg_ext.report.content import Overlay
from cryoseg_ext.report.pixels import draw_pixels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PAGE_INCHES = (11.7, 8.3)


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


def overlay_pages(overlays: Sequence[Overlay]) -> Iterator[Figure]:
    """Draw the picks and mask outlines of the micrographs, two side by side on each page."""
    for start in range(0, len(overlays), 2):
        yield _page_of(partial(pages.draw_overlays, overlays=overlays[start : start + 2]))


def _page_of(draw: Callable[[Canvas], None]) -> Figure:
    figure = new_page()
    ax = figure.add_axes((0, 0, 1, 1))
    ax.imshow(draw_pixels(draw))
    ax.set_axis_off()
    return figure
