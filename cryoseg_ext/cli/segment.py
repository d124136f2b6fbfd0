"""``cryoseg segment``: masks and probability maps, before and after the conditional random field."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cryoseg_ext.cli.common_options import micrograph_inputs, micrograph_words, out_option
from cryoseg_ext.options.commands import GroupedCommand, with_job_options
from cryoseg_ext.progress import on_terminal

if TYPE_CHECKING:
    from cryoseg_ext.options.job import JobOptions


@click.command(cls=GroupedCommand)
@micrograph_inputs
@out_option
@with_job_options
@on_terminal()
def segment(sources: tuple[str, ...], image_slot: str, out: Path, options: JobOptions) -> None:
    """Mark the particle pixels of MICROGRAPHS, what `cryoseg pick` takes, and pick them.

    Writes all that `cryoseg pick` writes and, for each micrograph, NAME_probability.mrc and NAME_mask.mrc
    (0 or 1) after the conditional random field, NAME_network_probability.mrc and NAME_network_mask.mrc before
    it, and NAME.png, which shows both masks on the micrograph. The maps have the pixel size that their header
    says, about 1/24 of the particle. For a mixture of sizes they are those of a middle size.
    """
    from cryoseg_ext.folder import FolderHost
    from cryoseg_ext.formats.micrographs import read_micrographs
    from cryoseg_ext.job.run import Job
    from cryoseg_ext.job.watch import run_or_watch

    job = Job(options, FolderHost(out, maps=True, sources=micrograph_words(sources, image_slot)))
    run_or_watch(job, sources, lambda: read_micrographs(sources, options.pixel_size_A, image_slot))
    click.echo(f"Maps, pictures and picks are in {out}; open {out / 'review.html'} in a browser")
