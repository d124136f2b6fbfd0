"""Coordinate files of one micrograph: RELION's STAR and plain CSV."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cryoseg_ext.files import replace_text
from cryoseg_ext.picks import Picks

# RELION's JoinStar wants class and psi in every coordinate file; its own LoG picker writes these dummies.
_HEADER = (
    "\ndata_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n"
    "_rlnAutopickFigureOfMerit #3\n_rlnClassNumber #4\n_rlnAnglePsi #5\n"
)


def write_coordinates_star(path: Path, picks: Picks) -> None:
    """Write picks as a RELION coordinate file, rounded to the nearest pixel (RELION's Extract truncates)."""
    x_px, y_px = np.rint(picks.x_px) + 0.0, np.rint(picks.y_px) + 0.0
    rows = zip(x_px.tolist(), y_px.tolist(), picks.score.tolist(), strict=True)
    # Plain formatting: starfile takes four times as long, which is felt when thousands are rewritten.
    replace_text(
        path, _HEADER + "".join(f"{x:12.6f} {y:12.6f} {s:9.6f} 0 0.000000\n" for x, y, s in rows) + "\n"
    )


def write_coordinates_csv(path: Path, picks: Picks) -> None:
    """Write picks as CSV with the columns x, y (pixels, not rounded) and score."""
    rows = zip(picks.x_px.tolist(), picks.y_px.tolist(), picks.score.tolist(), strict=True)
    replace_text(path, "x,y,score\n" + "".join(f"{x:.2f},{y:.2f},{s:.6f}\n" for x, y, s in rows))
