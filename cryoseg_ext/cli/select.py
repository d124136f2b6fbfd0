"""``cryoseg select``: how to pick a data set, chosen on a few of its micrographs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cryoseg_ext.cli.common_options import (
    POSITIVE,
    invert_option,
    model_option,
    pixel_size_option,
    threads_option,
)
from cryoseg_ext.errors import CryosegError

if TYPE_CHECKING:
    from cryoseg_ext.job.batch import MicrographTask, PreparedMicrograph
    from cryoseg_ext.model.checkpoint import Model
    from cryoseg_ext.picks import Picks
    from cryoseg_ext.tuning.effects import Effect
    from cryoseg_ext.tuning.search import Found

Rectangle = tuple[float, float, float, float]


@click.command()
@click.argument("micrographs", nargs=-1, required=True)
@click.option("--particle_diameter", type=POSITIVE, required=True, metavar="Å", help="Longest extent.")
@click.option(
    "--truth",
    type=click.Path(path_type=Path),
    help="All particles of some of the micrographs: STAR, .cs, .csg, CSV or masks with numbered particles.",
)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write (JSON)."
)
@pixel_size_option
@invert_option
@click.option(
    "--match", type=POSITIVE, default=0.3, show_default=True, help="Largest error of a pick, in diameters."
)
@click.option(
    "--inside",
    type=(float, float, float, float),
    metavar="X0 Y0 X1 Y1",
    help="The rectangle in which --truth is complete, in pixels.",
)
@click.option(
    "--most", type=click.IntRange(min=1), default=10, show_default=True, help="Micrographs to use at most."
)
@model_option
@threads_option
def select(
    micrographs: tuple[str, ...],
    particle_diameter: float,
    truth: Path | None,
    out: Path,
    pixel_size: float | None,
    invert: bool,
    match: float,
    inside: Rectangle | None,
    most: int,
    model: Path | None,
    threads: int,
) -> None:
    """Choose how to pick, for --settings of the other commands, on a few of the MICROGRAPHS.

    MICROGRAPHS: a micrographs STAR file, exposures of CryoSPARC, a folder, files or patterns. Tried are the
    extraction method, the least distance between picks, the stated diameter (0.8 to 1.2 times
    --particle_diameter), the conditional random field, and the threshold. The network runs five times per
    micrograph.

    With --truth the choice has the highest F1, less half a standard error of its gain over the default (parts
    of micrographs are drawn again to find it) and less 0.01 for each value other than the default's: from few
    particles little more than the threshold can be told. The truth must be complete on its micrographs, or
    good picks count as wrong. The F1 that is printed is that of the micrographs of the choice; on others it
    is a little lower.

    Without --truth each micrograph is split into two images of alternate pixels, whose noise is independent,
    and the choice is the setting under which both give most picks alike, at an equal number of picks. This
    can tell which diameter, method and random field are least moved by noise. It cannot see errors that
    repeat, such as contaminants, carbon and two picks on one particle; so the distance stays as it is. The
    threshold is then the one of the highest F1 if every score is the probability that it claims to be.
    """
    from cryoseg_ext.cli.settings_option import write_settings
    from cryoseg_ext.model.checkpoint import load_model
    from cryoseg_ext.processes import use_threads
    from cryoseg_ext.training.inputs import find_tasks

    use_threads(threads)
    tasks, network = find_tasks(micrographs, pixel_size), load_model(model)
    if truth:
        used, found = _with_truth(
            tasks, truth, particle_diameter, network, match, inside, most, invert=invert
        )
    else:
        used, found = _without_truth(tasks, particle_diameter, network, match, most, invert=invert)
    for line in _table(found.effects):
        click.echo(line)
    score = "F1" if truth else "agreement"
    click.echo(
        f"{score} on the {len(used)} micrographs of the choice: {found.gain:+.3f} over the default "
        f"(standard error {found.standard_error:.3f})"
    )
    settings = _settings(found, particle_diameter) | ({"invert": True} if invert else {})
    search = {
        "evidence": "truth" if truth else "self-consistency",
        "micrographs": used,
        "gain_over_default": found.gain,
        "standard_error": found.standard_error,
        "effects": [asdict(effect) for effect in found.effects],
    }
    write_settings(out, settings, search)
    click.echo(f"{', '.join(f'{name} {value}' for name, value in settings.items())}: {out}")


def _with_truth(
    tasks: Sequence[MicrographTask],
    truth: Path,
    particle_diameter_A: float,
    model: Model,
    match: float,
    inside: Rectangle | None,
    most: int,
    *,
    invert: bool,
) -> tuple[list[str], Found]:
    from cryoseg_ext.formats.masks import read_truth
    from cryoseg_ext.formats.names import match_names
    from cryoseg_ext.tuning.search import count_settings, search_with_truth

    true = read_truth(truth)
    name_of = {task: name for name, task in match_names(list(true), [task.name for task in tasks]).items()}
    known = _spread([task for task in tasks if task.name in name_of], most)
    if not known:
        raise CryosegError(f"{truth} has nothing for these micrographs: give those that were picked")
    counts = []
    for task, micrograph in _read(known, invert):
        picks: Picks = true[name_of[task.name]].picks
        counts.append(count_settings(micrograph, picks, particle_diameter_A, model, match, inside))
    if not sum(one.truth.sum() for one in counts):
        raise CryosegError(f"{truth} has no particles on these micrographs: pick some, or leave out --truth")
    return [task.name for task in known], search_with_truth(counts, model.threshold)


def _without_truth(
    tasks: Sequence[MicrographTask],
    particle_diameter_A: float,
    model: Model,
    match: float,
    most: int,
    *,
    invert: bool,
) -> tuple[list[str], Found]:
    from cryoseg_ext.tuning.search import search_without_truth

    used = _spread(tasks, most)

    def read() -> Iterator[PreparedMicrograph]:
        return (micrograph for _, micrograph in _read(used, invert))

    return [task.name for task in used], search_without_truth(read, particle_diameter_A, model, match)


def _spread(tasks: Sequence[MicrographTask], most: int) -> list[MicrographTask]:
    """Return at most so many, evenly spread over the session."""
    n = min(most, len(tasks))
    return [tasks[index * len(tasks) // n] for index in range(n)]


def _read(
    tasks: Sequence[MicrographTask], invert: bool
) -> Iterator[tuple[MicrographTask, PreparedMicrograph]]:
    import tqdm

    from cryoseg_ext.job.batch import prepare

    for task in tqdm.tqdm(tasks, desc="trying settings", unit="micrograph"):
        yield task, prepare(task, invert=invert)


def _settings(found: Found, particle_diameter_A: float) -> dict[str, Any]:
    setting = found.setting
    settings: dict[str, Any] = {
        "particle_diameter": round(setting.diameter * particle_diameter_A, 1),
        "extraction": setting.method,
        "min_distance": round(setting.min_distance * particle_diameter_A, 1),
        "threshold": found.threshold,
    }
    return settings if setting.crf else settings | {"no_crf": True}


def _table(effects: Sequence[Effect]) -> Iterator[str]:
    """Describe the effects in words, the chosen value marked by * and the default by d."""
    names = list(effects[0].scores)
    yield f"{'setting':14s}{'value':>14s}    {''.join(name.rjust(11) for name in names)}  at threshold"
    for one in effects:
        marks = ("*" if one.chosen else " ") + ("d" if one.default else " ")
        numbers = "".join(f"{value:11.3f}" for value in one.scores.values())
        yield f"{one.name:14s}{one.value!s:>14s} {marks} {numbers}  {one.threshold:g}"
