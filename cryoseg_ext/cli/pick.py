"""``cryoseg pick``: micrographs in, coordinates out, without a RELION project."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cryoseg_ext.cli.common_options import (
    architecture_option,
    invert_option,
    model_option,
    out_option,
    pixel_size_option,
    threads_option,
    threshold_option,
)
from cryoseg_ext.cli.crf_options import crf_options
from cryoseg_ext.cli.extraction_options import extraction_options
from cryoseg_ext.cli.settings_option import settings_option
from cryoseg_ext.cli.size_options import size_options

if TYPE_CHECKING:
    from cryoseg_ext.options.crf import CrfChoice
    from cryoseg_ext.options.extraction import ExtractionOptions
    from cryoseg_ext.options.size import StatedSize


@click.command()
@click.argument("micrographs", nargs=-1, required=True)
@size_options
@out_option
@pixel_size_option
@threshold_option
@invert_option
@model_option
@architecture_option
@click.option(
    "--image_slot",
    default="micrograph_blob",
    show_default=True,
    metavar="SLOT",
    help="CryoSPARC only: the image of each exposure to pick, such as micrograph_blob_denoised.",
)
@threads_option
@extraction_options
@crf_options
@settings_option
def pick(
    micrographs: tuple[str, ...],
    size: StatedSize,
    out: Path,
    pixel_size: float | None,
    threshold: float | None,
    invert: bool,
    model: Path | None,
    architecture: str | None,
    image_slot: str,
    threads: int,
    extraction: ExtractionOptions,
    crf: CrfChoice,
) -> None:
    """Pick particles on MICROGRAPHS: MRC or TIFF files, patterns such as '*.mrc', or one .csg file.

    A .csg (or .cs) file is the output "exposures" of a CryoSPARC job, read without a server.

    Writes NAME.star (RELION's coordinate file) and NAME.csv (x, y in pixels from 0, and score) for each
    micrograph, report.pdf with overlays and histograms, and review.html, the same with a table of all
    micrographs and a threshold to move, for a browser; for exposures of CryoSPARC also
    picked_particles.csg and .cs, for "Import Result Group". NAME_candidates.star and NAME_preview.npz let a
    run that was stopped go on, and one with another threshold finish in seconds: give the same command.
    """
    from cryoseg_ext.folder import find_micrographs, pick_into_folder, tasks_of
    from cryoseg_ext.job.diameter import sampled_diameter
    from cryoseg_ext.job.finished import model_digest
    from cryoseg_ext.model.checkpoint import load_model
    from cryoseg_ext.model.weights import DEFAULT_MODEL
    from cryoseg_ext.options.picking import PickingOptions
    from cryoseg_ext.processes import use_threads

    use_threads(threads)
    model = model or DEFAULT_MODEL
    paths = find_micrographs(micrographs)
    is_group = any(path.suffix.lower() in (".cs", ".csg") for path in paths)
    if is_group:
        from cryoseg_ext.cryosparc.offline import group_tasks, pick_group

        tasks = group_tasks(paths, image_slot, pixel_size)
    else:
        tasks = tasks_of(paths, [pixel_size] * len(paths))
    diameter_A = size.diameter_A
    if diameter_A is None:
        load = partial(load_model, model, architecture=architecture)
        estimate = sampled_diameter(tasks, model_digest(model), out, load, invert=invert)
        click.echo(estimate)
        diameter_A = estimate.diameter_A
    options = PickingOptions(diameter_A, extraction, crf, size.smallest_A, invert)
    if is_group:
        pick_group(
            paths,
            image_slot,
            pixel_size,
            model,
            options,
            threshold,
            out,
            click.echo,
            architecture=architecture,
        )
    else:
        pick_into_folder(tasks, model, options, threshold, out, click.echo, architecture=architecture)
    click.echo(f"Coordinates and report.pdf are in {out}; open {out / 'review.html'} in a browser")
