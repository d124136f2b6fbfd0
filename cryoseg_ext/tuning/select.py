"""Choosing how to pick a data set, on a few of its micrographs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.convert import bring_picks
from cryoseg_ext.formats.masks import read_truth
from cryoseg_ext.formats.micrographs import ListedMicrograph, MicrographList, with_copies
from cryoseg_ext.formats.names import match_names, stem_of
from cryoseg_ext.job.device import choose_devices
from cryoseg_ext.job.diameter import estimated_diameter
from cryoseg_ext.job.masks import find_masks, write_mask
from cryoseg_ext.job.micrograph import Work, pick_listed, prepare
from cryoseg_ext.model.file import ModelFile
from cryoseg_ext.model.weights import DEFAULT_MODEL
from cryoseg_ext.options.job import JobOptions
from cryoseg_ext.options.size import ParticleSize
from cryoseg_ext.picks import Picks
from cryoseg_ext.processes import use_threads
from cryoseg_ext.progress import tracked
from cryoseg_ext.tuning.grid import grid_of
from cryoseg_ext.tuning.search import (
    TRYING,
    Rectangle,
    Sample,
    SearchResult,
    Trial,
    count_settings,
    search_with_truth,
    search_without_truth,
)
from cryoseg_ext.words import note

Item = TypeVar("Item")


@dataclass(frozen=True)
class Evidence:
    """What a choice goes by.

    Parameters
    ----------
    truth : Path, optional
        All particles of some of the micrographs; without it each micrograph is compared with itself.
    match : float
        Largest error of a pick in diameters of the particle.
    inside : tuple of float, optional
        Rectangle in which `truth` is complete.
    most : int
        Largest number of micrographs to use.
    """

    truth: Path | None = None
    match: float = 0.3
    inside: Rectangle | None = None
    most: int = 10


@dataclass(frozen=True)
class Selection:
    """A choice.

    Parameters
    ----------
    options : JobOptions
        The options of the user with what was chosen.
    search : SearchResult
        How it was found.
    used : Sequence of str
        Names of the micrographs that it was found on.
    """

    options: JobOptions
    search: SearchResult
    used: Sequence[str]


@dataclass(frozen=True)
class Notices:
    """Functions that are called as a choice goes on.

    Parameters
    ----------
    say, warn : callable
        Called with a sentence for the user.
    """

    say: Callable[[str], None] = lambda _text: None
    warn: Callable[[str], None] = lambda _text: None


def select(
    listed: MicrographList, options: JobOptions, evidence: Evidence, masks_out: Path, notices: Notices
) -> Selection:
    """Choose the extraction method, distance, stated diameter, random field and threshold.

    What the user gives with another value than the default stays as it is.

    Parameters
    ----------
    listed : MicrographList
        The micrographs.
    options : JobOptions
        What the user decided.
    evidence : Evidence
        What the choice goes by.
    masks_out : Path
        Folder for the masks of the choice, if `options` ask for masks.
    notices : Notices
        What is called as the choice goes on.

    Raises
    ------
    CryosegError
        If something cannot be read, or the truth has nothing for the micrographs.
    """
    if options.pick_on:
        listed = with_copies(listed, options.pick_on)
    use_threads(options.workers or 1)
    model = ModelFile(options.model or DEFAULT_MODEL, options.architecture).load(
        choose_devices(options, notices.warn)[0], options.precision
    )
    diameter_A = options.size.largest_A
    if diameter_A is None:
        estimate = estimated_diameter(listed.micrographs, model, invert=options.invert)
        notices.say(str(estimate))
        diameter_A = estimate.diameter_A
    trial = Trial(model, options.picking(diameter_A), evidence.match, options.threshold, evidence.inside)
    masks = {}
    if options.masks_in:
        masks = find_masks(options.masks_in, {name: f"{stem_of(name)}.mrc" for name in listed.by_name})
    read = partial(_read, masks=masks, invert=options.invert)
    if evidence.truth:
        used, found = _with_truth(listed, evidence, trial, read)
    else:
        used = _spread(listed.micrographs, evidence.most)
        found = search_without_truth(lambda what: (sample for _, sample in read(used, what)), trial)
    selection = Selection(_chosen(options, trial, found), found, [one.name for one in used])
    if options.masks:
        _write_masks(selection, used, trial, masks_out)
    return selection


def _with_truth(
    listed: MicrographList,
    evidence: Evidence,
    trial: Trial,
    read: Callable[[Sequence[ListedMicrograph], str], Iterator[tuple[ListedMicrograph, Sample]]],
) -> tuple[list[ListedMicrograph], SearchResult]:
    truth = evidence.truth
    assert truth is not None
    true = true_picks(truth, listed)
    known = _spread([one for one in listed.micrographs if one.name in true], evidence.most)
    if not known:
        raise CryosegError(f"{truth} has nothing for these micrographs: give those that were picked")
    grid, counts = grid_of(trial.base), []
    for micrograph, sample in read(known, TRYING):
        counts.append(count_settings(sample, true[micrograph.name], trial, grid))
    if not sum(one.truth.sum() for one in counts):
        raise CryosegError(f"{truth} has no particles on these micrographs: pick some, or leave out --truth")
    return known, search_with_truth(counts, trial, grid)


def true_picks(path: Path, listed: MicrographList) -> Mapping[str, Picks]:
    """Return the truth of each listed micrograph that has one, in its pixels, and note what is doubtful."""
    true = read_truth(path)
    matched = match_names(list(true), list(listed.by_name))
    brought = bring_picks({name: true[name] for name in matched}, listed, None, flip_y=False)
    of_others = (remark for name in true.keys() - matched.keys() for remark in true[name].remarks)
    for sentence in (*of_others, *brought.remarks, *brought.skipped):
        note(sentence)
    return brought.picks


def _read(
    micrographs: Sequence[ListedMicrograph], what: str, masks: dict[str, Path], *, invert: bool
) -> Iterator[tuple[ListedMicrograph, Sample]]:
    for micrograph in tracked(micrographs, what):
        yield micrograph, Sample(prepare(micrograph, invert=invert), masks.get(micrograph.name))


def _chosen(options: JobOptions, trial: Trial, found: SearchResult) -> JobOptions:
    """Return the options of the user with what was found."""
    picking = found.setting.applied_to(trial.base)
    largest_A, smallest_A = picking.particle_diameter_A, picking.smallest_diameter_A
    size = (
        ParticleSize(round(largest_A, 1))
        if smallest_A is None
        else ParticleSize(None, round(smallest_A, 1), round(largest_A, 1))
    )
    distance_A = picking.extraction.min_distance_A
    extraction = replace(picking.extraction, min_distance_A=distance_A and round(distance_A, 1))
    crf = options.crf if found.setting.crf else replace(options.crf, solver="none")
    return replace(options, size=size, threshold=found.threshold, extraction=extraction, crf=crf)


def _write_masks(selection: Selection, used: Sequence[ListedMicrograph], trial: Trial, folder: Path) -> None:
    """Write the segmentations that the choice makes of the micrographs it was found on."""
    diameter_A = selection.options.size.largest_A
    assert diameter_A is not None
    work = Work(selection.options.picking(diameter_A), keeps_maps=True)
    for micrograph in tracked(used, "Writing masks"):
        outcome = pick_listed(trial.model, micrograph, work)
        if isinstance(outcome, CryosegError):
            raise outcome
        write_mask(folder / f"{stem_of(micrograph.name)}.mrc", outcome)


def _spread(items: Sequence[Item], most: int) -> list[Item]:
    """Return at most so many, evenly spread over the session."""
    n = min(most, len(items))
    return [items[index * len(items) // n] for index in range(n)]
