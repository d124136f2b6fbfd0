"""The results of a job: taken over, written, and forgotten, one micrograph at a time."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import remove
from cryoseg_ext.formats.edits import Edits
from cryoseg_ext.job.finished import FinishedMicrograph, Results, as_stored, write_finished
from cryoseg_ext.job.host import Host
from cryoseg_ext.job.masks import picks_in_mask, write_mask
from cryoseg_ext.job.micrograph import about_micrograph
from cryoseg_ext.job.reports import overlay_of, without_masked
from cryoseg_ext.report.preview import save_preview

if TYPE_CHECKING:
    from cryoseg_ext.job.micrograph import MicrographResult
    from cryoseg_ext.job.plan import Planned


@dataclass
class Keeper:
    """What a job holds of its micrographs.

    Parameters
    ----------
    host : Host
        The program that the job runs in; it knows how the job picks when there is something to keep.
    skip : callable
        Called with the name of a micrograph whose results cannot be kept, and a sentence.
    writes_masks : bool
        Whether masks are among the results.
    """

    host: Host
    skip: Callable[[str, str], None]
    writes_masks: bool
    finished: Results = field(default_factory=Results, init=False)
    """Results by name; candidates outside of given masks are left out."""
    threshold: float = field(default=0.0, init=False)
    """Lowest score of a pick."""
    heeded: Mapping[str, Path] = field(default_factory=dict, init=False)
    """Given masks by name."""
    edits: Edits = field(default_factory=Edits, init=False)
    """What was decided by hand."""
    _shown: set[int] = field(default_factory=set, init=False)

    def look_for_previews(self, planned: Mapping[str, Planned]) -> None:
        """Find the parts of the run from which a finished micrograph has a preview for the report."""
        done = (planned[name] for name in self.finished if name in planned)
        self._shown = {one.stretch for one in done if one.files.preview.exists()}

    def store(self, one: Planned, outcome: MicrographResult, default_threshold: float) -> int | None:
        """Write what was found, and return the number of picks.

        What is wrong with this micrograph alone skips it, and returns None.

        Parameters
        ----------
        one : Planned
            The micrograph.
        outcome : MicrographResult
            What was found.
        default_threshold : float
            The calibrated threshold of the model.
        """
        try:
            return self._store(one, outcome, default_threshold)
        except CryosegError:
            raise
        except Exception as error:
            # A full disk is no fault of the micrograph, but a name that is too long for its files is.
            if isinstance(error, OSError) and error.errno != errno.ENAMETOOLONG:
                raise
            with suppress(OSError):
                self.forget(one)
            self.skip(one.micrograph.name, str(about_micrograph(error, one.micrograph)))
            return None

    def _store(self, one: Planned, outcome: MicrographResult, default_threshold: float) -> int | None:
        """Write what was found, the candidates last because they say that the micrograph is finished."""
        result = FinishedMicrograph(
            one.key(outcome.stamp),
            default_threshold,
            as_stored(outcome.candidates),
            outcome.areas,
            outcome.shape,
            outcome.pixel_size_A,
        )
        if self.writes_masks:
            write_mask(one.files.mask, outcome)
        self.host.keep(one.micrograph, outcome)
        is_sample = one.stretch not in self._shown
        if is_sample:
            self._shown.add(one.stretch)
            save_preview(one.files.preview, outcome.preview)
        n_picks = self.take_over(one, result)
        write_finished(one.files.candidates, result)
        if is_sample and self.host.picking and n_picks is not None:
            name = one.micrograph.name
            kept = self.finished[name]
            preview = without_masked(outcome.preview, result.candidates, kept.candidates)
            picks = self.edits.picks_of(name, kept.candidates, self.threshold)
            self.host.show(overlay_of(name, preview, kept, self.host.picking, picks))
        return n_picks

    def take_over(self, one: Planned, result: FinishedMicrograph) -> int | None:
        """Hold a result, without what lies outside of a mask; write and count its picks.

        A micrograph that was rejected by hand is held too, but nothing stands for it.
        Returns None where the mask cannot be read, which skips the micrograph.
        """
        name, kept = one.micrograph.name, result
        if mask := self.heeded.get(name):
            try:
                kept = replace(result, candidates=picks_in_mask(result.candidates, mask, result.shape))
            except CryosegError as error:
                self.host.forget(one.micrograph)
                self.skip(name, str(error))
                return None
        self.finished[name] = kept
        if self.edits.rejects(name):
            self.host.forget(one.micrograph)
            return 0
        picks = self.edits.picks_of(name, kept.candidates, self.threshold)
        known = replace(one.micrograph, pixel_size_A=result.pixel_size_A, shape=result.shape)
        self.host.write_picks(known, picks)
        return len(picks)

    def forget(self, one: Planned) -> None:
        """Remove all that an earlier run wrote for a micrograph that is picked anew, but the mask to heed."""
        self.finished.pop(one.micrograph.name, None)
        self.host.forget(one.micrograph)
        heeded = self.heeded.get(one.micrograph.name)
        is_heeded = heeded is not None and heeded.resolve() == one.files.mask.resolve()
        if one.files.candidates.exists() and not is_heeded:
            # Without a finished result it may be a mask of the user's own.
            remove(one.files.mask)
        for path in (one.files.candidates, one.files.preview):
            remove(path)
