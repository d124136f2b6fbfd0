"""Finished micrographs: resuming is a property of their files.

Each finished micrograph has a file with all its candidates and a key of the settings they were made with.
Where the key still fits, nothing is done again; another threshold only rewrites the coordinate files.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import replace_text
from cryoseg_ext.picks import Picks

if TYPE_CHECKING:
    from cryoseg_ext.crf import CrfChoice, CrfOptions

_TABLE = "data_candidates\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n_rlnAutopickFigureOfMerit #3\n"


@dataclass(frozen=True)
class FinishedMicrograph:
    """The stored result of one micrograph.

    Parameters
    ----------
    settings : str
        The key of the settings it was picked with.
    default_threshold : float
        The calibrated threshold of the model it was picked with.
    candidates : Picks
        All candidates.
    """

    settings: str
    default_threshold: float
    candidates: Picks


def model_digest(path: Path) -> str:
    """Return a digest of a model file, without loading the network.

    Raises
    ------
    CryosegError
        If the file cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise CryosegError(
            f"{path}: the model cannot be read ({error.strerror}): give another --model"
        ) from None


def settings_key(
    *,
    particle_diameter_A: float,
    min_distance_A: float | None,
    crf: CrfChoice | CrfOptions | None,
    digest: str,
    pixel_size_A: float | None,
    invert: bool,
) -> str:
    """Return a key that changes with everything that changes the candidates of a micrograph."""
    settings = {
        "version": _package_version(),
        "particle_diameter_A": particle_diameter_A,
        "min_distance_A": min_distance_A,
        "crf": asdict(crf) if crf else None,
        "model": digest,
        "pixel_size_A": pixel_size_A,
        "invert": invert,
    }
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def as_stored(candidates: Picks) -> Picks:
    """Return candidates with the digits that are stored, so that a fresh run and Continue agree."""
    return Picks(np.round(candidates.x_px, 2), np.round(candidates.y_px, 2), np.round(candidates.score, 6))


def write_finished(path: Path, finished: FinishedMicrograph) -> None:
    """Store the result of one micrograph; the file appears only when it is complete."""
    picks = finished.candidates
    rows = zip(picks.x_px.tolist(), picks.y_px.tolist(), picks.score.tolist(), strict=True)
    replace_text(
        path,
        f"\ndata_cryoseg\n\n_cryosegSettings {finished.settings}\n"
        f"_cryosegDefaultThreshold {finished.default_threshold:.9g}\n\n{_TABLE}"
        + "".join(f"{x:.2f} {y:.2f} {s:.6f}\n" for x, y, s in rows),
    )


def read_finished(path: Path) -> FinishedMicrograph | None:
    """Read a stored result; None when there is none, or not one that this program wrote."""
    try:
        head, table, rows = path.read_text(encoding="utf-8").partition(_TABLE)
        values = dict(line.split() for line in head.splitlines() if line.startswith("_cryoseg"))
        numbers = np.array(rows.split(), dtype=np.float64).reshape(-1, 3)
        if not table:
            return None
        return FinishedMicrograph(
            values["_cryosegSettings"], float(values["_cryosegDefaultThreshold"]), Picks(*numbers.T)
        )
    except (OSError, ValueError, KeyError):
        return None


@cache
def _package_version() -> str:
    try:
        return version("cryoseg")
    except PackageNotFoundError:
        return "not installed"
