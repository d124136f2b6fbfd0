"""The report as one HTML page for a browser: a table of all micrographs, and pictures of a sample."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.files import replace_text
from cryoseg_ext.image.areas import MicrographQuality
from cryoseg_ext.report.content import SCORE_BINS, Overlay, Report
from cryoseg_ext.report.pages import CONTAMINATED_COLOUR, MASK_COLOUR
from cryoseg_ext.report.pixels import encoded
from cryoseg_ext.report.preview import GREY_LEVELS, outline

_JPEG_QUALITY = 60


def write_review(
    path: Path, report: Report, names: Sequence[str], qualities: Sequence[MicrographQuality]
) -> None:
    """Write the page: one file that loads nothing else, and shows any threshold without the job.

    Parameters
    ----------
    path : Path
        Where to write.
    report : Report
        The same as for the PDF; its overlays become pictures.
    names : Sequence[str]
        The name of each micrograph, in the order of the report's counts.
    qualities : Sequence[MicrographQuality]
        The quality of each at the report's threshold.
    """
    row = {name: number for number, name in enumerate(names)}
    areas = [quality.areas for quality in qualities]
    data = {
        "title": report.title,
        "threshold": report.threshold,
        "names": list(names),
        "picks": [quality.n_picks for quality in qualities],
        "mean_scores": [round(quality.mean_score, 4) for quality in qualities],
        "contaminated": [one.contaminated for one in areas],
        "film": [one.film for one in areas],
        "dead": [one.dead for one in areas],
        "usable": [one.usable for one in areas],
        "score_bins": SCORE_BINS,
        "score_counts": base64.b64encode(_as_bytes(report.score_counts)).decode(),
        "pictures": [_picture(overlay, row[overlay.name]) for overlay in report.overlays],
        "skipped": report.skipped,
    }
    page, script = (
        (files("cryoseg_ext.report") / name).read_text(encoding="utf-8")
        for name in ("review.html", "review.js")
    )
    # A "<" could end the script element that holds the data.
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    replace_text(path, page.replace("{{script}}", script).replace("{{data}}", text))


def _as_bytes(counts: NDArray[np.uint16]) -> bytes:
    """Return one byte for each count, or 255 and its two bytes."""
    flat = counts.ravel()
    large = np.flatnonzero(flat >= 255)
    more = flat[large].astype("<u2").view(np.uint8)
    return np.insert(np.minimum(flat, 255).astype(np.uint8), np.repeat(large + 1, 2), more).tobytes()


def _picture(overlay: Overlay, row: int) -> dict[str, Any]:
    from PIL import Image

    preview = overlay.preview
    candidates = overlay.picks if overlay.candidates is None else overlay.candidates
    grey = Image.fromarray(np.round(preview.image * (255 / (GREY_LEVELS - 1))).astype(np.uint8))
    return {
        "row": row,
        "shape": preview.source_shape,
        "diameter": np.rint(overlay.diameters_px(candidates)).astype(int).tolist(),
        "x": np.rint(candidates.x_px).astype(int).tolist(),
        "y": np.rint(candidates.y_px).astype(int).tolist(),
        "score": np.round(candidates.score, 6).tolist(),
        "image": _data_uri("jpeg", encoded(grey, "jpeg", quality=_JPEG_QUALITY)),
        "mask": _data_uri("png", _coloured(outline(preview.mask), MASK_COLOUR)),
        "contaminated": _data_uri("png", _coloured(preview.contaminated, CONTAMINATED_COLOUR, 0x59)),
    }


def _coloured(mask: NDArray[np.bool_], colour: str, opaque: int = 255) -> bytes:
    """Return a PNG file: the colour where the mask is, transparent elsewhere."""
    from PIL import Image

    image = Image.fromarray(mask.astype(np.uint8), "P")
    image.putpalette(bytes(3) + bytes.fromhex(colour[1:]))
    return encoded(image, "png", bits=1, transparency=bytes((0, opaque)))


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
