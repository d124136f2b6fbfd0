"""``cryoseg simulate``: micrographs with exact truth, as a small RELION project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from cryoseg_ext.cli.common_options import out_option
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.options.kinds import ABOVE_ZERO, Number
from cryoseg_ext.progress import on_terminal

if TYPE_CHECKING:
    from cryoseg_ext.simulation.session import SessionOptions


@click.command()
@out_option
@click.option("--n", type=click.IntRange(min=1), default=20, help="How many.")
@click.option(
    "--size",
    type=(click.IntRange(min=64), click.IntRange(min=64)),
    default=(4096, 4096),
    metavar="X Y",
    help="Of a micrograph in pixels.",
)
@click.option(
    "--pixel_size",
    type=ABOVE_ZERO,
    default=1.2,
    metavar="Å/px",
    help="Pixel size.",
)
@click.option(
    "--structure",
    "structures",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="PDB, mmCIF or MRC file; several are shown in turn. Default: a made-up molecule.",
)
@click.option("--family", metavar="NAME", help="Kind of made-up molecule, such as shell; default: any.")
@click.option(
    "--particle_diameter",
    type=ABOVE_ZERO,
    metavar="Å",
    help="Longest extent of the made-up molecule; default: 180.",
)
@click.option(
    "--preset",
    type=click.Choice(["typical", "varied", "paper"]),
    default="typical",
    help="A usual 300 kV session; one drawn from all that users bring; or the paper's protocol.",
)
@click.option(
    "--snr",
    type=ABOVE_ZERO,
    help="Signal over noise inside particles, as standard deviations in pixels of 1/24 of the diameter.",
)
@click.option(
    "--dose",
    type=ABOVE_ZERO,
    metavar="e/Å²",
    help="Decides the signal over noise in place of --snr; default: 40 in a usual session.",
)
@click.option("--defocus", type=(float, float), metavar="MIN MAX", help="Range of the underfocus in µm.")
@click.option(
    "--particles",
    type=click.IntRange(1, 32767),
    help="On each micrograph; default: 2 to 60 % covered.",
)
@click.option(
    "--contaminants/--no_contaminants",
    default=None,
    help="On all micrographs or on none; default: on about half.",
)
@click.option(
    "--gain_error",
    type=Number("SHARE", "between 0 and 0.5", high=0.5),
    default=0.0,
    metavar="SHARE",
    help="Error of the gain of rows, columns and readouts, such as 0.02.",
)
@click.option("--hot_pixels", type=click.IntRange(min=0), default=0, metavar="N", help="On each micrograph.")
@click.option(
    "--dead_border",
    type=(click.Choice(["striped", "constant"]), click.IntRange(min=1)),
    metavar="KIND PX",
    help="Margin without an image along two sides, striped or constant, and how wide.",
)
@click.option("--inverted", is_flag=True, help="Protein is bright, as in files inverted by mistake.")
@click.option(
    "--format",
    "extension",
    type=click.Choice(["mrc", "tif"]),
    default="mrc",
    help="Of the micrographs; the truth is always MRC.",
)
@click.option(
    "--file_mode",
    type=click.Choice(["float32", "float16", "int16", "int8"]),
    default="float32",
    help="Type of the micrographs' grey values.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=1,
    help="Another seed, other micrographs.",
)
@click.option("--j", "workers", type=click.IntRange(min=1), default=1, help="Processes.")
@click.pass_context
@on_terminal()
def simulate(ctx: click.Context, /, out: Path, n: int, workers: int, **given: Any) -> None:
    """Simulate micrographs with exact truth: labels, outlines of each particle, centres, poses and CTF.

    --out becomes a small RELION project. Run the same command again after an interruption, or with a larger
    --n: finished micrographs are kept. --preset paper writes 58, 9 and 17 micrographs of 4096 x 4096 at
    1.77 Å/px to the folders train, val and test; with --n, only so many and no folders.
    """
    from cryoseg_ext.simulation.paper import PAPER_PIXEL_SIZE_A, PAPER_SHAPE, PAPER_SPLIT

    options, parts = _session_options(**given), {"": n}
    if options.preset == "paper":
        _refuse_given(ctx, "the paper's protocol", *_FIXED_BY_THE_PAPER)
        options = replace(options, shape=PAPER_SHAPE, pixel_size_A=PAPER_PIXEL_SIZE_A)
        if ctx.get_parameter_source("n") is ParameterSource.DEFAULT:
            parts = PAPER_SPLIT
    if options.structures:
        from cryoseg_ext.simulation.structures import check_packages

        check_packages(options.structures)
        _refuse_given(ctx, "a structure", "family", "particle_diameter")
    _simulate_parts(out, options, parts, workers)


def _session_options(**given: Any) -> SessionOptions:
    from cryoseg_ext.simulation.defects import Defects
    from cryoseg_ext.simulation.session import SessionOptions

    if given["snr"] is not None and given["dose"] is not None:
        raise CryosegError("--snr and --dose decide the same: leave one out")
    if given["extension"] == "tif" and given["file_mode"] == "float16":
        raise CryosegError("--format tif: RELION reads no float16 in TIFF: give another --file_mode")
    nx, ny = given["size"]
    border, border_px = given["dead_border"] or ("striped", 0)
    if 2 * border_px > min(nx, ny):
        raise CryosegError(f"--dead_border {border_px} px is more than half of the micrograph: give less")
    alike = ("structures", "family", "preset", "snr", "contaminants", "seed", "extension", "file_mode")
    options = SessionOptions(
        shape=(ny, nx),
        pixel_size_A=given["pixel_size"],
        dose_e_A2=given["dose"],
        defocus_um=given["defocus"],
        n_particles=given["particles"],
        defects=Defects(given["gain_error"], given["hot_pixels"], border_px, border, given["inverted"]),
        **{name: given[name] for name in alike},
    )
    diameter_A = given["particle_diameter"]
    return options if diameter_A is None else replace(options, diameter_A=diameter_A)


_FIXED_BY_THE_PAPER = ("size", "pixel_size", "snr", "dose", "defocus", "particles", "contaminants")


def _refuse_given(ctx: click.Context, decider: str, *names: str) -> None:
    given = [f"--{name}" for name in names if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT]
    if given:
        raise CryosegError(f"{decider} decides {' and '.join(given)}: leave that out")


def _simulate_parts(out: Path, options: SessionOptions, parts: Mapping[str, int], workers: int) -> None:
    from cryoseg_ext.files import locked
    from cryoseg_ext.simulation.session_files import write_session

    first = 0
    with locked(out):
        for part, n in parts.items():
            write_session(out / part, options, n, first=first, workers=workers)
            first += n
    click.echo(f"Micrographs and truth are in {out}: {', '.join(_lists(parts))}")


def _lists(parts: Mapping[str, int]) -> list[str]:
    return [str(Path(part, name)) for part in parts for name in ("micrographs.star", "particles.star")]
