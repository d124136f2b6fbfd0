"""The picking job: plan, leave out what is finished, pick, store, report. It stands once, for every host."""

from __future__ import annotations

import errno
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import remove
from cryoseg_ext.formats.micrographs import MicrographList, with_copies
from cryoseg_ext.job.batch import about_micrograph, pick_batch
from cryoseg_ext.job.device import load_on_device
from cryoseg_ext.job.diameter import sampled_diameter
from cryoseg_ext.job.finished import (
    FinishedMicrograph,
    as_stored,
    read_finished,
    write_finished,
)
from cryoseg_ext.job.host import Host
from cryoseg_ext.job.masks import given_masks, picks_in_mask, write_mask
from cryoseg_ext.job.plan import Planned, plan
from cryoseg_ext.job.reports import check_written, overlay_of, write_reports
from cryoseg_ext.job.result import JobResult
from cryoseg_ext.job.scale import report_scale
from cryoseg_ext.job.skipped import Notes, Skipped
from cryoseg_ext.model.file import ModelFile
from cryoseg_ext.model.weights import DEFAULT_MODEL
from cryoseg_ext.options.job import JobOptions
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.options.table import as_arguments
from cryoseg_ext.report.preview import make_preview, save_preview
from cryoseg_ext.words import counted

if TYPE_CHECKING:
    from cryoseg_ext.job.batch import BatchResult
    from cryoseg_ext.model.checkpoint import Model


@dataclass
class Job:
    """A picking job; `run` may be called again when there are more micrographs.

    Parameters
    ----------
    options : JobOptions
        What the user decided.
    host : Host
        The program that the job runs in.
    model : Model, optional
        The model of `options`, where `load_on_device` has loaded it already.
    """

    options: JobOptions
    host: Host
    model: Model | None = None
    _finished: dict[str, FinishedMicrograph] = field(default_factory=dict, init=False)
    _skipped: Skipped = field(default_factory=Skipped, init=False)
    _listed: MicrographList | None = field(default=None, init=False)
    _picking: PickingOptions | None = field(default=None, init=False)
    _threshold: float = field(default=0.0, init=False)

    @cached_property
    def _file(self) -> ModelFile:
        return ModelFile(self.options.model or DEFAULT_MODEL, self.options.architecture)

    @cached_property
    def _model(self) -> Model:
        return self.model or load_on_device(self._file, self.options, self.host.warn)

    def run(self, listed: MicrographList) -> JobResult:
        """Pick what is not finished, and write the results and reports of all that is.

        A micrograph that was picked earlier with the same settings is not picked again: another threshold,
        or other masks to heed, only write its coordinates anew, and load no network.

        Parameters
        ----------
        listed : MicrographList
            The micrographs.

        Raises
        ------
        CryosegError
            If a setting cannot be used, or no micrograph could be picked.
        """
        with self.host.hold():
            return self._run(listed)

    def _run(self, listed: MicrographList) -> JobResult:
        if self.options.pick_on:
            listed = with_copies(listed, self.options.pick_on)
        self._skipped.forgive(listed)
        self._listed = listed
        for name, sentence in listed.problems.items():
            self._skip(name, sentence)
        is_first = self._picking is None
        picking = self._picking = self.host.picking = self._picking or self._choose_size(listed)
        planned = plan(listed, self.host, picking, self._file.digest, self._skipped.sentences, self._skip)
        if not planned:
            raise self._nothing_picked(planned)
        masks = given_masks(self.options, {name: one.files.mask for name, one in planned.items()}, self.host)
        kept = {name for name, one in planned.items() if self._is_kept(one)}
        earlier = {
            name: stored
            for name, one in planned.items()
            if name not in kept and (stored := self._stored(one)) is not None
        }
        waiting = [one for name, one in planned.items() if name not in kept | earlier.keys()]
        if is_first:
            report_scale([one.micrograph for one in waiting], list(earlier.values()), picking, self.host)
        self.host.say(f"{counted(len(waiting), 'micrograph')} to pick, {len(earlier)} finished earlier")
        self._threshold = self._lowest_score(waiting, earlier)
        for name, stored in earlier.items():
            self._finish(planned[name], stored, masks.get(name))
        if waiting:
            self._pick(waiting, picking, masks, self._shown(planned))
        self.host.check()
        return self._write(listed, planned, picking)

    def _choose_size(self, listed: MicrographList) -> PickingOptions:
        diameter_A = self.options.size.largest_A
        if diameter_A is None:
            estimate = sampled_diameter(
                listed.micrographs,
                self._file.digest,
                self.host.directory,
                lambda: self._model,
                self.host.check,
                invert=self.options.invert,
            )
            (self.host.say if estimate.sure else self.host.warn)(str(estimate))
            diameter_A = estimate.diameter_A
        self.host.say(f"Settings: {as_arguments(self.options)} (model {self._file.digest[:16]})")
        return self.options.picking(diameter_A)

    def _is_kept(self, one: Planned) -> bool:
        """Return whether this run has a result that still holds."""
        result = self._finished.get(one.micrograph.name)
        return result is not None and one.is_met_by(result, any_settings=self.options.only_do_unfinished)

    def _stored(self, one: Planned) -> FinishedMicrograph | None:
        """Return the result of an earlier run that still holds."""
        stored = read_finished(one.files.candidates)
        if stored is None or not one.is_met_by(stored, any_settings=self.options.only_do_unfinished):
            return None
        has_mask = not self.options.masks or one.files.mask.exists()
        return stored if has_mask and self.host.has_all(one.micrograph) else None

    def _lowest_score(self, waiting: Sequence[Planned], earlier: Mapping[str, FinishedMicrograph]) -> float:
        """Return one threshold for all, though kept results may be of an earlier model."""
        threshold = self.options.threshold
        if threshold is None:
            results = [*self._finished.values(), *earlier.values()]
            threshold = self._model.threshold if waiting else results[-1].default_threshold
        if not math.isfinite(threshold):
            of = f" of {self.options.model or 'the model'}" if self.options.threshold is None else ""
            raise CryosegError(f"the threshold{of} is {threshold}: give --threshold, a number from 0 to 1")
        return threshold

    def _shown(self, planned: Mapping[str, Planned]) -> set[int]:
        """Return the parts of the run from which a finished micrograph has a preview for the report."""
        done = (planned[name] for name in self._finished if name in planned)
        return {one.stretch for one in done if one.files.preview.exists()}

    def _pick(
        self, waiting: Sequence[Planned], picking: PickingOptions, masks: dict[str, Path], shown: set[int]
    ) -> None:
        from cryoseg_ext.job.contrast import contrast_hint

        by_name = {one.micrograph.name: one for one in waiting}
        # Loaded before the first micrograph, whose reading would hide what is wrong with the model.
        model, is_first, notes = self._model, True, Notes(self.host.warn)
        self.host.check()
        self.host.start(len(waiting))
        outcomes = pick_batch([one.micrograph for one in waiting], model, picking, self.host.check)
        for done, (micrograph, outcome) in enumerate(outcomes, start=1):
            one, n_picks = by_name[micrograph.name], None
            self._forget(one, masks.get(micrograph.name))
            if isinstance(outcome, CryosegError):
                self._skip(micrograph.name, str(outcome))
            else:
                notes.add(micrograph, outcome.prepared.notes)
                if is_first and (hint := contrast_hint(outcome.picked, model, picking)):
                    self.host.warn(hint)
                is_first = False
                n_picks = self._try_to_store(one, outcome, masks.get(micrograph.name), shown)
            self.host.progress(micrograph, done, len(waiting), n_picks)
        notes.summarise()

    def _try_to_store(
        self, one: Planned, outcome: BatchResult, mask: Path | None, shown: set[int]
    ) -> int | None:
        """Write what was found; what is wrong with this micrograph alone skips it."""
        try:
            return self._store(one, outcome, mask, shown)
        except CryosegError:
            raise
        except Exception as error:
            # A full disk is no fault of the micrograph, but a name that is too long for its files is.
            if isinstance(error, OSError) and error.errno != errno.ENAMETOOLONG:
                raise
            with suppress(OSError):
                self._forget(one, mask)
            self._skip(one.micrograph.name, str(about_micrograph(error, one.micrograph)))
            return None

    def _store(self, one: Planned, outcome: BatchResult, mask: Path | None, shown: set[int]) -> int | None:
        """Write what was found, the candidates last because they say that the micrograph is finished."""
        prepared, picked = outcome.prepared, outcome.picked
        result = FinishedMicrograph(
            one.key(prepared.stamp),
            self._model.threshold,
            as_stored(outcome.candidates),
            picked.areas,
            prepared.shape,
            prepared.micrograph_pixel_A,
        )
        if self.options.masks:
            write_mask(one.files.mask, outcome)
        self.host.keep(one.micrograph, outcome)
        is_sample = one.stretch not in shown
        if is_sample:
            shown.add(one.stretch)
            preview = make_preview(picked.working.image, picked.mask, prepared.shape, picked.contaminated)
            save_preview(one.files.preview, preview)
        n_picks = self._finish(one, result, mask)
        write_finished(one.files.candidates, result)
        if is_sample and self._picking and n_picks is not None:
            kept = self._finished[one.micrograph.name]
            self.host.show(overlay_of(one.micrograph.name, preview, kept, self._picking, self._threshold))
        return n_picks

    def _finish(self, one: Planned, result: FinishedMicrograph, mask: Path | None) -> int | None:
        """Take a result over, without what lies outside of a mask; write and count its picks.

        Returns None where the mask cannot be read, which skips the micrograph.
        """
        kept = result
        if mask is not None:
            try:
                kept = replace(result, candidates=picks_in_mask(result.candidates, mask, result.shape))
            except CryosegError as error:
                self.host.forget(one.micrograph)
                self._skip(one.micrograph.name, str(error))
                return None
        self._finished[one.micrograph.name] = kept
        picks = kept.candidates.above(self._threshold)
        known = replace(one.micrograph, pixel_size_A=result.pixel_size_A, shape=result.shape)
        self.host.write_picks(known, picks)
        return len(picks)

    def _forget(self, one: Planned, heeded: Path | None) -> None:
        """Remove all that an earlier run wrote for a micrograph that is picked anew, but the mask to heed."""
        self._finished.pop(one.micrograph.name, None)
        self.host.forget(one.micrograph)
        is_heeded = heeded is not None and heeded.resolve() == one.files.mask.resolve()
        if one.files.candidates.exists() and not is_heeded:
            # Without a finished result it may be a mask of the user's own.
            remove(one.files.mask)
        for path in (one.files.candidates, one.files.preview):
            remove(path)

    def _skip(self, name: str, sentence: str) -> None:
        micrograph = self._listed.by_name.get(name) if self._listed else None
        if self._skipped.add(name, sentence, micrograph):
            self.host.warn(f"Skipped: {sentence}")

    def _write(
        self, listed: MicrographList, planned: dict[str, Planned], picking: PickingOptions
    ) -> JobResult:
        done = [name for name in planned if name in self._finished]
        if not done:
            raise self._nothing_picked(planned)
        result = JobResult(
            replace(listed, by_name={name: listed.by_name[name] for name in done}),
            {name: self._finished[name] for name in done},
            {name: planned[name].files for name in done},
            picking,
            self._threshold,
            dict(self._skipped.sentences),
        )
        self.host.write_outputs(result)
        write_reports(self.host, result)
        check_written(self.host, result, masks=self.options.masks)
        return result

    def _nothing_picked(self, planned: Mapping[str, Planned]) -> CryosegError:
        n = len(planned.keys() | self._skipped.sentences)
        if n == 1:
            return CryosegError(next(iter(self._skipped.sentences.values())))
        return CryosegError(f"none of the {n} micrographs could be picked: correct what is said above")
