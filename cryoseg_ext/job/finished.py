"""Finished micrographs: resuming is a property of their files.

Each finished micrograph has a file with all its candidates and a key of the settings they were made with.
Where the key still fits, nothing is done again; another threshold only rewrites the coordinate files.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, MutableMapping
from copy import copy
from dataclasses import asdict, dataclass, fields, replace
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import SpooledTemporaryFile, gettempdir
from typing import TYPE_CHECKING
from weakref import finalize

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
_NO_PICKS = Picks(*np.zeros((3, 0)))
_MOST_IN_MEMORY = 1 << 24
"""Bytes of candidates from which they are held in a file."""


@dataclass(frozen=True, slots=True)
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
    of_micrograph = f'"model": {json.dumps(digest)}, "options": {_options_text(options)}'
    settings = (
        f'{{{of_micrograph}, "pixel_size_A": {json.dumps(pixel_size_A)}, "version": {_version_text()}}}'
    )
    return hashlib.sha256(settings.encode()).hexdigest()[:16]


class _Store:
    """Bytes in a temporary file, in memory as long as they are few."""

    def __init__(self, most_in_memory: int) -> None:
        self._file = SpooledTemporaryFile(most_in_memory)  # noqa: SIM115
        finalize(self, self._file.close)

    def add(self, content: bytes) -> tuple[int, int]:
        """Return the place of new content."""
        start = self._file.seek(0, os.SEEK_END)
        try:
            self._file.write(content)
        except OSError as error:
            error.filename = gettempdir()
            raise
        return start, len(content)

    def at(self, place: tuple[int, int]) -> bytes:
        self._file.seek(place[0])
        return self._file.read(place[1])


class Results(MutableMapping[str, FinishedMicrograph]):
    """Finished micrographs by name; the candidates of very many are held in a temporary file.

    Parameters
    ----------
    most_in_memory : int
        Bytes of candidates that are held in memory.
    """

    def __init__(self, most_in_memory: int = _MOST_IN_MEMORY) -> None:
        self._store = _Store(most_in_memory)
        self._held: dict[str, tuple[FinishedMicrograph, tuple[str, ...], tuple[int, int]]] = {}

    def __getitem__(self, name: str) -> FinishedMicrograph:
        held, columns, place = self._held[name]
        values = np.frombuffer(self._store.at(place)).reshape(len(columns), -1)
        candidates = Picks(**dict(zip(columns, values, strict=True)))
        return FinishedMicrograph(
            held.settings, held.default_threshold, candidates, held.areas, held.shape, held.pixel_size_A
        )

    def __setitem__(self, name: str, finished: FinishedMicrograph) -> None:
        columns = finished.candidates.columns()
        place = self._store.add(np.array(list(columns.values())).tobytes())
        self._held[name] = (replace(finished, candidates=_NO_PICKS), tuple(columns), place)

    def __delitem__(self, name: str) -> None:
        del self._held[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def of(self, names: Iterable[str]) -> Results:
        """Return the results of some micrographs, in this order."""
        chosen = copy(self)
        chosen._held = {name: self._held[name] for name in names}
        return chosen


def as_stored(candidates: Picks) -> Picks:
    """Return candidates with the digits that are stored, so that a fresh run and Continue agree."""
    columns = candidates.columns()
    return Picks(**{name: np.round(values, _COLUMNS[name][1]) for name, values in columns.items()})


def write_finished(path: Path, finished: FinishedMicrograph) -> None:
    """Store the result of one micrograph; the file appears only when it is complete."""
    areas = "".join(f"_cryosegArea{name.title()} {share}\n" for name, share in asdict(finished.areas).items())
    columns = finished.candidates.columns()
    labels = "".join(f"_{_COLUMNS[name][0]} #{number}\n" for number, name in enumerate(columns, start=1))
    row = " ".join(f"%.{_COLUMNS[name][1]}f" for name in columns) + "\n"
    values = np.stack(list(columns.values()), axis=1)
    replace_text(
        path,
        f"\ndata_cryoseg\n\n_cryosegSettings {finished.settings}\n"
        f"_cryosegDefaultThreshold {finished.default_threshold:.9g}\n{areas}"
        f"_cryosegRows {finished.shape[0]}\n_cryosegColumns {finished.shape[1]}\n"
        f"_cryosegPixelSize {finished.pixel_size_A!r}\n\n{_TABLE}{labels}"
        + (row * len(values))
        % tuple(values.ravel().tolist()),
    )


def read_finished(path: Path) -> FinishedMicrograph | None:
    """Read a stored result; None when there is none, or not one that this program wrote."""
    try:
        head, table, rows = path.read_text(encoding="utf-8").partition(_TABLE)
        values = dict(line.split() for line in head.splitlines() if line.startswith("_cryoseg"))
        names = []
        while rows.startswith("_"):
            label, _, rows = rows.partition("\n")
            names.append(_NAMES[label.split()[0][1:]])
        numbers = np.array(list(map(float, rows.split()))).reshape(-1, len(names))
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


@lru_cache(maxsize=8)
def _options_text(options: PickingOptions) -> str:
    return json.dumps(asdict(options), sort_keys=True)


@cache
def _version_text() -> str:
    try:
        return json.dumps(version("cryoseg"))
    except PackageNotFoundError:
        return json.dumps("not installed")
