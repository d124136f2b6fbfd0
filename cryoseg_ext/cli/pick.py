"""``cryoseg pick``: micrographs in, coordinates out, without a RELION project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cryoseg_ext.cli.crf_options import crf_options

if TYPE_CHECKING:
    from cryoseg_ext.crf import CrfChoice


@click.command()
@click.argument("micrographs", nargs=-1, required=True)
@click.option(
    "--particle_diameter",
    type=click.FloatRange(min=0, min_open=True),
    required=True,
    metavar="Å",
    help="Longest extent of the particle.",
)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder to write to."
)
@click.option(
    "--pixel_size",
    type=click.FloatRange(min=0, min_open=True),
    metavar="Å/px",
    help="Pixel size; default: from each file's header.",
)
@click.option(
    "--threshold", type=click.FloatRange(0, 1), metavar="P", help="Lowest score; default: the model's own."
)
@click.option(
    "--min_distance",
    type=click.FloatRange(min=0, min_open=True),
    metavar="Å",
    help="Least distance between picks; default: half the diameter.",
)
@click.option("--invert", is_flag=True, help="Protein is bright on these micrographs: invert their contrast.")
@click.option(
    "--model", type=click.Path(path_type=Path), help="Model to pick with; default: the one in the package."
)
@click.option(
    "--image_slot",
    default="micrograph_blob",
    show_default=True,
    metavar="SLOT",
    help="CryoSPARC only: the image of each exposure to pick, such as micrograph_blob_denoised.",
)
@click.option("--j", "threads", type=click.IntRange(min=1), default=1, help="Processor threads.")
@crf_options
def pick(
    micrographs: tuple[str, ...],
    particle_diameter: float,
    out: Path,
    pixel_size: float | None,
    threshold: float | None,
    min_distance: float | None,
    invert: bool,
    model: Path | None,
    image_slot: str,
    threads: int,
    crf: CrfChoice,
) -> None:
    """Pick particles on MICROGRAPHS: MRC or TIFF files, patterns such as '*.mrc', or one .csg file.

    A .csg (or .cs) file is the output "exposures" of a CryoSPARC job, read without a server.

    Writes NAME.star (RELION's coordinate file) and NAME.csv (x, y in pixels from 0, and score) for each
    micrograph, and report.pdf with overlays and histograms; for exposures of CryoSPARC also
    picked_particles.csg and .cs, for "Import Result Group". NAME_candidates.star and NAME_preview.npz let a
    run that was stopped go on, and one with another threshold finish in seconds: give the same command.
    """
    import torch

    from cryoseg_ext.folder import find_micrographs, pick_into_folder, tasks_of
    from cryoseg_ext.pipeline import PickingOptions
    from cryoseg_ext.weights import DEFAULT_MODEL

    torch.set_num_threads(threads)
    options = PickingOptions(particle_diameter, min_distance, crf, invert)
    paths = find_micrographs(micrographs)
    if any(path.suffix.lower() in (".cs", ".csg") for path in paths):
        from cryoseg_ext.cryosparc.offline import pick_group

        pick_group(paths, image_slot, pixel_size, model or DEFAULT_MODEL, options, threshold, out, click.echo)
    else:
        tasks = tasks_of(paths, [pixel_size] * len(paths))
        pick_into_folder(tasks, model or DEFAULT_MODEL, options, threshold, out, click.echo)
    click.echo(f"Coordinates and report.pdf are in {out}")
