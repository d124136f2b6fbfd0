"""The picking job: plan, leave out what is finished, pick, store, report. It stands once, for every host."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from cryoseg_ext.errors import CryosegError, NothingPickedError
from cryoseg_ext.formats.micrographs import MicrographList, with_copies
from cryoseg_ext.job.device import load_on_device
from cryoseg_ext.job.diameter import sampled_diameter
from cryoseg_ext.job.edits import edit_commands, given_edits
from cryoseg_ext.job.finished import FinishedMicrograph, Results, read_finished
from cryoseg_ext.job.host import Host
from cryoseg_ext.job.keeping import Keeper
from cryoseg_ext.job.masks import given_masks
from cryoseg_ext.job.micrograph import Work
from cryoseg_ext.job.plan import Planned, plan
from cryoseg_ext.job.reports import check_written, write_reports
from cryoseg_ext.job.result import JobResult
from cryoseg_ext.job.scale import report_scale
from cryoseg_ext.job.skipped import Notes, Skipped
from cryoseg_ext.job.workers import Workers
from cryoseg_ext.model.file import ModelFile
from cryoseg_ext.model.weights import DEFAULT_MODEL
from cryoseg_ext.options.job import JobOptions
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.options.table import as_arguments
from cryoseg_ext.progress import tell, tracked
from cryoseg_ext.words import counted

if TYPE_CHECKING:
    from cryoseg_ext.model.checkpoint import Model

PICKING = "Picking micrographs"
"""What the progress of a job is shown as."""


@dataclass
class Job:
    """A picking job; `run`, or `pick` and `write`, may be called again when there are more micrographs.

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
    _keeper: Keeper = field(init=False)
    _warned: set[str] = field(default_factory=set, init=False)
    _skipped: Skipped = field(default_factory=Skipped, init=False)
    _listed: MicrographList | None = field(default=None, init=False)
    _planned: dict[str, Planned] = field(default_factory=dict, init=False)
    _picking: PickingOptions | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._keeper = Keeper(self.host, self._skip, self.options.masks)

    @cached_property
    def _file(self) -> ModelFile:
        return ModelFile(self.options.model or DEFAULT_MODEL, self.options.architecture)

    @property
    def _digest(self) -> str:
        """What decides about the picks beside the options: other numbers that are insisted on do, too."""
        numbers = self.options.precision
        return self._file.digest if numbers == "auto" else f"{self._file.digest} {numbers}"

    @cached_property
    def _workers(self) -> Workers:
        return Workers(self.options, self.host, self._file, lambda: self._model, self._warn_once)

    @cached_property
    def _model(self) -> Model:
        return self.model or load_on_device(self._file, self.options, self._warn_once)

    def _warn_once(self, sentence: str) -> None:
        # Where the model is loaded and where workers are started, the same devices are looked for.
        if sentence not in self._warned:
            self._warned.add(sentence)
            self.host.warn(sentence)

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
        with self.working():
            if self.options.pick_on:
                listed = with_copies(listed, self.options.pick_on)
            self.pick(listed)
            return self.write()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Hold the folder, and the workers that `pick` starts, until the end."""
        with self.host.hold(), closing(self._workers):
            yield

    def pick(self, listed: MicrographList, after_each: Callable[[], None] = lambda: None) -> None:
        """Pick what is not finished, within `working`.

        Parameters
        ----------
        listed : MicrographList
            The micrographs, with the copies to pick in their place.
        after_each : callable
            Called after each micrograph; may call `write`.

        Raises
        ------
        NothingPickedError
            If no micrograph can be picked.
        CryosegError
            If a setting cannot be used.
        """
        self._skipped.forgive(listed)
        self._listed = listed
        for name, sentence in listed.problems.items():
            self._skip(name, sentence)
        is_first = self._picking is None
        picking = self._picking = self.host.picking = self._picking or self._choose_size(listed)
        planned = self._planned = plan(
            listed, self.host, picking, self._digest, self._skipped.sentences, self._skip
        )
        if not planned:
            raise self._nothing_picked()
        keeper, own_masks = self._keeper, {name: one.files.mask for name, one in planned.items()}
        keeper.heeded = given_masks(self.options, own_masks, self.host)
        edits = keeper.edits = given_edits(self.options, listed, self.host, self._warn_once)
        if all(map(edits.rejects, planned)):
            raise NothingPickedError(
                f"{self.options.in_coords} rejects all micrographs that can be picked: accept one, or leave "
                "out --in_coords"
            )
        kept = {name for name, one in planned.items() if self._is_kept(one)}
        earlier = Results()
        for name, one in tracked(list(planned.items()), "Looking for what is finished", quick=True):
            if name not in kept and (stored := self._stored(one)) is not None:
                earlier[name] = stored
        waiting = [
            one
            for name, one in planned.items()
            if name not in kept and name not in earlier and not edits.rejects(name)
        ]
        if is_first:
            report_scale(
                [one.micrograph for one in waiting], list(islice(earlier.values(), 1)), picking, self.host
            )
        self.host.say(f"{counted(len(waiting), 'micrograph')} to pick, {len(earlier)} finished earlier")
        keeper.threshold = self._lowest_score(waiting, earlier)
        for name in list(earlier):
            keeper.take_over(planned[name], earlier.pop(name))
        if waiting:
            self._pick(waiting, picking, after_each)
        self.host.check()

    def _choose_size(self, listed: MicrographList) -> PickingOptions:
        diameter_A = self.options.size.largest_A
        if diameter_A is None:
            estimate = sampled_diameter(
                listed.micrographs,
                self._digest,
                self.host.directory,
                lambda: self._model,
                invert=self.options.invert,
            )
            (self.host.say if estimate.sure else self.host.warn)(str(estimate))
            diameter_A = estimate.diameter_A
        self.host.say(f"Settings: {as_arguments(self.options)} (model {self._file.digest[:16]})")
        return self.options.picking(diameter_A)

    def _is_kept(self, one: Planned) -> bool:
        """Return whether this run has a result that still holds."""
        result = self._keeper.finished.get(one.micrograph.name)
        return result is not None and one.is_met_by(result, any_settings=self.options.only_do_unfinished)

    def _stored(self, one: Planned) -> FinishedMicrograph | None:
        """Return the result of an earlier run that still holds."""
        stored = read_finished(one.files.candidates)
        if stored is None or not one.is_met_by(stored, any_settings=self.options.only_do_unfinished):
            return None
        has_mask = not self.options.masks or one.files.mask.exists()
        return stored if has_mask and self.host.has_all(one.micrograph) else None

    def _lowest_score(self, waiting: Sequence[Planned], earlier: Results) -> float:
        """Return one threshold for all, though kept results may be of an earlier model."""
        threshold = self.options.threshold
        if threshold is None:
            results = earlier or self._keeper.finished
            threshold = self._file.threshold if waiting else results[list(results)[-1]].default_threshold
        if not math.isfinite(threshold):
            of = f" of {self.options.model or 'the model'}" if self.options.threshold is None else ""
            raise CryosegError(f"the threshold{of} is {threshold}: give --threshold, a number from 0 to 1")
        return threshold

    def _pick(
        self, waiting: Sequence[Planned], picking: PickingOptions, after_each: Callable[[], None]
    ) -> None:
        keeper, notes = self._keeper, Notes(self.host.warn)
        keeper.look_for_previews(self._planned)
        by_name = {one.micrograph.name: one for one in waiting}
        self.host.check()
        self.host.start(len(waiting))
        work = Work(picking, keeps_maps=self.options.masks or self.host.keeps_maps)
        micrographs, n_all = [one.micrograph for one in waiting], 0
        tell(PICKING, 0, len(waiting))
        for done, (micrograph, outcome) in enumerate(self._workers.pick(micrographs, work), start=1):
            one, n_picks = by_name[micrograph.name], None
            keeper.forget(one)
            if isinstance(outcome, CryosegError):
                self._skip(micrograph.name, str(outcome))
            else:
                notes.add(micrograph, outcome.notes)
                if outcome.hint:
                    self.host.warn(outcome.hint)
                n_picks = keeper.store(one, outcome, self._file.threshold)
            n_all += n_picks or 0
            self.host.note_done(micrograph, n_picks)
            tell(PICKING, done, len(waiting), counted(n_all, "particle"))
            after_each()
        notes.summarise()

    def _skip(self, name: str, sentence: str) -> None:
        micrograph = self._listed.by_name.get(name) if self._listed else None
        if self._skipped.add(name, sentence, micrograph):
            self.host.warn(f"Skipped: {sentence}")

    def write(self) -> JobResult:
        """Write the results and reports of all that is picked so far.

        Raises
        ------
        NothingPickedError
            If nothing is.
        """
        listed, planned, picking = self._listed, self._planned, self._picking
        keeper = self._keeper
        finished = [name for name in planned if name in keeper.finished]
        done = [name for name in finished if not keeper.edits.rejects(name)]
        if not done or listed is None or picking is None:
            raise self._nothing_picked()
        result = JobResult(
            replace(listed, by_name={name: listed.by_name[name] for name in done}),
            keeper.finished.of(done),
            {name: planned[name].files for name in done},
            picking,
            keeper.threshold,
            dict(self._skipped.sentences),
            keeper.edits,
            keeper.finished.of(finished),
            edit_commands(self.host, self.options, picking),
        )
        self.host.write_outputs(result)
        write_reports(self.host, result)
        check_written(self.host, result, masks=self.options.masks)
        return result

    def _nothing_picked(self) -> NothingPickedError:
        n = len(self._planned.keys() | self._skipped.sentences)
        if n == 1:
            return NothingPickedError(next(iter(self._skipped.sentences.values())))
        return NothingPickedError(f"none of the {n} micrographs could be picked: correct what is said above")
