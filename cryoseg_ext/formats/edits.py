"""What was decided by hand: micrographs accepted or rejected, and picks corrected.

``review.html`` saves it as a STAR file of two tables. ``data_micrographs`` has each micrograph that was
decided on, with RELION's ``rlnSelected`` (1 accepted, 0 rejected), and ``cryosegEdited`` (1 where its picks
were edited). ``data_particles`` has all picks of the micrographs whose picks were edited: x and y count from
0, in pixels of the micrograph as stored, and y grows with the stored row. Picks that were added have a figure
of merit of 1, so that no threshold drops them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.convert import bring_picks
from cryoseg_ext.formats.coordinates import NAME_LABEL
from cryoseg_ext.formats.micrographs import MicrographList
from cryoseg_ext.formats.names import match_names
from cryoseg_ext.formats.paths import exists
from cryoseg_ext.formats.picks import NoPicksError
from cryoseg_ext.formats.reading import read_located_picks
from cryoseg_ext.formats.star import numbers
from cryoseg_ext.formats.star_reading import read_tables
from cryoseg_ext.formats.table import NO_PICKS, LocatedPicks
from cryoseg_ext.picks import Picks

if TYPE_CHECKING:
    import pandas as pd

SELECTED_LABEL, EDITED_LABEL = "rlnSelected", "cryosegEdited"
_SAME_PLACE_PX = 1.0
"""Up to this far from a candidate a pick is the same particle: RELION rounds coordinates to whole pixels."""


class UnmatchedError(CryosegError):
    """A file that names none of the micrographs."""


@dataclass(frozen=True)
class Edits:
    """What was decided by hand, by the name of the micrograph.

    Parameters
    ----------
    selected : Mapping[str, bool]
        The micrographs that were accepted or rejected.
    picks : Mapping[str, Picks]
        All picks of the micrographs whose picks are those of the file.
    skipped : tuple of str
        A sentence on each micrograph whose picks could not be used.
    remarks : tuple of str
        A sentence on each row that could not be used, and on what was done to all.
    """

    selected: Mapping[str, bool] = field(default_factory=dict)
    picks: Mapping[str, Picks] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def rejects(self, name: str) -> bool:
        """Return whether a micrograph was rejected."""
        return self.selected.get(name) is False

    def picks_of(self, name: str, candidates: Picks, threshold: float) -> Picks:
        """Return the picks of a micrograph: those by hand, whatever their score, or else the best candidates.

        Parameters
        ----------
        name : str
            The micrograph.
        candidates : Picks
            Its candidates; a pick by hand has the size, the angle and the filament of the one at its place.
        threshold : float
            Lowest score of a pick where none are by hand.
        """
        by_hand = self.picks.get(name)
        return candidates.above(threshold) if by_hand is None else _completed(by_hand, candidates)


def read_edits(path: Path, listed: MicrographList) -> Edits:
    """Read what was decided by hand about listed micrographs.

    Parameters
    ----------
    path : Path
        A file of ``review.html``, or any other that `cryoseg_ext.formats.reading.read_located_picks` reads,
        whose picks are then all picks of their micrographs.
    listed : MicrographList
        The micrographs.

    Raises
    ------
    UnmatchedError
        If it has nothing for any of them.
    CryosegError
        If it cannot be read, or its picks are on another scale that is not known.
    """
    decided = _read_decided(path)
    try:
        located = read_located_picks(path)
    except NoPicksError:
        if decided is None:
            raise
        located = {}
    selected: dict[str, bool] = {}
    emptied: set[str] = set()
    if decided is not None:
        names = [str(name) for name in decided[NAME_LABEL]]
        selected = dict(zip(names, (numbers(decided[SELECTED_LABEL]) != 0).tolist(), strict=True))
        if EDITED_LABEL in decided:
            is_edited = (numbers(decided[EDITED_LABEL]) == 1).tolist()
            emptied = {name for name, edited in zip(names, is_edited, strict=True) if edited} - set(located)
    named = [*dict.fromkeys([*located, *selected])]
    own = match_names(named, list(listed.by_name))
    if not own:
        raise nothing_for(path, named, list(listed.by_name))
    located = {name: one for name, one in located.items() if name in own}
    brought = bring_picks(located, listed, None, flip_y=False)
    return Edits(
        {own[name]: accepted for name, accepted in selected.items() if name in own},
        {**brought.picks, **{own[name]: NO_PICKS.picks for name in emptied if name in own}},
        brought.skipped,
        brought.remarks,
    )


def _read_decided(path: Path) -> pd.DataFrame | None:
    """Return the table of the micrographs that were decided on; None in other files."""
    if path.suffix.lower() != ".star" or not exists(path, Path.is_file):
        return None
    tables = read_tables(path).values()
    return next((table for table in tables if {NAME_LABEL, SELECTED_LABEL}.issubset(table)), None)


def nothing_for(source: Path, names: Sequence[str], micrographs: Sequence[str]) -> UnmatchedError:
    """Return the error of a file that names none of the micrographs.

    Parameters
    ----------
    source : Path
        The file.
    names : Sequence of str
        The micrographs that it names.
    micrographs : Sequence of str
        Those that there are.
    """
    return UnmatchedError(
        f"{source} has nothing for these micrographs (it names {', '.join(names[:2]) or 'none'}; the "
        f"micrographs are {', '.join(micrographs[:2])}): give those that were picked"
    )


def _completed(picks: Picks, candidates: Picks) -> Picks:
    """Return picks with what is known of the candidates at their places beside the score."""
    if picks.tube_id is not None or not len(picks):
        return picks
    from scipy.spatial import cKDTree

    own = picks.columns()
    known = {name: values for name, values in candidates.columns().items() if name not in own}
    tree = cKDTree(np.stack([candidates.x_px, candidates.y_px], axis=1))
    distance, at = tree.query(np.stack([picks.x_px, picks.y_px], axis=1), distance_upper_bound=_SAME_PLACE_PX)
    is_known = np.isfinite(distance)
    columns = {
        name: np.where(is_known, np.append(values, np.nan)[np.minimum(at, len(values))], np.nan)
        for name, values in known.items()
    }
    if "tube_id" in columns:
        # What was added is a filament of one segment.
        alone = np.cumsum(~is_known) + candidates.tube_id.max(initial=0.0)  # type: ignore[union-attr]
        columns["tube_id"] = np.where(is_known, columns["tube_id"], alone)
        columns["track_length_A"] = np.where(is_known, columns["track_length_A"], 0.0)
    return LocatedPicks(replace(picks, **columns)).in_order().picks
