"""What stands after a run of a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from cryoseg_ext.formats.micrographs import MicrographList
from cryoseg_ext.image.areas import MicrographQuality, assess
from cryoseg_ext.job.finished import FinishedMicrograph
from cryoseg_ext.job.host import ResultFiles
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.picks import Picks


@dataclass(frozen=True)
class JobResult:
    """What stands after a run; every mapping is by the name of the micrograph, in the order of the list.

    Parameters
    ----------
    listed : MicrographList
        The input, with those micrographs only that were picked.
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
    """

    listed: MicrographList
    finished: Mapping[str, FinishedMicrograph]
    files: Mapping[str, ResultFiles]
    options: PickingOptions
    threshold: float
    skipped: Mapping[str, str]

    @cached_property
    def picks(self) -> dict[str, Picks]:
        """The picks at or above the threshold."""
        return {name: one.candidates.above(self.threshold) for name, one in self.finished.items()}

    @cached_property
    def qualities(self) -> dict[str, MicrographQuality]:
        """The quality measures at the threshold."""
        return {name: assess(self.picks[name], one.areas) for name, one in self.finished.items()}

    @property
    def n_picks(self) -> int:
        """The number of all picks."""
        return sum(map(len, self.picks.values()))
