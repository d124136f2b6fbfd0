"""``cryoseg pick``: micrographs in, coordinates out, without a RELION project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cryoseg_ext.cli.common_options import micrograph_inputs, micrograph_words, out_option
from cryoseg_ext.options.commands import GroupedCommand, with_job_options
from cryoseg_ext.progress import on_terminal
from cryoseg_ext.words import printable

if TYPE_CHECKING:
    from cryoseg_ext.options.job import JobOptions


@click.command(cls=GroupedCommand)
@micrograph_inputs
@out_option
@click.option(
    "--format",
    "formats",
    multiple=True,
    default=("star", "csv"),
    metavar="NAME",
    help="Formats of the coordinate files: star, csv, box (EMAN), cbox (crYOLO), txt (Topaz); repeatable.",
)
@with_job_options
@on_terminal()
def pick(
    sources: tuple[str, ...], image_slot: str, out: Path, formats: tuple[str, ...], options: JobOptions
) -> None:
    """Pick particles on MICROGRAPHS: files, patterns such as '*.mrc', a folder, or a list.

    A list is a micrographs STAR file of RELION, or the exposures of a CryoSPARC job (.csg or .cs), read
    without a server.

    Writes NAME.star (RELION's coordinate file) and NAME.csv (x, y in pixels from 0, and score) for each
    micrograph, report.pdf with overlays and histograms, review.html, the same with a table of all micrographs
    and a threshold to move, for a browser, and quality.tsv; for exposures of CryoSPARC also
    picked_particles.csg and .cs, for "Import Result Group". NAME_candidates.star and NAME_preview.npz let a
    run that was stopped go on, and one with another threshold finish in seconds: give the same command.
    """
    from cryoseg_ext.folder import FolderHost, next_steps
    from cryoseg_ext.formats.micrographs import read_micrographs
    from cryoseg_ext.job.run import Job
    from cryoseg_ext.job.watch import run_or_watch

    job = Job(options, FolderHost(out, formats, sources=micrograph_words(sources, image_slot)))
    result = run_or_watch(job, sources, lambda: read_micrographs(sources, options.pixel_size_A, image_slot))
    click.echo(f"Coordinates and report.pdf are in {out}; open {out / 'review.html'} in a browser")
    for line in next_steps(out, result):
        click.echo(printable(line))
