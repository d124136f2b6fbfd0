"""``cryoseg convert``: picks from one program to another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cryoseg_ext.formats.names import NAME_RULE
from cryoseg_ext.formats.picks import PICK_FORMATS
from cryoseg_ext.formats.scaling import SCALE_RULE
from cryoseg_ext.options.kinds import COUNT, PIXEL_SIZE
from cryoseg_ext.progress import on_terminal
from cryoseg_ext.words import counted, note, printable


@click.command(epilog=f"{NAME_RULE}\n\n{SCALE_RULE}")
@click.argument("source", metavar="IN", type=click.Path(exists=True, path_type=Path))
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--micrographs",
    multiple=True,
    metavar="FILE|PATTERN|FOLDER",
    help="Micrographs of the program that gets the picks: RELION's micrographs STAR file, CryoSPARC's "
    "exposures (.csg), files, a pattern or a folder. Default: the names in IN are kept.",
)
@click.option(
    "--pixel_size",
    "pixel_size_A",
    type=PIXEL_SIZE,
    metavar="Å/px",
    help="Pixel size of the micrographs that were picked, where IN does not say it and they are binned "
    "differently from those of --micrographs, or sizes in Å must become pixels.",
)
@click.option(
    "--flip_y",
    is_flag=True,
    help="Only for picks made in a viewer that counts y from the last stored row: y becomes ny - 1 - y.",
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(list(PICK_FORMATS)),
    help="The files in a folder. Default: star.",
)
@click.option(
    "--box_size",
    "box_size_px",
    type=COUNT,
    metavar="PX",
    help="Side of the boxes in .box and .cbox files. Default: the median diameter of the picks, where IN has "
    "it.",
)
@on_terminal()
def convert(source: Path, out: Path, **options: Any) -> None:
    """Convert picks between RELION, CryoSPARC, crYOLO, Topaz, EMAN and CSV.

    IN: a STAR file (coordinates of a micrograph, autopick.star, manualpick.star, coords_suffix_*.star or
    particles.star), a .csg or .cs file with particles, a CSV file (x,y,score), a .box, .cbox or Topaz .txt
    file, or a folder with the files of many micrographs.

    OUT: NAME.csg or NAME.cs writes both, for CryoSPARC's "Import Result Group" (needs its exposures as
    --micrographs); NAME.star and NAME.txt write one table of all picks; NAME.csv, NAME.box and NAME.cbox are
    for one micrograph; anything else is a folder with a file for each micrograph.

    RELION, CryoSPARC, crYOLO, Topaz and EMAN all count y from the first stored row of the MRC file, so y is
    not flipped. The origin shifts of refined particles are applied. What a format cannot hold is listed and
    left out. Micrographs in IN that have no match are listed and skipped; rows that cannot be read too.
    """
    from cryoseg_ext.formats.convert import ConvertOptions
    from cryoseg_ext.formats.convert import convert as convert_file

    brought = convert_file(source, out, ConvertOptions(**options))
    for sentence in brought.skipped:
        click.echo(f"Skipped: {printable(sentence)}", err=True)
    for sentence in brought.remarks:
        note(sentence)
    if brought.left_out:
        click.echo(brought.left_out, err=True)
    n_picks = sum(map(len, brought.picks.values()))
    on = counted(len(brought.picks), "micrograph")
    click.echo(f"{counted(n_picks, 'pick')} on {on}, {len(brought.skipped)} skipped: {out}")
