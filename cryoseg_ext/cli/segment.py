"""``cryoseg segment``: masks and probability maps, before and after the conditional random field."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cryoseg_ext.cli.common_options import (
    POSITIVE,
    architecture_option,
    invert_option,
    model_option,
    out_option,
    pixel_size_option,
    threads_option,
)
from cryoseg_ext.cli.crf_options import crf_options
from cryoseg_ext.cli.settings_option import settings_option

if TYPE_CHECKING:
    from cryoseg_ext.image.scale import Image, WorkingMicrograph
    from cryoseg_ext.job.batch import MicrographTask
    from cryoseg_ext.model.checkpoint import Model
    from cryoseg_ext.options.crf import CrfChoice

MASK_FROM = 0.5


@click.command()
@click.argument("micrographs", nargs=-1, required=True)
@click.option(
    "--particle_diameter",
    type=POSITIVE,
    required=True,
    metavar="Å",
    help="Longest extent of the particle.",
)
@out_option
@pixel_size_option
@model_option
@architecture_option
@invert_option
@threads_option
@crf_options
@settings_option
def segment(
    micrographs: tuple[str, ...],
    particle_diameter: float,
    out: Path,
    pixel_size: float | None,
    model: Path | None,
    architecture: str | None,
    invert: bool,
    threads: int,
    crf: CrfChoice,
) -> None:
    """Mark the particle pixels of MICROGRAPHS, MRC or TIFF files or patterns such as '*.mrc'.

    Writes, for each micrograph, NAME_probability.mrc and NAME_mask.mrc (0 or 1) after the conditional random
    field, NAME_network_probability.mrc and NAME_network_mask.mrc before it, and NAME.png, which shows both
    masks on the micrograph. The maps have the pixel size their header says, about 1/24 of the particle.
    """
    from cryoseg_ext.errors import CryosegError
    from cryoseg_ext.folder import find_micrographs, tasks_of
    from cryoseg_ext.model.checkpoint import load_model
    from cryoseg_ext.processes import use_threads

    use_threads(threads)
    paths = find_micrographs(micrographs)
    loaded, failed = load_model(model, architecture=architecture), 0
    for task in tasks_of(paths, [pixel_size] * len(paths)):
        try:
            segment_file(task, particle_diameter, loaded, crf, out, invert=invert)
        except CryosegError as error:  # noqa: PERF203 - the others go on
            failed += 1
            sentence = str(error) if str(task.path) in str(error) else f"{task.path}: {error}"
            click.echo(f"Skipped: {sentence}", err=True)
    if failed == len(paths):
        raise CryosegError(f"none of the {failed} micrographs could be segmented; see above")
    click.echo(f"Maps and pictures are in {out}")


def segment_file(
    task: MicrographTask, particle_diameter_A: float, model: Model, crf: CrfChoice, out: Path, *, invert: bool
) -> None:
    """Segment one micrograph, whose protein is bright if `invert`, and write its maps and picture.

    Raises
    ------
    CryosegError
        If the file or its content cannot be used.
    """
    from scipy.special import expit

    from cryoseg_ext.crf.refinement import refine_maps
    from cryoseg_ext.image.scale import to_working_scale
    from cryoseg_ext.job.batch import prepare
    from cryoseg_ext.model.inference import run_network

    prepared = prepare(task, invert=invert)
    working = to_working_scale(prepared.repaired, prepared.pixel_size_A, particle_diameter_A)
    network = run_network(working.image, model)
    options = crf.applied_to(model.crf)
    refined = refine_maps(
        network.particle_logit, network.centre, working.image, working.diameter_px, options, model.device
    )
    maps = {"network_": expit(network.particle_logit), "": refined.particle}
    for stage, probability in maps.items():
        write_map(out / f"{task.name}_{stage}probability.mrc", probability, working, prepared.pixel_size_A)
        mask = (probability >= MASK_FROM).astype("int8")
        write_map(out / f"{task.name}_{stage}mask.mrc", mask, working, prepared.pixel_size_A)
    write_picture(out / f"{task.name}.png", working, maps)
    share = float((refined.particle >= MASK_FROM).mean())
    click.echo(f"{task.path}: {100 * share:.1f} % particle")


def write_map(path: Path, values: Image, working: WorkingMicrograph, pixel_size_A: float) -> None:
    """Write a ``(y, x)`` map at the working scale as MRC with its pixel size."""
    import mrcfile

    from cryoseg_ext.files import replacing

    step_y, step_x = working.step_px
    with replacing(path) as temporary, mrcfile.new(temporary, values, overwrite=True) as mrc:
        mrc.voxel_size = (step_x * pixel_size_A, step_y * pixel_size_A, pixel_size_A)


def write_picture(path: Path, working: WorkingMicrograph, maps: dict[str, Image]) -> None:
    """Draw the micrograph alone, with the network's outlines, and with those after the CRF."""
    import numpy as np
    from matplotlib.figure import Figure

    from cryoseg_ext.files import replacing
    from cryoseg_ext.picks import Picks
    from cryoseg_ext.report import make_preview
    from cryoseg_ext.report.pdf import Overlay, draw_overlay

    nothing = np.zeros(working.image.shape, np.bool_)
    masks = {
        "micrograph": nothing,
        "network": maps["network_"] >= MASK_FROM,
        "after the CRF": maps[""] >= MASK_FROM,
    }
    figure = Figure(figsize=(15, 5.4), layout="constrained")
    for (title, mask), ax in zip(masks.items(), figure.subplots(1, 3), strict=True):
        preview = make_preview(working.image, mask, working.source_shape)
        no_picks = Picks(np.zeros(0), np.zeros(0), np.zeros(0))
        draw_overlay(ax, Overlay(title, preview, no_picks, working.diameter_px))
        ax.set_title(title)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110)
