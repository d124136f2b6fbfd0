"""Pages as pictures, for logs that show no PDF."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.arrays import FloatArray
from cryoseg_ext.report.canvas import PAGE_PT, Box, Canvas

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

_FINER = 2
"""Pixels are drawn so much smaller and averaged, as Pillow's circles have rough edges."""


class _PixelCanvas(Canvas):
    def __init__(self, size_pt: tuple[float, float], px_per_pt: float) -> None:
        from PIL import Image

        self._scale, self._height_pt = px_per_pt, size_pt[1]
        self.image = Image.new("RGB", (self._px(size_pt[0]), self._px(size_pt[1])), "white")

    def picture(self, box: Box, levels: NDArray[np.uint8], palette: NDArray[np.uint8]) -> None:
        from PIL import Image

        left, top, right, bottom = self._corners(box)
        image = Image.fromarray(palette[levels])
        self.image.paste(image.resize((right - left, bottom - top), Image.Resampling.BOX), (left, top))

    def circles(self, xy: FloatArray, diameters: FloatArray, colour: str, clip: Box) -> None:
        from PIL import Image, ImageDraw

        drawn, corners = self.image.copy(), self._corners(clip)
        pen = ImageDraw.Draw(drawn)
        for (x, y), radius in zip(xy.tolist(), (diameters / 2).tolist(), strict=True):
            ellipse = self._corners((x - radius, y - radius, 2 * radius, 2 * radius))
            pen.ellipse(ellipse, outline=colour, width=max(1, self._px(0.6)))
        inside = Image.new("1", drawn.size)
        inside.paste(1, corners)
        self.image.paste(drawn, mask=inside)

    def bars(self, boxes: Iterable[Box], colour: str) -> None:
        from PIL import ImageDraw

        pen = ImageDraw.Draw(self.image)
        for box in boxes:
            left, top, right, bottom = self._corners(box)
            pen.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), fill=colour)

    def text(self, x: float, y: float, text: str, size: float, align: float = 0, *, up: bool = False) -> None:
        from PIL import Image, ImageDraw

        font = _font(self._px(size))
        length, descent = round(font.getlength(text)), font.getmetrics()[1]
        label = Image.new("L", (max(1, length), sum(font.getmetrics())))
        ImageDraw.Draw(label).text((0, 0), text, 255, font)
        across, down = self._px(x), self._px(self._height_pt - y)
        if up:
            label = label.transpose(Image.Transpose.ROTATE_90)
            place = (across - label.width + descent, down - label.height + round(align * length))
        else:
            place = (across - round(align * length), down - label.height + descent)
        self.image.paste("black", place, label)

    def _px(self, length_pt: float) -> int:
        return round(length_pt * self._scale)

    def _corners(self, box: Box) -> tuple[int, int, int, int]:
        x, y, width, height = box
        top, bottom = self._height_pt - y - height, self._height_pt - y
        return self._px(x), self._px(top), self._px(x + width), self._px(bottom)


def draw_pixels(
    draw: Callable[[Canvas], None], size_pt: tuple[float, float] = PAGE_PT, dpi: int = 120
) -> NDArray[np.uint8]:
    """Return a page as an image.

    Parameters
    ----------
    draw : callable
        Draws it.
    size_pt : tuple of float
        Width and height of the page in points.
    dpi : int
        Pixels per inch.

    Returns
    -------
    NDArray[np.uint8]
        ``(y, x, 3)`` colours, the top row first.
    """
    canvas = _PixelCanvas(size_pt, _FINER * dpi / 72)
    draw(canvas)
    return np.asarray(canvas.image.reduce(_FINER))


def as_png(pixels: NDArray[np.uint8]) -> bytes:
    """Return an image as a PNG file."""
    return encoded(_image(pixels), "png")


def encoded(image: Image, kind: str, **options: int | bytes) -> bytes:
    """Return an image as a file of a kind, with options of Pillow's."""
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _image(pixels: NDArray[np.uint8]) -> Image:
    from PIL import Image

    return Image.fromarray(pixels)


@cache
def _font(size_px: int) -> FreeTypeFont:
    from PIL import ImageFont

    # It comes with matplotlib, which need not be imported for it.
    spec = find_spec("matplotlib")
    assert spec is not None
    assert spec.origin is not None
    return ImageFont.truetype(Path(spec.origin).parent / "mpl-data/fonts/ttf/DejaVuSans.ttf", max(1, size_px))
