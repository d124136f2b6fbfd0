"""``cryoseg labels``: truth masks from a 3-D map and poses, or from coordinates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cryoseg_ext.cli.common_options import out_option, pixel_size_option, threads_option
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.options.kinds import LEAST_ZERO, LENGTH
from cryoseg_ext.progress import on_terminal, write
from cryoseg_ext.words import counted, printable

if TYPE_CHECKING:
    from cryoseg_ext.labels.batch import LabelTask

_FILE = click.Path(dir_okay=False, path_type=Path)


def _threshold(
    context: click.Context,  # noqa: ARG001 - click's signature
    parameter: click.Parameter,  # noqa: ARG001
    value: str,
) -> str | float:
    """Return the name of a rule, or a number."""
    if value in ("auto", "li", "otsu"):
        return value
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise click.BadParameter(f"{value} is neither auto, li or otsu nor a number above 0")
    return number


@click.command()
@click.option("--in_parts", type=_FILE, help="Refined particles: particles.star of RELION, .cs or .csg.")
@click.option("--in_map", type=_FILE, help="The 3D map (MRC) that the particles were refined against.")
@click.option("--in_mask", type=_FILE, help="3D mask (MRC): only the density in it counts.")
@click.option(
    "--in_coords", type=click.Path(path_type=Path), help="Coordinates, any format that cryoseg reads: discs."
)
@click.option(
    "--in_mics", metavar="STAR|CSG|DIR|PATTERN", help="Micrographs, if not found by the particles' names."
)
@out_option
@click.option(
    "--particle_diameter", type=LENGTH, metavar="Å", help="Longest extent; default: measured in the map."
)
@pixel_size_option
@click.option(
    "--threshold",
    callback=_threshold,
    metavar="auto|li|otsu|VALUE",
    default="auto",
    help="Of the projected density: a VALUE is a fraction of its median inside particles; auto is 0.3.",
)
@click.option(
    "--min_object",
    type=LEAST_ZERO,
    default=0.0,
    metavar="Å²",
    help="Remove smaller objects; below 1: as a fraction of the disc of the diameter.",
)
@click.option(
    "--closing", type=LEAST_ZERO, default=0.0, metavar="Å", help="Close gaps and holes up to twice this."
)
@click.option("--shape", type=click.Choice(["disc", "soft"]), default="disc", help="With --in_coords.")
@threads_option
@on_terminal()
def labels(out: Path, threads: int | None, **given: Any) -> None:
    """Label the pixels of particles on micrographs, as truth to train on or to compare with.

    From a 3D map and refined particles (--in_parts and --in_map), or discs around coordinates (--in_coords
    and --particle_diameter). For each micrograph: NAME_labels.mrc (0 background, 1 particle) and
    NAME_instances.mrc (the number of the particle); labels.star lists them. Run the same command again after
    an interruption: finished files are kept.
    """
    from cryoseg_ext.files import locked
    from cryoseg_ext.labels import MaskOptions
    from cryoseg_ext.labels.tasks import disc_tasks, projection_drawer, projection_tasks
    from cryoseg_ext.processes import use_threads

    use_threads(threads or 1)
    in_parts, in_map, in_mask, in_coords = (
        given[f"in_{name}"] for name in ("parts", "map", "mask", "coords")
    )
    in_mics, diameter_A, pixel_size_A = (
        given[name] for name in ("in_mics", "particle_diameter", "pixel_size")
    )
    options = MaskOptions(given["threshold"], given["min_object"], given["closing"])
    if in_parts and in_map and not in_coords:
        drawer = projection_drawer(in_map, in_mask, diameter_A, options)
        tasks = projection_tasks(in_parts, drawer, in_mics, pixel_size_A)
    elif in_coords and diameter_A and not in_parts:
        tasks = disc_tasks(in_coords, in_mics, diameter_A, pixel_size_A, soft=given["shape"] == "soft")
    else:
        raise CryosegError("give either --in_parts with --in_map, or --in_coords with --particle_diameter")
    settings = {
        "inputs": [_identity(path) for path in (in_parts, in_coords, in_map, in_mask) if path],
        "micrographs": in_mics,
        "diameter_A": diameter_A,
        "pixel_size_A": pixel_size_A,
        "masks": asdict(options),
        "shape": given["shape"],
    }
    with locked(out):
        _run(tasks, out, settings)


def _identity(path: Path) -> list[str | int]:
    """Return what changes when a file is replaced by another."""
    status = path.stat()
    return [str(path.absolute()), status.st_size, status.st_mtime_ns]


def _run(tasks: Sequence[LabelTask], out: Path, settings: Mapping[str, Any]) -> None:
    from cryoseg_ext.labels.batch import label_batch, start_folder, write_labels_star

    start_folder(out, tasks, settings)
    done = []
    for task, error in label_batch(tasks, out):
        if error:
            write(f"Skipped: {printable(str(error))}", err=True)
        else:
            done.append(task)
            write(f"{task.name}: {counted(task.n_particles, 'particle')}")
    if not done:
        raise CryosegError(f"none of the {len(tasks)} micrographs could be labelled; see above")
    write_labels_star(out, done)
    click.echo(f"Labels of {len(done)} of {len(tasks)} micrographs are listed in {out / 'labels.star'}")
