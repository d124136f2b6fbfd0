"""What stands after a run of a job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.formats.edits import Edits
from cryoseg_ext.formats.micrographs import MicrographList
from cryoseg_ext.image.areas import MicrographQuality, assess, n_fitting
from cryoseg_ext.job.finished import FinishedMicrograph
from cryoseg_ext.job.host import ResultFiles
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.picks import Picks
from cryoseg_ext.report.content import count_scores


class PicksAbove(Mapping[str, Picks]):
    """The picks of finished micrographs, by name: at or above a threshold, or by hand; none is held.

    Parameters
    ----------
    finished : Mapping[str, FinishedMicrograph]
        The results.
    threshold : float
        Lowest score of a pick.
    edits : Edits
        What was decided by hand.
    """

    def __init__(self, finished: Mapping[str, FinishedMicrograph], threshold: float, edits: Edits) -> None:
        self._finished, self._threshold, self._edits = finished, threshold, edits

    def __getitem__(self, name: str) -> Picks:
        return self._edits.picks_of(name, self._finished[name].candidates, self._threshold)

    def __iter__(self) -> Iterator[str]:
        return iter(self._finished)

    def __len__(self) -> int:
        return len(self._finished)


@dataclass(frozen=True)
class JobResult:
    """What stands after a run; every mapping is by the name of the micrograph, in the order of the list.

    Parameters
    ----------
    listed : MicrographList
        The input, with those micrographs only that were picked and are not rejected.
    finished : Mapping[str, FinishedMicrograph]
        Their results; candidates outside of given masks are left out.
    files : Mapping[str, ResultFiles]
        The job's own files of each.
    options : PickingOptions
        How they were picked.
    threshold : float
        Lowest score of a pick.
    skipped : Mapping[str, str]
        What is wrong with the other micrographs.
    edits : Edits
        What was decided by hand.
    every : Mapping[str, FinishedMicrograph]
        The results of these micrographs and of those that are rejected.
    commands : Mapping[str, str]
        What uses other edits, see `edit_commands`.
    """

    listed: MicrographList
    finished: Mapping[str, FinishedMicrograph]
    files: Mapping[str, ResultFiles]
    options: PickingOptions
    threshold: float
    skipped: Mapping[str, str]
    edits: Edits = field(default_factory=Edits)
    every: Mapping[str, FinishedMicrograph] = field(default_factory=dict)
    commands: Mapping[str, str] = field(default_factory=dict)

    @property
    def picks(self) -> Mapping[str, Picks]:
        """The picks, made at each access."""
        return PicksAbove(self.finished, self.threshold, self.edits)

    @property
    def with_rejected(self) -> JobResult:
        """The result as if nothing were rejected; what is counted of it refers to those micrographs too."""
        return replace(self, finished=self.every) if len(self.every) > len(self.finished) else self

    @property
    def on_filaments(self) -> list[str]:
        """The micrographs whose picks are segments of filaments."""
        return [name for name, one in self._measured.items() if one.on_filaments]

    @property
    def qualities(self) -> dict[str, MicrographQuality]:
        """The quality measures at the threshold."""
        return {name: one.quality for name, one in self._measured.items()}

    @property
    def score_counts(self) -> NDArray[np.uint16]:
        """``(micrographs, SCORE_BINS)`` numbers of candidates by their score."""
        return np.stack([one.score_counts for one in self._measured.values()])

    @property
    def n_picks(self) -> int:
        """The number of all picks."""
        return sum(one.quality.n_picks for one in self._measured.values())

    @property
    def n_candidates(self) -> int:
        """The number of all candidates."""
        return int(self.score_counts.sum(dtype=np.int64))

    @cached_property
    def _measured(self) -> dict[str, _Measured]:
        """What is counted of each micrograph, in one pass."""
        return {
            name: _Measured(
                self._quality(name, one),
                count_scores(one.candidates.score),
                one.candidates.tube_id is not None,
            )
            for name, one in self.finished.items()
        }

    def _quality(self, name: str, one: FinishedMicrograph) -> MicrographQuality:
        picks = self.edits.picks_of(name, one.candidates, self.threshold)
        n = n_fitting(one.shape, one.pixel_size_A, self.options.particle_diameter_A, one.areas)
        # How many segments fit is the user's choice of their distance: only none are few.
        return assess(picks, one.areas, 1.0 if one.candidates.tube_id is not None else n)


class _Measured(NamedTuple):
    quality: MicrographQuality
    score_counts: NDArray[np.uint16]
    on_filaments: bool
