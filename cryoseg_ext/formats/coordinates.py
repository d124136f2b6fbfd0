"""Coordinate files of one micrograph: RELION's STAR and plain CSV."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.files import replace_text
from cryoseg_ext.formats.tubes import tube_ends
from cryoseg_ext.picks import Picks

# RELION's JoinStar wants class and psi in every coordinate file; its own LoG picker writes dummies.
STAR_LABELS = (
    "rlnCoordinateX",
    "rlnCoordinateY",
    "rlnAutopickFigureOfMerit",
    "rlnClassNumber",
    "rlnAnglePsi",
)
SIZE_LABEL = "rlnParticleDiameter"
"""RELION knows it as a number in Å, and Extract carries it into particles.star."""
# As RELION's helical autopicker writes them.
HELICAL_LABELS = (
    "rlnHelicalTubeID",
    "rlnAngleTiltPrior",
    "rlnAnglePsiPrior",
    "rlnHelicalTrackLengthAngst",
    "rlnAnglePsiFlipRatio",
)
# Digits of each column of `Picks` in a CSV file, after x, y and score.
_CSV_DIGITS = {"diameter_A": 1, "psi_deg": 2, "tube_id": 0, "track_length_A": 2}


def star_labels(picks: Iterable[Picks]) -> tuple[str, ...]:
    """Return the columns of a STAR file of picks: `STAR_LABELS`, and what else any of them knows."""
    known = {name for one in picks for name in one.columns()}
    size = (SIZE_LABEL,) if "diameter_A" in known else ()
    return STAR_LABELS + size + (HELICAL_LABELS if "tube_id" in known else ())


def star_rows(picks: Picks, labels: Collection[str]) -> Iterator[str]:
    """Yield the values of `star_labels` as text without line ends.

    Coordinates are rounded to the nearest pixel, because RELION's Extract truncates. psi is 0 where a
    particle has no axis, the size where it has no mask.
    """
    columns = picks.columns()
    nothing = np.zeros(len(picks))
    x_px, y_px = np.rint(picks.x_px) + 0.0, np.rint(picks.y_px) + 0.0
    psi_deg = np.nan_to_num(columns.get("psi_deg", nothing))
    values = [x_px, y_px, picks.score, psi_deg]
    # Plain formatting: starfile takes four times as long, which is felt when thousands are rewritten.
    row = "{:12.6f} {:12.6f} {:9.6f} 0 {:.6f}"
    if SIZE_LABEL in labels:
        values.append(np.nan_to_num(columns.get("diameter_A", nothing)))
        row += " {:.1f}"
    if HELICAL_LABELS[0] in labels:
        values += [columns.get("tube_id", nothing), psi_deg, columns.get("track_length_A", nothing)]
        # Tilt 90: in the plane of the micrograph. Flip ratio 0.5: the polarity is not known.
        row += " {:.0f} 90.000000 {:.6f} {:.6f} 0.500000"
    return (row.format(*one) for one in zip(*(value.tolist() for value in values), strict=True))


def write_coordinates_star(path: Path, picks: Picks) -> None:
    """Write picks as a RELION coordinate file; segments of filaments with their priors."""
    labels = star_labels([picks])
    _write_star(path, labels, star_rows(picks, labels))


def write_tubes_star(path: Path, picks: Picks) -> None:
    """Write the filaments as start-end coordinates, for Extract with ``--helical_tubes``; see `tube_ends`."""
    _write_star(path, STAR_LABELS[:2], (f"{x:.2f} {y:.2f}" for x, y in tube_ends(picks).tolist()))


def write_coordinates_csv(path: Path, picks: Picks) -> None:
    """Write picks as CSV: x, y (pixels, not rounded), score, and what else is known of them; nan is empty."""
    known = {name: values for name, values in picks.columns().items() if name in _CSV_DIGITS}
    columns = [
        _as_text(picks.x_px, 2),
        _as_text(picks.y_px, 2),
        _as_text(picks.score, 6),
        *(_as_text(values, _CSV_DIGITS[name]) for name, values in known.items()),
    ]
    header = ",".join(["x", "y", "score", *known])
    replace_text(path, "\n".join([header, *map(",".join, zip(*columns, strict=True))]) + "\n")


def _as_text(values: NDArray[np.float64], digits: int) -> list[str]:
    return ["" if value != value else f"{value:.{digits}f}" for value in values.tolist()]


def _write_star(path: Path, labels: tuple[str, ...], rows: Iterator[str]) -> None:
    head = "".join(f"_{label} #{number}\n" for number, label in enumerate(labels, start=1))
    replace_text(path, f"\ndata_\n\nloop_\n{head}" + "".join(f"{row}\n" for row in rows) + "\n")
