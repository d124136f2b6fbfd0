"""Watching: micrographs are picked as they appear, and the results renewed as it goes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from cryoseg_ext.errors import CryosegError, NothingPickedError
from cryoseg_ext.files import file_stamp
from cryoseg_ext.formats.micrographs import (
    GROUP_SUFFIXES,
    ListedMicrograph,
    MicrographList,
    with_copies,
)
from cryoseg_ext.image.reading import read_shape
from cryoseg_ext.job.diameter import N_SAMPLE
from cryoseg_ext.job.result import JobResult
from cryoseg_ext.job.run import Job
from cryoseg_ext.words import counted

INTERVAL_S = 5.0
"""From one look for new micrographs to the next; a file that stays the same from one to the next is whole."""
_CHECK_S = 0.5
_SHARE = 0.1
"""Largest share of the time for looking, and for writing results."""
_LIST_SUFFIXES = (".star", *GROUP_SUFFIXES)


def run_or_watch(job: Job, sources: Sequence[str | Path], read: Callable[[], MicrographList]) -> JobResult:
    """Pick the micrographs that there are, or those that come too if the options say so.

    Parameters
    ----------
    job : Job
        The job.
    sources : Sequence of str or Path
        Files, patterns, folders and lists that stand for the micrographs.
    read : callable
        Reads them.

    Raises
    ------
    CryosegError
        As from `Job.run`.
    """
    return watch(job, SteadyList(sources, read)) if job.options.watches else job.run(read())


def watch(
    job: Job,
    look: Callable[[], MicrographList],
    has_ended: Callable[[], bool] = lambda: False,
    interval_s: float = INTERVAL_S,
) -> JobResult:
    """Pick micrographs as they appear, until no more come.

    That is when `has_ended` says so, or when nothing new has come for the minutes of the options. A file that
    cannot be read waits until it changes; at the end it is skipped with a sentence. An exception that is no
    error, such as Ctrl-C, ends the watch too, with results of all that is picked.

    Parameters
    ----------
    job : Job
        The job.
    look : callable
        Returns the micrographs that there are; while it raises `CryosegError`, there are none yet.
    has_ended : callable
        Returns whether no more will come, whatever the options say.
    interval_s : float
        Seconds from one look to the next, at least; fewer while a file may be whole or not.

    Raises
    ------
    CryosegError
        If a setting cannot be used, or no micrograph could be picked at the end.
    """
    watcher = _Watcher(job, look)
    with job.working():
        try:
            while True:
                # Read first, so that what is written at the very end is seen.
                ended, start_s = has_ended(), time.monotonic()
                ready = watcher.look()
                if ended or watcher.is_idle:
                    return watcher.finish()
                spent_s = time.monotonic() - start_s
                watcher.pick(ready)
                watcher.write_if_due()
                pause_s = min(interval_s, INTERVAL_S) if watcher.has_unsure else interval_s
                watcher.wait(start_s + max(pause_s, spent_s / _SHARE))
        except Exception:
            raise
        except BaseException:
            watcher.write()
            raise


class SteadyList:
    """Reads a list of micrographs again when it has changed, but not while it is being written.

    Parameters
    ----------
    sources : Sequence of str or Path
        Files, patterns, folders and lists that stand for the micrographs.
    read : callable
        Reads them.
    """

    def __init__(self, sources: Sequence[str | Path], read: Callable[[], MicrographList]) -> None:
        self._lists = [path for path in map(Path, sources) if path.suffix.lower() in _LIST_SUFFIXES]
        self._has_others = len(self._lists) < len(sources)
        self._read = read
        self._listed: MicrographList | None = None
        self._stamps_read: list[str | None] = []
        self._stamps_seen: list[str | None] = []

    def __call__(self) -> MicrographList:
        """Return the micrographs that there are, of lists that have just changed those before."""
        stamps = [file_stamp(path) for path in self._lists]
        is_steady, self._stamps_seen = stamps == self._stamps_seen, stamps
        listed = self._listed
        is_old = listed is None or stamps != self._stamps_read or self._has_others or listed.problems
        if listed is None or (is_old and is_steady):
            listed = self._listed = self._read()
            self._stamps_read = stamps
        return listed


class _Watcher:
    """What has been seen, picked and written."""

    def __init__(self, job: Job, look: Callable[[], MicrographList]) -> None:
        self._job, self._look = job, look
        self._listed: MicrographList | None = None
        self._problem = CryosegError("there are no micrographs")
        self._seen: dict[str, str | None] = {}
        """Stamps of the images at the last look."""
        self._given: dict[str, str | None] = {}
        """Stamps of those that were last given to the job."""
        self._broken: dict[str, str | None] = {}
        """Stamps of those that cannot be read."""
        self._estimates = job.options.size.largest_A is None
        self._least = N_SAMPLE if self._estimates else 1
        self.has_unsure = False
        """Whether the last look has seen files for the first time, or changed."""
        self._result: JobResult | None = None
        self._is_unwritten = False
        self._due_s = -math.inf
        self._new_s = time.monotonic()
        self._said = ""

    @property
    def is_idle(self) -> bool:
        """Whether nothing new has come for as long as the options say."""
        minutes = self._job.options.watch_until_idle_min
        return minutes is not None and time.monotonic() - self._new_s >= 60 * minutes

    def look(self) -> MicrographList | None:
        """Return the micrographs whose files are whole; None where there is no list yet."""
        listed: MicrographList | None
        try:
            listed = self._look()
            if self._job.options.pick_on:
                listed = with_copies(listed, self._job.options.pick_on)
        except CryosegError as error:
            self._problem = error
            self._say(f"Waiting: {error}")
            listed = self._listed
        if listed is None:
            return None
        stamps = {name: file_stamp(one.image) for name, one in listed.by_name.items()}
        self.has_unsure = stamps != self._seen
        whole = {name: one for name, one in listed.by_name.items() if self._is_whole(one, stamps[name])}
        if self.has_unsure:
            self._new_s = time.monotonic()
        self._listed, self._seen = listed, stamps
        return replace(listed, by_name=whole, problems={})

    def _is_whole(self, micrograph: ListedMicrograph, stamp: str | None) -> bool:
        name = micrograph.name
        if stamp is None or stamp in (self._given.get(name), self._broken.get(name)):
            return stamp is not None and stamp == self._given.get(name)
        if stamp != self._seen.get(name):
            return False
        try:
            read_shape(micrograph.image)
        except CryosegError as error:
            self._broken[name] = stamp
            self._job.host.say(f"Waiting until it is whole: {error}")
            return False
        return True

    def pick(self, ready: MicrographList | None) -> None:
        """Pick what is new, and leave out what is listed no more."""
        if ready is None:
            return
        given = {name: self._seen[name] for name in ready.by_name}
        so_far = f"{counted(len(given), 'micrograph')} so far; waiting for"
        if len(given) < self._least:
            needed = f"{self._least} to estimate the particle diameter" if self._estimates else "more"
            if not self.has_unsure:
                self._say(f"{so_far} {needed}")
        elif given != self._given:
            self._given, self._is_unwritten = given, True
            try:
                self._job.pick(ready, self._renew)
            except NothingPickedError as error:
                # There may be better ones to come, but an estimate of the diameter takes its time.
                self._problem, self._least = error, 2 * len(given) if self._estimates else 1
                self._say(f"Waiting: {error}")
            else:
                self._least = 1
                self._say(f"{so_far} more")
            self._new_s = time.monotonic()

    def finish(self) -> JobResult:
        """Pick what there is, with a sentence on each file that cannot be."""
        if self._listed is None:
            raise self._problem
        if self._is_unwritten or self._result is None or self._seen != self._given or self._listed.problems:
            self._job.pick(self._listed)
            self._job.host.check()
            self._result = self._job.write()
        return self._result

    def _renew(self) -> None:
        self._is_unwritten = True
        self.write_if_due()

    def write_if_due(self) -> None:
        """Renew the results where that takes little of the time."""
        if self._is_unwritten and time.monotonic() >= self._due_s:
            self.write()

    def write(self) -> None:
        """Renew the results, if there are any."""
        if self._is_unwritten:
            start_s = time.monotonic()
            with suppress(NothingPickedError):
                self._result = self._job.write()
                self._is_unwritten = False
            end_s = time.monotonic()
            self._due_s = end_s + (end_s - start_s) * (1 / _SHARE - 1)

    def wait(self, until_s: float) -> None:
        """Wait until a time of the monotonic clock, or until the user has ended the job."""
        while True:
            self._job.host.check()
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                return
            time.sleep(min(left_s, _CHECK_S))

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self._job.host.waiting(text)
