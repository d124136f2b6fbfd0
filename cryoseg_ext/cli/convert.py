"""``cryoseg convert``: picks from one program to another."""

from __future__ import annotations

from pathlib import Path

import click

from cryoseg_ext.cli.common_options import POSITIVE
from cryoseg_ext.formats.convert import SCALE_RULE
from cryoseg_ext.formats.names import NAME_RULE


@click.command(epilog=f"{NAME_RULE}\n\n{SCALE_RULE}")
@click.argument("source", metavar="IN", type=click.Path(exists=True, path_type=Path))
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--micrographs",
    type=click.Path(exists=True, path_type=Path),
    help="Micrographs of the program that gets the picks: RELION's micrographs STAR file, CryoSPARC's "
    "exposures (.csg), or a folder. Default: the names in IN are kept.",
)
@click.option(
    "--pixel_size",
    type=POSITIVE,
    metavar="Å/px",
    help="Pixel size of the micrographs that were picked, where IN does not say it and they are binned "
    "differently from those of --micrographs.",
)
@click.option(
    "--flip_y",
    is_flag=True,
    help="Only for picks made in a viewer that counts y from the last stored row: y becomes ny - 1 - y.",
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["star", "csv"]),
    default="star",
    show_default=True,
    help="The files in a folder.",
)
def convert(
    source: Path,
    out: Path,
    micrographs: Path | None,
    pixel_size: float | None,
    flip_y: bool,
    file_format: str,
) -> None:
    """Convert picks between RELION, CryoSPARC and CSV.

    IN: a STAR file (coordinates of a micrograph, autopick.star, manualpick.star, coords_suffix_*.star or
    particles.star), a .csg or .cs file with particles, a CSV file (x,y,score), or a folder with the CSV or
    STAR files of many micrographs.

    OUT: NAME.csg or NAME.cs writes both, for CryoSPARC's "Import Result Group" (needs its exposures as
    --micrographs); NAME.star writes one table of all picks; anything else is a folder with a file for each
    micrograph.

    RELION and CryoSPARC both count y from the first stored row of the MRC file, so y is not flipped.
    Micrographs in IN that have no match are listed and skipped.
    """
    from cryoseg_ext.formats.convert import convert as convert_file

    brought = convert_file(source, out, micrographs, pixel_size, flip_y=flip_y, as_csv=file_format == "csv")
    for sentence in brought.skipped:
        click.echo(f"Skipped: {sentence}", err=True)
    n_picks = sum(map(len, brought.picks.values()))
    click.echo(f"{n_picks} picks on {len(brought.picks)} micrographs, {len(brought.skipped)} skipped: {out}")
