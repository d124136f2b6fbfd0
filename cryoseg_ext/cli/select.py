"""``cryoseg select``: how to pick a data set, chosen on a few of its micrographs."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cryoseg_ext.cli.common_options import micrograph_inputs
from cryoseg_ext.options.commands import GroupedCommand, with_job_options
from cryoseg_ext.options.kinds import COUNT, LENGTH
from cryoseg_ext.progress import on_terminal, write
from cryoseg_ext.words import counted

if TYPE_CHECKING:
    from cryoseg_ext.options.job import JobOptions
    from cryoseg_ext.tuning.effects import Effect


@click.command(cls=GroupedCommand)
@micrograph_inputs
@click.option(
    "--truth",
    type=click.Path(path_type=Path),
    help="All particles of some of the micrographs: picks in any format, or masks with numbered particles.",
)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write (JSON)."
)
@click.option("--match", type=LENGTH, default=0.3, help="Largest error of a pick, in diameters.")
@click.option(
    "--inside",
    type=(float, float, float, float),
    metavar="X0 Y0 X1 Y1",
    help="The rectangle in which --truth is complete, in pixels.",
)
@click.option("--most", type=COUNT, default=10, help="Micrographs to use at most.")
@functools.partial(
    with_job_options, without=("cluster", "only_do_unfinished", "watch", "watch_until_idle", "in_coords")
)
@on_terminal()
def select(
    sources: tuple[str, ...],
    image_slot: str,
    truth: Path | None,
    out: Path,
    options: JobOptions,
    **evidence: float | tuple[float, float, float, float] | int | None,
) -> None:
    """Choose how to pick, for --settings of the other commands, on a few of the MICROGRAPHS.

    MICROGRAPHS: files, patterns, a folder, a micrographs STAR file or exposures of CryoSPARC. Tried are the
    extraction method, the least distance between picks, the stated diameter (0.8 to 1.2 times
    --particle_diameter), the conditional random field, and the threshold; what you give with another value
    than the default stays as it is. The network runs five times per micrograph.

    With --truth the choice has the highest F1, less half a standard error of its gain over the default (parts
    of micrographs are drawn again to find it) and less 0.01 for each value other than the default's: from few
    particles little more than the threshold can be learned. The truth must be complete on its micrographs, or
    good picks count as wrong. The F1 that is printed is that of the micrographs of the choice; on others it
    is a little lower.

    Without --truth each micrograph is split into two images of alternate pixels, whose noise is independent,
    and the choice is the setting under which both give most picks alike, at an equal number of picks. This
    shows which diameter, method and random field are least moved by noise. It cannot see errors that repeat,
    such as contaminants, carbon and two picks on one particle; so the distance stays as it is. The threshold
    is then the one of the highest F1 if every score is the probability that it claims to be.

    --masks writes the segmentations of the choice to the folder masks beside the file.
    """
    from cryoseg_ext.files import check_writable
    from cryoseg_ext.formats.micrographs import read_micrographs
    from cryoseg_ext.options.settings import write_settings
    from cryoseg_ext.options.table import SETTINGS, changed
    from cryoseg_ext.tuning.grid import installed_methods
    from cryoseg_ext.tuning.select import Evidence, Notices, select

    check_writable(out)
    notices = Notices(write, functools.partial(write, err=True))
    if "trackpy" not in installed_methods():
        notices.warn("trackpy is not installed, so it is not tried: pip install trackpy")
    listed = read_micrographs(sources, options.pixel_size_A, image_slot)
    for sentence in listed.problems.values():
        notices.warn(f"Skipped: {sentence}")
    chosen = select(listed, options, Evidence(truth, **evidence), out.parent / "masks", notices)  # type: ignore[arg-type]
    found = chosen.search
    for line in _table(found.effects):
        click.echo(line)
    score = "F1" if truth else "agreement"
    click.echo(
        f"{score} on the {counted(len(chosen.used), 'micrograph')} of the choice: {found.gain:+.3f} over the "
        f"default (standard error {found.standard_error:.3f})"
    )
    settings = {"extraction": chosen.options.extraction.method} | changed(chosen.options)
    settings = {name: settings[name] for name in SETTINGS if name in settings}
    search = {
        "evidence": "truth" if truth else "self-consistency",
        "micrographs": chosen.used,
        "gain_over_default": found.gain,
        "standard_error": found.standard_error,
        "effects": [asdict(effect) for effect in found.effects],
    }
    write_settings(out, settings, search)
    click.echo(f"{', '.join(f'{name} {value}' for name, value in settings.items())}: {out}")


def _table(effects: Sequence[Effect]) -> Iterator[str]:
    """Describe the effects in words, the chosen value marked by * and the default by d."""
    names = list(effects[0].scores)
    yield f"{'setting':14s}{'value':>14s}    {''.join(name.rjust(11) for name in names)}  at threshold"
    for effect in effects:
        marks = ("*" if effect.chosen else " ") + ("d" if effect.default else " ")
        numbers = "".join(f"{value:11.3f}" for value in effect.scores.values())
        yield f"{effect.name:14s}{effect.value!s:>14s} {marks} {numbers}  {effect.threshold:g}"
