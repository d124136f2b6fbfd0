"""The report as one HTML page for a browser: a table of all micrographs, and pictures of a sample."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.files import replace_text
from cryoseg_ext.formats.edits import Edits
from cryoseg_ext.image.areas import MicrographQuality
from cryoseg_ext.report.content import SCORE_BINS, Overlay, Report
from cryoseg_ext.report.pages import CONTAMINATED_COLOUR, MASK_COLOUR
from cryoseg_ext.report.pixels import encoded
from cryoseg_ext.report.preview import GREY_LEVELS, outline

if TYPE_CHECKING:
    from cryoseg_ext.averages import ClassAverage
    from cryoseg_ext.picks import Picks

_JPEG_QUALITY = 60
_SPRITE_COLUMNS = 16
_DECIMALS = 2
"""Digits of coordinates after the point, those of ``candidates.star``."""
_BOX_QUALITY, _BOX_SIGMA_PX, _BOX_CONTRAST = 50, 1.0, 2.0
"""Of the boxes of particles: quality as JPEG, smoothing, and how much the contrast is raised after it."""
_NO_EDITS = Edits()
_SCRIPTS = ("", "_edits", "_charts", "_table", "_pictures", "_gallery", "_download", "_start")
"""The ends of the names of the page's scripts, in the order in which they run."""


def write_review(
    path: Path,
    report: Report,
    names: Sequence[str],
    qualities: Sequence[MicrographQuality],
    edits: Edits = _NO_EDITS,
    commands: Mapping[str, str] | None = None,
) -> None:
    """Write the page: one file that loads nothing else, and shows any threshold without the job.

    Parameters
    ----------
    path : Path
        Where to write.
    report : Report
        The same as for the PDF; its overlays become pictures.
    names : Sequence[str]
        The name of each micrograph, in the order of the report's counts of scores.
    qualities : Sequence[MicrographQuality]
        The quality of each at the report's threshold.
    edits : Edits
        What was decided by hand before, with which the page begins.
    commands : Mapping[str, str], optional
        What uses the edits that are made on the page, by what it does; ``{edits}`` stands for their file and
        ``{threshold}`` for the threshold.
    """
    row = {name: number for number, name in enumerate(names)}
    areas = [quality.areas for quality in qualities]
    pictured = {overlay.name for overlay in report.overlays}
    by_hand = [name for name in edits.picks if name in row and name not in pictured]
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
        "verdicts": [quality.verdict.words for quality in qualities],
        "score_bins": SCORE_BINS,
        "score_counts": base64.b64encode(_as_bytes(report.score_counts)).decode(),
        "pictures": [_picture(overlay, row[overlay.name], report, edits) for overlay in report.overlays],
        "averages": [_average(one) for one in report.averages],
        "decided": [[row[name], accepted] for name, accepted in edits.selected.items() if name in row],
        "by_hand": [{"row": row[name], **_places(edits.picks[name])} for name in by_hand],
        "commands": list((commands or {}).items()),
        "file": f"{path.absolute().parent.name}_edits",
        "skipped": report.skipped,
    }
    page, *scripts = (
        (files("cryoseg_ext.report") / name).read_text(encoding="utf-8")
        for name in ("review.html", *(f"review{end}.js" for end in _SCRIPTS))
    )
    # A "<" could end the script element that holds the data.
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    replace_text(path, page.replace("{{script}}", "".join(scripts)).replace("{{data}}", text))


def _as_bytes(counts: NDArray[np.uint16]) -> bytes:
    """Return one byte for each count, or 255 and its two bytes."""
    flat = counts.ravel()
    large = np.flatnonzero(flat >= 255)
    more = flat[large].astype("<u2").view(np.uint8)
    return np.insert(np.minimum(flat, 255).astype(np.uint8), np.repeat(large + 1, 2), more).tobytes()


def _picture(overlay: Overlay, row: int, report: Report, edits: Edits) -> dict[str, Any]:
    from PIL import Image

    preview = overlay.preview
    candidates = overlay.picks if overlay.candidates is None else overlay.candidates
    grey = Image.fromarray(np.round(preview.image * (255 / (GREY_LEVELS - 1))).astype(np.uint8))
    picture = {
        "row": row,
        "shape": preview.source_shape,
        "size": round(overlay.diameter_px),
        "diameter": np.rint(overlay.diameters_px(candidates)).astype(int).tolist(),
        **_places(candidates),
        "image": _data_uri("jpeg", encoded(grey, "jpeg", quality=_JPEG_QUALITY)),
        "mask": _data_uri("png", _coloured(outline(preview.mask), MASK_COLOUR)),
        "contaminated": _data_uri("png", _coloured(preview.contaminated, CONTAMINATED_COLOUR, 0x59)),
        "changed": [],
        "added": [],
    }
    if overlay.name in edits.picks:
        # Of what is picked, and of what the threshold would pick, the difference is the edit.
        at, picked_at = _place(candidates), _place(overlay.picks)
        is_pick = np.isin(at, picked_at)
        picture["changed"] = np.flatnonzero(is_pick != (candidates.score >= report.threshold)).tolist()
        added = _places(overlay.picks.at(~np.isin(picked_at, at)))
        picture["added"] = list(zip(added["x"], added["y"], added["score"], strict=True))
    if len(preview.boxes):
        picture["boxes"] = {
            "side": preview.boxes.shape[1],
            "columns": _SPRITE_COLUMNS,
            "candidates": preview.box_candidates.tolist(),
            "image": _data_uri(
                "jpeg", encoded(Image.fromarray(_sprite(preview.boxes)), "jpeg", quality=_BOX_QUALITY)
            ),
        }
    return picture


def _places(picks: Picks) -> dict[str, list[float]]:
    """Return the numbers of picks with the digits that ``candidates.star`` has."""
    return {
        "x": np.round(picks.x_px, _DECIMALS).tolist(),
        "y": np.round(picks.y_px, _DECIMALS).tolist(),
        "score": np.round(picks.score, 6).tolist(),
    }


def _place(picks: Picks) -> NDArray[np.complex128]:
    """Return x and y in one number each."""
    return np.round(picks.x_px, _DECIMALS) + 1j * np.round(picks.y_px, _DECIMALS)


def _sprite(boxes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return all boxes in one picture, row by row."""
    from scipy.ndimage import gaussian_filter

    n, side, _ = boxes.shape
    n_rows = -(-n // _SPRITE_COLUMNS)
    # Without the finest noise a particle is seen more easily, and a picture takes half the room.
    smooth = gaussian_filter(
        boxes.astype(np.float32) / (GREY_LEVELS - 1) - 0.5, (0, _BOX_SIGMA_PX, _BOX_SIGMA_PX)
    )
    sheet = np.full((n_rows * _SPRITE_COLUMNS, side, side), 0.5, np.float32)
    sheet[:n] = np.clip(0.5 + _BOX_CONTRAST * smooth, 0, 1)
    sheet = sheet.reshape(n_rows, _SPRITE_COLUMNS, side, side).swapaxes(1, 2)
    return np.rint(255 * sheet.reshape(n_rows * side, _SPRITE_COLUMNS * side)).astype(np.uint8)


def _average(average: ClassAverage) -> dict[str, Any]:
    from PIL import Image

    low, high = np.percentile(average.image, (0.5, 99.5))
    grey = np.clip((average.image - low) / max(high - low, 1e-6), 0, 1) * 255
    image = encoded(Image.fromarray(grey.astype(np.uint8)), "png")
    return {"image": _data_uri("png", image), "number": average.n_particles}


def _coloured(mask: NDArray[np.bool_], colour: str, opaque: int = 255) -> bytes:
    """Return a PNG file: the colour where the mask is, transparent elsewhere."""
    from PIL import Image

    image = Image.fromarray(mask.astype(np.uint8), "P")
    image.putpalette(bytes(3) + bytes.fromhex(colour[1:]))
    return encoded(image, "png", bits=1, transparency=bytes((0, opaque)))


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
