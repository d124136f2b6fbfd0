"""Pages of charts and pictures, as a PDF; importing a plotting library alone would take longer."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.arrays import FloatArray
from cryoseg_ext.files import replacing

PAGE_PT = (842.0, 598.0)
"""Width and height of a page."""
_NARROW = frozenset(" .,:;!'|()[]/\\fijlrtI")
_KAPPA = 0.5523
"""Length of the handles with which four Bézier curves become a circle of radius 1."""
_CIRCLE = np.array(
    [
        *((1, 0), (1, _KAPPA), (_KAPPA, 1), (0, 1), (-_KAPPA, 1), (-1, _KAPPA), (-1, 0)),
        *((-1, -_KAPPA), (-_KAPPA, -1), (0, -1), (_KAPPA, -1), (1, -_KAPPA), (1, 0)),
    ]
)
_CIRCLE_TEXT = "%.2f %.2f m" + 4 * " %.2f %.2f %.2f %.2f %.2f %.2f c" + "\n"
_CATALOG, _PAGES, _FONT, _INFO = range(1, 5)
"""Numbers of objects in each file."""

Box = tuple[float, float, float, float]
"""Left, bottom, width and height in points."""


class Canvas(ABC):
    """A page; lengths are in points of 1/72 inch, and x and y count from the lower left corner."""

    @abstractmethod
    def picture(self, box: Box, levels: NDArray[np.uint8], palette: NDArray[np.uint8]) -> None:
        """Draw an image.

        Parameters
        ----------
        box : Box
            Where.
        levels : NDArray[np.uint8]
            ``(y, x)`` rows of the palette, the first row of the image on top.
        palette : NDArray[np.uint8]
            ``(n, 3)`` colours.
        """

    @abstractmethod
    def circles(self, xy: FloatArray, diameters: FloatArray, colour: str, clip: Box) -> None:
        """Draw circles.

        Parameters
        ----------
        xy : NDArray[np.float64]
            ``(n, 2)`` centres.
        diameters : NDArray[np.float64]
            ``(n,)`` diameters.
        colour : str
            Such as ``#ffd92f``.
        clip : Box
            What lies outside is not drawn.
        """

    @abstractmethod
    def bars(self, boxes: Iterable[Box], colour: str) -> None:
        """Fill rectangles; a thin one is a line."""

    @abstractmethod
    def text(self, x: float, y: float, text: str, size: float, align: float = 0, *, up: bool = False) -> None:
        """Write a line of text.

        Parameters
        ----------
        x, y : float
            Where its base line starts.
        text : str
            The text.
        size : float
            Size of the font.
        align : float
            Share of its length that lies before that place: 0.5 centres it.
        up : bool
            Whether it runs upwards.
        """

    def frame(self, box: Box) -> None:
        """Draw the edges of a box."""
        x, y, width, height = box
        sides: list[Box] = [(x, y, width, 0.6), (x, y + height, width, 0.6)]
        self.bars([*sides, (x, y, 0.6, height), (x + width, y, 0.6, height)], "#000000")


class _PdfCanvas(Canvas):
    def __init__(self, add: Callable[[bytes], int]) -> None:
        self._add = add
        self.content: list[str] = []
        self.images: list[int] = []

    def picture(self, box: Box, levels: NDArray[np.uint8], palette: NDArray[np.uint8]) -> None:
        ny, nx = levels.shape
        colours = f"[/Indexed /DeviceRGB {len(palette) - 1} <{palette.tobytes().hex()}>]"
        head = f"/Type /XObject /Subtype /Image /Width {nx} /Height {ny} /BitsPerComponent 8"
        # Noise has nothing that repeats.
        packer = zlib.compressobj(1, strategy=zlib.Z_HUFFMAN_ONLY)
        data = packer.compress(levels.tobytes()) + packer.flush()
        self.images.append(self._add(_stream(data, f"{head} /ColorSpace {colours}")))
        x, y, width, height = box
        self.content.append(f"q {width:.2f} 0 0 {height:.2f} {x:.2f} {y:.2f} cm /I{self.images[-1]} Do Q\n")

    def circles(self, xy: FloatArray, diameters: FloatArray, colour: str, clip: Box) -> None:
        points = xy[:, None] + diameters[:, None, None] / 2 * _CIRCLE
        curves = (_CIRCLE_TEXT * len(xy)) % tuple(points.ravel().tolist())
        self.content.append(f"q {_box(clip)} re W n 0.6 w {_rgb(colour)} RG\n{curves}S Q\n")

    def bars(self, boxes: Iterable[Box], colour: str) -> None:
        self.content.append(f"{_rgb(colour)} rg\n{''.join(f'{_box(box)} re ' for box in boxes)} f\n")

    def text(self, x: float, y: float, text: str, size: float, align: float = 0, *, up: bool = False) -> None:
        before = -align * size * sum(0.278 if letter in _NARROW else 0.54 for letter in text)
        turn = f"0 1 -1 0 {x:.2f} {y + before:.2f}" if up else f"1 0 0 1 {x + before:.2f} {y:.2f}"
        letters = text.encode("cp1252", errors="replace").hex()
        self.content.append(f"0 g BT /F {size:g} Tf {turn} Tm <{letters}> Tj ET\n")


def write_pdf(path: Path, title: str, pages: Iterable[Callable[[Canvas], None]]) -> None:
    """Write a PDF.

    The letters are those of Helvetica, which every viewer has, in the code page of western Europe.

    Parameters
    ----------
    path : Path
        Path of the PDF to write.
    title : str
        Title in its metadata.
    pages : Iterable of callable
        Each draws a page.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:
        _write(file, title, pages)


def _write(file: BinaryIO, title: str, pages: Iterable[Callable[[Canvas], None]]) -> None:
    starts: dict[int, int] = {}

    def put(number: int, body: bytes) -> int:
        starts[number] = file.tell()
        file.write(b"%d 0 obj\n%b\nendobj\n" % (number, body))
        return number

    def add(body: bytes) -> int:
        return put(max(starts) + 1, body)

    file.write(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    put(_CATALOG, f"<< /Type /Catalog /Pages {_PAGES} 0 R >>".encode())
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
    put(_FONT, font.encode())
    put(_INFO, f"<< /Title <feff{title.encode('utf-16-be', errors='replace').hex()}> >>".encode())
    numbers = []
    for draw in pages:
        draw(canvas := _PdfCanvas(add))
        content = add(_stream(zlib.compress("".join(canvas.content).encode(), 1), ""))
        images = " ".join(f"/I{number} {number} 0 R" for number in canvas.images)
        resources = f"<< /Font << /F {_FONT} 0 R >> /XObject << {images} >> >>"
        page = f"/Type /Page /Parent {_PAGES} 0 R /Contents {content} 0 R /Resources {resources}"
        numbers.append(add(f"<< {page} >>".encode()))
    kids = " ".join(f"{number} 0 R" for number in numbers)
    size = f"/MediaBox [0 0 {PAGE_PT[0]:g} {PAGE_PT[1]:g}]"
    put(_PAGES, f"<< /Type /Pages /Kids [{kids}] /Count {len(numbers)} {size} >>".encode())
    table = file.tell()
    rows = "".join(f"{starts[number]:010d} 00000 n \n" for number in sorted(starts))
    trailer = f"trailer\n<< /Size {len(starts) + 1} /Root {_CATALOG} 0 R /Info {_INFO} 0 R >>"
    end = f"xref\n0 {len(starts) + 1}\n0000000000 65535 f \n{rows}{trailer}\nstartxref\n{table}\n%%EOF\n"
    file.write(end.encode())


def _stream(data: bytes, entries: str) -> bytes:
    head = f"<< {entries} /Filter /FlateDecode /Length {len(data)} >>\nstream\n"
    return head.encode() + data + b"\nendstream"


def _box(box: Box) -> str:
    return " ".join(f"{length:.2f}" for length in box)


def _rgb(colour: str) -> str:
    """Return a colour such as ``#ff8000`` as PDF writes it."""
    return " ".join(f"{part / 255:.3f}" for part in bytes.fromhex(colour[1:]))
