"""``cryoseg pick``: micrographs in, coordinates out, without a RELION project."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cryoseg_ext.errors import CryosegError

if TYPE_CHECKING:
    from cryoseg_ext.network import Model
    from cryoseg_ext.picks import Picks
    from cryoseg_ext.pipeline import PickingOptions
    from cryoseg_ext.report.pdf import Overlay


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
@click.option(
    "--model", type=click.Path(path_type=Path), help="Model to pick with; default: the one in the package."
)
@click.option("--j", "threads", type=click.IntRange(min=1), default=1, help="Processor threads.")
@click.option("--no_crf", is_flag=True, help="Leave out the conditional random field.")
def pick(
    micrographs: tuple[str, ...],
    particle_diameter: float,
    out: Path,
    pixel_size: float | None,
    threshold: float | None,
    min_distance: float | None,
    model: Path | None,
    threads: int,
    no_crf: bool,
) -> None:
    """Pick particles on MICROGRAPHS, MRC or TIFF files or patterns such as '*.mrc'.

    Writes NAME.star (RELION's coordinate file) and NAME.csv (x, y in pixels from 0, and score) for each
    micrograph, and report.pdf with overlays and histograms.
    """
    import torch

    from cryoseg_ext.crf import CrfOptions
    from cryoseg_ext.network import load_model
    from cryoseg_ext.pipeline import PickingOptions

    paths = find_micrographs(micrographs)
    torch.set_num_threads(threads)
    options = PickingOptions(particle_diameter, min_distance, None if no_crf else CrfOptions())
    pick_files(paths, pixel_size, load_model(model), options, threshold, out)


def find_micrographs(patterns: Sequence[str]) -> list[Path]:
    """Return the files that names and patterns stand for.

    Raises
    ------
    CryosegError
        If a pattern matches nothing, or two files have the same name and so would have the same output.
    """
    paths: dict[str, Path] = {}
    for pattern in patterns:
        # A name that is no pattern is kept: when its file is missing, reading it says so.
        # Path.glob takes no absolute pattern.
        matches = sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern]  # noqa: PTH207
        if not matches:
            raise CryosegError(f"{pattern}: no file matches: check the folder and the quotes")
        for path in map(Path, matches):
            name = output_name(path)
            if paths.setdefault(name, path) != path:
                raise CryosegError(
                    f"{paths[name]} and {path} would share the output {name}.star: pick them apart"
                )
    return list(paths.values())


def output_name(path: Path) -> str:
    """Return a micrograph's name without its extensions, so that ``a.mrc.gz`` is ``a``."""
    return path.with_suffix("").stem if path.suffix in (".gz", ".bz2") else path.stem


def pick_files(
    paths: Sequence[Path],
    pixel_size_A: float | None,
    model: Model,
    options: PickingOptions,
    threshold: float | None,
    out: Path,
) -> None:
    """Pick particles on files and write the coordinates of each and the report.

    Raises
    ------
    CryosegError
        If no file could be picked.
    """
    from cryoseg_ext.batch import MicrographTask, pick_batch
    from cryoseg_ext.coordinates import write_coordinates_csv, write_coordinates_star
    from cryoseg_ext.report import make_preview, stretch
    from cryoseg_ext.report.pdf import Overlay, Report, write_report

    lowest = model.threshold if threshold is None else threshold
    candidates: list[Picks] = []
    overlays: dict[int, Overlay] = {}
    skipped: list[str] = []
    tasks = [MicrographTask(output_name(path), path, pixel_size_A) for path in paths]
    for number, (task, outcome) in enumerate(pick_batch(tasks, model, options)):
        if isinstance(outcome, CryosegError):
            skipped.append(str(outcome))
            click.echo(f"Skipped: {outcome}", err=True)
            continue
        picks = outcome.candidates.above(lowest)
        write_coordinates_star(out / f"{task.name}.star", picks)
        write_coordinates_csv(out / f"{task.name}.csv", picks)
        candidates.append(outcome.candidates)
        if stretch(number, len(tasks)) not in overlays:
            working = outcome.working
            preview = make_preview(working.image, outcome.mask, working.source_shape)
            diameter_px = working.diameter_px * working.step_px[1]
            overlays[stretch(number, len(tasks))] = Overlay(str(task.path), preview, picks, diameter_px)
        click.echo(f"{task.path}: {len(picks)} particles")
    if not candidates:
        raise CryosegError(f"none of the {len(tasks)} micrographs could be picked; see above")
    title = f"Particles of {options.particle_diameter_A:g} Å"
    write_report(out / "report.pdf", Report(title, lowest, candidates, list(overlays.values()), skipped))
    click.echo(f"Coordinates and report.pdf are in {out}")
