"""The report as one HTML page for a browser: a table of all micrographs, and pictures of a sample."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.evaluation.pixels import outline
from cryoseg_ext.files import replace_text
from cryoseg_ext.image.areas import MicrographQuality
from cryoseg_ext.picks import Picks
from cryoseg_ext.report.pdf import CONTAMINATED_COLOUR, MASK_COLOUR, Overlay, Report
from cryoseg_ext.report.preview import GREY_LEVELS

# One step of the page's threshold slider; counts per step are a tenth of the scores themselves.
_SCORE_BINS = 100
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
        The name of each micrograph, in the order of the report's candidates.
    qualities : Sequence[MicrographQuality]
        The quality of each at the report's threshold.
    """
    row = {name: number for number, name in enumerate(names)}
    areas = [quality.areas for quality in qualities]
    counts = np.stack([_score_counts(candidates) for candidates in report.candidates])
    data = {
        "title": report.title,
        "threshold": report.threshold,
        "names": names,
        "picks": [quality.n_picks for quality in qualities],
        "mean_scores": [round(quality.mean_score, 4) for quality in qualities],
        "contaminated": [one.contaminated for one in areas],
        "film": [one.film for one in areas],
        "dead": [one.dead for one in areas],
        "usable": [one.usable for one in areas],
        "score_bins": _SCORE_BINS,
        "score_counts": base64.b64encode(counts.astype("<u2").tobytes()).decode(),
        "pictures": [
            _picture(overlay, row[overlay.name], report.candidates[row[overlay.name]])
            for overlay in report.overlays
        ],
        "skipped": report.skipped,
    }
    page, script = (
        (files("cryoseg_ext.report") / name).read_text(encoding="utf-8")
        for name in ("review.html", "review.js")
    )
    # A "<" could end the script element that holds the data.
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    replace_text(path, page.replace("{{script}}", script).replace("{{data}}", text))


def _score_counts(candidates: Picks) -> NDArray[np.int64]:
    # A score such as 0.29 is a little below 29 hundredths as a float.
    bins = np.minimum((candidates.score * _SCORE_BINS + 1e-6).astype(np.int64), _SCORE_BINS - 1)
    return np.bincount(bins, minlength=_SCORE_BINS)


def _picture(overlay: Overlay, row: int, candidates: Picks) -> dict[str, Any]:
    preview = overlay.preview
    return {
        "row": row,
        "shape": preview.source_shape,
        "diameter": np.rint(overlay.diameters_px(candidates)).astype(int).tolist(),
        "x": np.rint(candidates.x_px).astype(int).tolist(),
        "y": np.rint(candidates.y_px).astype(int).tolist(),
        "score": np.round(candidates.score, 6).tolist(),
        "image": _data_uri("jpeg", preview.image / (GREY_LEVELS - 1), pil_kwargs={"quality": _JPEG_QUALITY}),
        "mask": _data_uri("png", _coloured(outline(preview.mask), MASK_COLOUR)),
        "contaminated": _data_uri("png", _coloured(preview.contaminated, f"{CONTAMINATED_COLOUR}59")),
    }


def _coloured(mask: NDArray[np.bool_], colour: str) -> NDArray[np.uint8]:
    """Return ``(y, x, 4)``: the colour where the mask is, transparent elsewhere."""
    from matplotlib.colors import to_rgba

    rgba = (255 * np.array(to_rgba(colour))).astype(np.uint8)
    return mask[..., None] * rgba


def _data_uri(kind: str, image: NDArray[Any], **options: Any) -> str:
    """Return an image as a data URI; grey values are taken from 0 black to 1 white."""
    from matplotlib.image import imsave

    file = BytesIO()
    imsave(file, image, format=kind, cmap="gray", vmin=0, vmax=1, **options)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"
