"""The picking job: plan, leave out what is finished, pick, store, report. It stands once, for every host."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.micrographs import ListedMicrograph, MicrographList, with_copies
from cryoseg_ext.job.device import load_on_device
from cryoseg_ext.job.diameter import sampled_diameter
from cryoseg_ext.job.finished import (
    FinishedMicrograph,
    as_stored,
    read_finished,
    settings_key,
    write_finished,
)
from cryoseg_ext.job.host import Host, ResultFiles
from cryoseg_ext.job.masks import find_masks, picks_in_mask, write_mask
from cryoseg_ext.job.reports import overlay_of, write_reports
from cryoseg_ext.job.result import JobResult
from cryoseg_ext.model.file import ModelFile
from cryoseg_ext.model.weights import DEFAULT_MODEL
from cryoseg_ext.options.job import JobOptions
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.options.table import as_arguments
from cryoseg_ext.report.preview import make_preview, save_preview, stretch
from cryoseg_ext.words import counted

if TYPE_CHECKING:
    from cryoseg_ext.job.batch import BatchResult
    from cryoseg_ext.model.checkpoint import Model


@dataclass(frozen=True)
class _Planned:
    """A micrograph, its files, the key of the settings it is to be picked with, and its part of the run."""

    micrograph: ListedMicrograph
    files: ResultFiles
    settings: str
    stretch: int


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
    _skipped: dict[str, str] = field(default_factory=dict, init=False)
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
        if self.options.pick_on:
            listed = with_copies(listed, self.options.pick_on)
        for name, sentence in listed.problems.items():
            self._skip(name, sentence)
        picking = self._picking = self.host.picking = self._picking or self._choose_size(listed)
        planned = self._plan(listed, picking)
        if not planned:
            raise self._nothing_picked(planned)
        masks = self._masks(planned)
        earlier = {name: stored for name, one in planned.items() if (stored := self._stored(one))}
        waiting = [one for name, one in planned.items() if name not in self._finished | earlier]
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

    def _plan(self, listed: MicrographList, picking: PickingOptions) -> dict[str, _Planned]:
        """Return what there is to do, by name; refuse two micrographs that would share their files."""
        planned: dict[str, _Planned] = {}
        owner: dict[Path, str] = {}
        for number, one in enumerate(listed.micrographs):
            if one.name in self._skipped:
                continue
            try:
                files = self.host.files(one)
            except CryosegError as error:
                self._skip(one.name, str(error))
                continue
            if (first := owner.setdefault(files.candidates, one.name)) != one.name:
                raise CryosegError(
                    f"{first} and {one.name} would share the file {files.candidates}: pick them in two jobs"
                )
            # Seen from the folder of the job, because a project may be moved as a whole.
            images = (os.path.relpath(path, self.host.directory) for path in (one.path, one.image))
            digest = " ".join([self._file.digest, *images])
            key = settings_key(picking, digest=digest, pixel_size_A=one.pixel_size_A)
            planned[one.name] = _Planned(one, files, key, stretch(number, len(listed.by_name)))
        return planned

    def _masks(self, planned: dict[str, _Planned]) -> dict[str, Path]:
        folder = self.options.masks_in
        if folder is None:
            return {}
        written = self.host.directory / "masks"
        if self.options.masks and written.resolve().is_relative_to(folder.resolve()):
            raise CryosegError(
                f"--masks would write over those of --masks_in {folder}: leave it out, or give a copy of them"
            )
        own = {name: one.files.mask.relative_to(written).as_posix() for name, one in planned.items()}
        masks = find_masks(folder, own)
        self.host.say(f"{counted(len(masks), 'micrograph')} of {len(planned)} have a mask in {folder}")
        return masks

    def _stored(self, one: _Planned) -> FinishedMicrograph | None:
        """Return the result of an earlier run that still holds; None for one that this run has."""
        if one.micrograph.name in self._finished:
            return None
        stored = read_finished(one.files.candidates)
        if stored is None or not (self.options.only_do_unfinished or stored.settings == one.settings):
            return None
        has_mask = not self.options.masks or one.files.mask.exists()
        return stored if has_mask and self.host.has_all(one.micrograph) else None

    def _lowest_score(self, waiting: Sequence[_Planned], earlier: Mapping[str, FinishedMicrograph]) -> float:
        """Return one threshold for all, though kept results may be of an earlier model."""
        if self.options.threshold is not None:
            return self.options.threshold
        if waiting:
            return self._model.threshold
        return [*self._finished.values(), *earlier.values()][-1].default_threshold

    def _shown(self, planned: Mapping[str, _Planned]) -> set[int]:
        """Return the parts of the run from which a finished micrograph has a preview for the report."""
        done = (planned[name] for name in self._finished if name in planned)
        return {one.stretch for one in done if one.files.preview.exists()}

    def _pick(
        self, waiting: Sequence[_Planned], picking: PickingOptions, masks: dict[str, Path], shown: set[int]
    ) -> None:
        from cryoseg_ext.job.batch import pick_batch
        from cryoseg_ext.job.contrast import contrast_hint

        by_name = {one.micrograph.name: one for one in waiting}
        # Loaded before the first micrograph, whose reading would hide what is wrong with the model.
        model, is_first = self._model, True
        self.host.check()
        self.host.start(len(waiting))
        outcomes = pick_batch([one.micrograph for one in waiting], model, picking, self.host.check)
        for done, (micrograph, outcome) in enumerate(outcomes, start=1):
            one, n_picks = by_name[micrograph.name], None
            self._forget(one, masks.get(micrograph.name))
            if isinstance(outcome, CryosegError):
                self._skip(micrograph.name, str(outcome))
            else:
                if is_first and (hint := contrast_hint(outcome.picked, model, picking)):
                    self.host.warn(hint)
                is_first = False
                n_picks = self._store(one, outcome, masks.get(micrograph.name), shown)
            self.host.progress(micrograph, done, len(waiting), n_picks)

    def _store(self, one: _Planned, outcome: BatchResult, mask: Path | None, shown: set[int]) -> int | None:
        """Write what was found, the candidates last because they say that the micrograph is finished."""
        prepared, picked = outcome.prepared, outcome.picked
        result = FinishedMicrograph(
            one.settings,
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

    def _finish(self, one: _Planned, result: FinishedMicrograph, mask: Path | None) -> int | None:
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

    def _forget(self, one: _Planned, heeded: Path | None) -> None:
        """Remove all that an earlier run wrote for a micrograph that is picked anew, but the mask to heed."""
        self.host.forget(one.micrograph)
        is_heeded = heeded is not None and heeded.resolve() == one.files.mask.resolve()
        if one.files.candidates.exists() and not is_heeded:
            # Without a finished result it may be a mask of the user's own.
            one.files.mask.unlink(missing_ok=True)
        for path in (one.files.candidates, one.files.preview):
            path.unlink(missing_ok=True)

    def _skip(self, name: str, sentence: str) -> None:
        if name not in self._skipped:
            self._skipped[name] = sentence
            self.host.warn(f"Skipped: {sentence}")

    def _write(
        self, listed: MicrographList, planned: dict[str, _Planned], picking: PickingOptions
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
            dict(self._skipped),
        )
        self.host.write_outputs(result)
        write_reports(self.host, result)
        return result

    def _nothing_picked(self, planned: Mapping[str, _Planned]) -> CryosegError:
        return CryosegError(
            f"none of the {len(planned.keys() | self._skipped)} micrographs could be picked: correct what is "
            "said about them above and run the job again"
        )
