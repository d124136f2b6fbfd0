"""Finished micrographs: resuming is a property of their files.

Each finished micrograph has a file with all its candidates and a key of the settings they were made with.
Where the key still fits, nothing is done again; another threshold only rewrites the coordinate files.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cryoseg_ext.files import replace_text
from cryoseg_ext.image.areas import AreaShares
from cryoseg_ext.picks import Picks

if TYPE_CHECKING:
    from cryoseg_ext.options.picking import PickingOptions

_TABLE = "data_candidates\n\nloop_\n"
# Label and digits of each column of `Picks`.
_COLUMNS = {
    "x_px": ("rlnCoordinateX", 2),
    "y_px": ("rlnCoordinateY", 2),
    "score": ("rlnAutopickFigureOfMerit", 6),
    "diameter_A": ("cryosegDiameter", 1),
    "psi_deg": ("rlnAnglePsi", 2),
    "tube_id": ("rlnHelicalTubeID", 0),
    "track_length_A": ("rlnHelicalTrackLengthAngst", 2),
}
_NAMES = {label: name for name, (label, _) in _COLUMNS.items()}


@dataclass(frozen=True)
class FinishedMicrograph:
    """The stored result of one micrograph.

    Parameters
    ----------
    settings : str
        The key of the settings it was picked with, and behind a colon the stamp of its image (`file_stamp`).
    default_threshold : float
        The calibrated threshold of the model it was picked with.
    candidates : Picks
        All candidates.
    areas : AreaShares
        How much of the micrograph is contaminated or dead.
    shape : tuple of int
        ``(ny, nx)`` of the micrograph.
    pixel_size_A : float
        Å/px of the micrograph.
    """

    settings: str
    default_threshold: float
    candidates: Picks
    areas: AreaShares
    shape: tuple[int, int]
    pixel_size_A: float


def settings_key(options: PickingOptions, *, digest: str, pixel_size_A: float | None) -> str:
    """Return a key that changes with everything that changes the candidates of a micrograph.

    Parameters
    ----------
    options : PickingOptions
        What the user decided.
    digest : str
        What else decides: the digest of the model, and which image it is.
    pixel_size_A : float, optional
        Å/px, where the list or the user says it.
    """
    settings = {
        "version": _package_version(),
        "options": asdict(options),
        "model": digest,
        "pixel_size_A": pixel_size_A,
    }
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def as_stored(candidates: Picks) -> Picks:
    """Return candidates with the digits that are stored, so that a fresh run and Continue agree."""
    columns = candidates.columns()
    return Picks(**{name: np.round(values, _COLUMNS[name][1]) for name, values in columns.items()})


def write_finished(path: Path, finished: FinishedMicrograph) -> None:
    """Store the result of one micrograph; the file appears only when it is complete."""
    areas = "".join(f"_cryosegArea{name.title()} {share}\n" for name, share in asdict(finished.areas).items())
    columns = finished.candidates.columns()
    labels = "".join(f"_{_COLUMNS[name][0]} #{number}\n" for number, name in enumerate(columns, start=1))
    row = " ".join(f"{{:.{_COLUMNS[name][1]}f}}" for name in columns) + "\n"
    values = zip(*(column.tolist() for column in columns.values()), strict=True)
    replace_text(
        path,
        f"\ndata_cryoseg\n\n_cryosegSettings {finished.settings}\n"
        f"_cryosegDefaultThreshold {finished.default_threshold:.9g}\n{areas}"
        f"_cryosegRows {finished.shape[0]}\n_cryosegColumns {finished.shape[1]}\n"
        f"_cryosegPixelSize {finished.pixel_size_A!r}\n\n{_TABLE}{labels}"
        + "".join(row.format(*one) for one in values),
    )


def read_finished(path: Path) -> FinishedMicrograph | None:
    """Read a stored result; None when there is none, or not one that this program wrote."""
    try:
        head, table, rows = path.read_text(encoding="utf-8").partition(_TABLE)
        values = dict(line.split() for line in head.splitlines() if line.startswith("_cryoseg"))
        words = rows.split()
        names = [_NAMES[word[1:]] for word in words if word.startswith("_")]
        # A label is followed by its number.
        numbers = np.array(words[2 * len(names) :], dtype=np.float64).reshape(-1, len(names))
        if not table:
            return None
        candidates = Picks(**dict(zip(names, numbers.T, strict=True)))
        threshold = float(values["_cryosegDefaultThreshold"])
        if not (np.isfinite(threshold) and np.isfinite(candidates.score).all()):
            return None
        return FinishedMicrograph(
            values["_cryosegSettings"],
            threshold,
            candidates,
            AreaShares(*(float(values[f"_cryosegArea{one.name.title()}"]) for one in fields(AreaShares))),
            (int(values["_cryosegRows"]), int(values["_cryosegColumns"])),
            float(values["_cryosegPixelSize"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


@cache
def _package_version() -> str:
    try:
        return version("cryoseg")
    except PackageNotFoundError:
        return "not installed"
