"""Picking micrographs into a folder: files of each, a report, and going on where an earlier run stopped."""

from __future__ import annotations

import glob
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.coordinates import write_coordinates_csv, write_coordinates_star, write_tubes_star
from cryoseg_ext.image.areas import AreaShares, assess
from cryoseg_ext.image.reading import read_micrograph
from cryoseg_ext.job.batch import MicrographTask, pick_batch
from cryoseg_ext.job.contrast import contrast_hint
from cryoseg_ext.job.finished import (
    FinishedMicrograph,
    as_stored,
    model_digest,
    read_finished,
    settings_key,
    write_finished,
)
from cryoseg_ext.model.checkpoint import Model, load_model
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.picks import Picks
from cryoseg_ext.report import load_preview, make_preview, save_preview, stretch
from cryoseg_ext.report.pdf import Overlay, Report, overlay_of_picks, write_report
from cryoseg_ext.report.review import write_review

_COORDINATES = (".star", ".csv", "_tubes.star")


@dataclass(frozen=True)
class FolderResult:
    """What stands in the folder after a run.

    Parameters
    ----------
    candidates : Mapping[str, Picks]
        All candidates of each micrograph that could be picked, by the name of its task.
    areas : Mapping[str, AreaShares]
        How much of each is contaminated or dead.
    threshold : float
        The lowest score of a pick.
    """

    candidates: Mapping[str, Picks]
    areas: Mapping[str, AreaShares]
    threshold: float

    @property
    def picks(self) -> dict[str, Picks]:
        """The picks at or above the threshold."""
        return {name: candidates.above(self.threshold) for name, candidates in self.candidates.items()}


def find_micrographs(patterns: Sequence[str]) -> list[Path]:
    """Return the files that names and patterns stand for.

    Raises
    ------
    CryosegError
        If a pattern matches nothing.
    """
    paths: dict[Path, None] = {}
    for pattern in patterns:
        # A name that is no pattern is kept: when its file is missing, reading it says so.
        # Path.glob takes no absolute pattern.
        matches = sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern]  # noqa: PTH207
        if not matches:
            raise CryosegError(f"{pattern}: no file matches: check the folder and the quotes")
        paths |= dict.fromkeys(map(Path, matches))
    return list(paths)


def tasks_of(paths: Sequence[Path], pixel_sizes_A: Sequence[float | None]) -> list[MicrographTask]:
    """Return what to pick, each file once and under its `output_name`.

    Raises
    ------
    CryosegError
        If two files have the same name and so would have the same output.
    """
    tasks: dict[str, MicrographTask] = {}
    for path, size_A in zip(paths, pixel_sizes_A, strict=True):
        name = output_name(path)
        task = tasks.setdefault(name, MicrographTask(name, path, size_A))
        if task.path != path:
            raise CryosegError(f"{task.path} and {path} would share the output {name}.star: pick them apart")
    return list(tasks.values())


def output_name(path: Path) -> str:
    """Return a micrograph's name without its extensions, so that ``a.mrc.gz`` is ``a``."""
    return path.with_suffix("").stem if path.suffix in (".gz", ".bz2") else path.stem


def pick_into_folder(
    tasks: Sequence[MicrographTask],
    model_path: Path,
    options: PickingOptions,
    threshold: float | None,
    folder: Path,
    tell: Callable[[str], None],
    *,
    architecture: str | None = None,
) -> FolderResult:
    """Pick particles on micrographs and write the coordinates of each and the reports.

    A micrograph that an earlier run picked with the same settings is not picked again; another threshold
    only writes its coordinates anew.

    Parameters
    ----------
    tasks : Sequence[MicrographTask]
        What to pick.
    model_path : Path
        The model file.
    options : PickingOptions
        Particle diameter and the rest.
    threshold : float, optional
        Lowest score of a pick; the model's own when None.
    folder : Path
        Where to write.
    tell : Callable[[str], None]
        Called with a line for the user.
    architecture : str, optional
        The user's own class that the model was trained with; see `load_model`.

    Raises
    ------
    CryosegError
        If no micrograph could be picked.
    """
    digest = model_digest(model_path)
    planned = [
        _Planned(task, folder, _key(task, options, digest), stretch(number, len(tasks)))
        for number, task in enumerate(tasks)
    ]
    finished = {
        one.task.name: earlier
        for one in planned
        if (earlier := read_finished(one.candidates)) and earlier.settings == one.settings
    }
    if finished:
        tell(f"{len(finished)} of {len(tasks)} micrographs were picked by an earlier run")
    for one in planned:
        if one.task.name in finished:
            _write_coordinates(one, finished[one.task.name], threshold)
    new, skipped = _pick_planned(
        planned, finished, lambda: load_model(model_path, architecture=architecture), options, threshold, tell
    )
    finished |= new
    if not finished:
        raise CryosegError(f"none of the {len(tasks)} micrographs could be picked; see above")
    results = {task.name: finished[task.name] for task in tasks if task.name in finished}
    default = next(iter(finished.values())).default_threshold
    result = FolderResult(
        {name: one.candidates for name, one in results.items()},
        {name: one.areas for name, one in results.items()},
        default if threshold is None else threshold,
    )
    _write_reports(folder, planned, result, options, skipped)
    return result


@dataclass(frozen=True)
class _Planned:
    """A micrograph, the key of the settings it is to be picked with, and its stretch of the run.

    One micrograph of each stretch is shown in the report.
    """

    task: MicrographTask
    folder: Path
    settings: str
    stretch: int

    @property
    def candidates(self) -> Path:
        """The file whose presence says that the micrograph is finished."""
        return self.folder / f"{self.task.name}_candidates.star"

    @property
    def preview(self) -> Path:
        return self.folder / f"{self.task.name}_preview.npz"

    def coordinates(self, extension: str) -> Path:
        return self.folder / f"{self.task.name}{extension}"


def _key(task: MicrographTask, options: PickingOptions, digest: str) -> str:
    return settings_key(
        options,
        # Another micrograph of the same name, from another folder, is not the one that was picked.
        digest=f"{digest} {task.path.absolute()}",
        pixel_size_A=task.pixel_size_A,
    )


def _pick_planned(
    planned: Sequence[_Planned],
    earlier: Container[str],
    load: Callable[[], Model],
    options: PickingOptions,
    threshold: float | None,
    tell: Callable[[str], None],
) -> tuple[dict[str, FinishedMicrograph], list[str]]:
    """Pick what no earlier run has finished; return the results and what is wrong with the others."""
    unfinished = {one.task.name: one for one in planned if one.task.name not in earlier}
    shown = {one.stretch for one in planned if one.task.name in earlier and one.preview.exists()}
    new: dict[str, FinishedMicrograph] = {}
    skipped: list[str] = []
    if not unfinished:
        return new, skipped
    model = load()
    for task, outcome in pick_batch([one.task for one in unfinished.values()], model, options):
        one = unfinished[task.name]
        _remove_earlier(one)
        if isinstance(outcome, CryosegError):
            skipped.append(str(outcome))
            tell(f"Skipped: {outcome}")
            continue
        if not new and (hint := contrast_hint(outcome, model, options)):
            tell(f"Warning: {hint}")
        if one.stretch not in shown:
            shown.add(one.stretch)
            working = outcome.working
            preview = make_preview(working.image, outcome.mask, working.source_shape, outcome.contaminated)
            save_preview(one.preview, preview)
        result = FinishedMicrograph(
            one.settings, model.threshold, as_stored(outcome.candidates), outcome.areas
        )
        n_picks = _write_coordinates(one, result, threshold)
        write_finished(one.candidates, result)
        new[task.name] = result
        tell(f"{task.path}: {n_picks} particles")
    return new, skipped


def _remove_earlier(one: _Planned) -> None:
    """Remove the result of a run with other settings: it must not stand for a file that is broken now."""
    if one.candidates.exists():
        for path in (one.candidates, one.preview, *map(one.coordinates, _COORDINATES)):
            path.unlink(missing_ok=True)


def _write_coordinates(one: _Planned, result: FinishedMicrograph, threshold: float | None) -> int:
    picks = result.candidates.above(result.default_threshold if threshold is None else threshold)
    write_coordinates_star(one.coordinates(".star"), picks)
    write_coordinates_csv(one.coordinates(".csv"), picks)
    if picks.tube_id is not None:
        write_tubes_star(one.coordinates("_tubes.star"), picks)
    return len(picks)


def _write_reports(
    folder: Path,
    planned: Sequence[_Planned],
    result: FolderResult,
    options: PickingOptions,
    skipped: Sequence[str],
) -> None:
    overlays: list[Overlay] = []
    picks = result.picks
    for one in planned:
        name = one.task.name
        # Only a sample of micrographs has a preview.
        if name in picks and (preview := load_preview(one.preview)) and (size_A := _pixel_size(one.task)):
            overlays.append(overlay_of_picks(str(one.task.path), preview, picks[name], options, size_A))
    report = Report(
        f"Particles of {options.stated_size}",
        result.threshold,
        list(result.candidates.values()),
        overlays,
        skipped,
    )
    write_report(folder / "report.pdf", report)
    paths = {one.task.name: str(one.task.path) for one in planned}
    qualities = [assess(picks[name], areas) for name, areas in result.areas.items()]
    write_review(folder / "review.html", report, [paths[name] for name in result.areas], qualities)


def _pixel_size(task: MicrographTask) -> float | None:
    """Return the pixel size in Å/px; None where an earlier run picked a file that has gone since."""
    try:
        return task.pixel_size_A or read_micrograph(task.path).pixel_size_A
    except CryosegError:
        return None
