"""``cryoseg evaluate``: picks and masks against the truth."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cryoseg_ext.cli.common_options import diameter_option
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.options.kinds import LEAST_ZERO, PIXEL_SIZE, SCORE, Number
from cryoseg_ext.progress import on_terminal
from cryoseg_ext.words import note

if TYPE_CHECKING:
    from cryoseg_ext.evaluation.boxes import BoxSummary
    from cryoseg_ext.evaluation.matching import Matching
    from cryoseg_ext.evaluation.pairs import PickPairs
    from cryoseg_ext.evaluation.summary import PickSummary, PixelSummary

_DISTANCE = Number("X", "a positive distance in diameters", above=True)
_DIAMETER = Number("PX", "a positive length in pixels", above=True)


class ValuesAfterOption(click.Command):
    """Takes ``--match 0.3 0.5`` as argparse does; click wants the option before each value."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeat the option before each value that follows the first."""
        expanded: list[str] = []
        for word in args:
            if len(expanded) > 1 and expanded[-2] == "--match" and word.replace(".", "", 1).isdigit():
                expanded.append("--match")
            expanded.append(word)
        return super().parse_args(ctx, expanded)


@dataclass(frozen=True)
class _Options:
    """The values of the options of `evaluate`."""

    truth: str
    picks: Path | None
    masks: str | None
    particle_diameter: float | None
    diameter: float | None
    pixel_size: float | None
    match: tuple[float, ...]
    threshold: float | None
    matching: Matching
    boxes: bool
    inside: tuple[float, float, float, float] | None
    ignore_extra: bool
    per_micrograph: bool
    boundary_tolerance: float
    json_file: Path | None
    pdf: Path | None


@click.command(cls=ValuesAfterOption)
@click.option(
    "--truth",
    required=True,
    metavar="FILE|FOLDER",
    help="True centres: picks in any format that cryoseg reads, or masks with numbered particles "
    "(labels.star, or a folder with NAME_instances.mrc). For --masks: labels.star or a folder with "
    "NAME_labels.mrc.",
)
@click.option("--picks", type=click.Path(path_type=Path), help="Picks, in any format that cryoseg reads.")
@click.option("--masks", metavar="FOLDER|PATTERN", help="Masks of `cryoseg segment`, or labels.star.")
@diameter_option
@click.option(
    "--pixel_size",
    type=PIXEL_SIZE,
    metavar="Å/px",
    help="Pixel size of --truth. Default: what its file says, else that of --picks.",
)
@click.option(
    "--diameter",
    type=_DIAMETER,
    metavar="PX",
    help="In place of --particle_diameter: the diameter in pixels of --truth.",
)
@click.option(
    "--match",
    type=_DISTANCE,
    multiple=True,
    default=(0.3, 0.5),
    help="Largest distance of pick and particle, in diameters; several after one another.",
)
@click.option("--threshold", type=SCORE, help="Count only picks of this score or more; the curves use all.")
@click.option(
    "--matching",
    type=click.Choice(["hungarian", "greedy"]),
    default="hungarian",
    help="hungarian: most pairs, whatever the scores; greedy: best pick first, each takes the nearest.",
)
@click.option(
    "--boxes",
    is_flag=True,
    help="Score picks as boxes too, as object detection does: squares of one particle diameter around the "
    "centres. Precision and recall at an overlap (IoU) of 0.5, and the mAP over IoU 0.5 to 0.95.",
)
@click.option(
    "--inside",
    type=(float, float, float, float),
    metavar="X0 Y0 X1 Y1",
    help="Only particles and picks in this rectangle, pixels of --truth.",
)
@click.option("--ignore_extra", is_flag=True, help="Ignore picks on micrographs without truth.")
@click.option("--per_micrograph", is_flag=True, help="Print a line per micrograph too.")
@click.option(
    "--boundary_tolerance",
    type=LEAST_ZERO,
    default=2.0,
    metavar="PX",
    help="How far apart two boundaries may be, in pixels of the smaller of two masks.",
)
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write a JSON.")
@click.option("--pdf", type=click.Path(dir_okay=False, path_type=Path), help="Write curves and a table.")
@on_terminal()
def evaluate(**values: Any) -> None:
    """Compare picks (--picks, --particle_diameter) or masks (--masks) with the truth.

    Counts are summed over micrographs. A micrograph with truth but without picks has zero picks. Curves,
    average precision, best F1 and calibration take the best pick first, each the nearest free particle. The
    calibration error is the mean distance between the score of picks and the share of them that is right,
    in ten bins. The 95 % intervals come from drawing the micrographs again and again: with few micrographs
    they are too narrow, with one there are none.

    The boxes of --boxes have one side for all, whatever sizes the files hold: the diameter. By falling score,
    each pick takes the free particle whose box it shares most with. mAP is COCO's: the mean over IoU 0.5,
    0.55, ..., 0.95 of the average precision at 101 recalls, all micrographs together. Picks without scores
    count in the order of their files.

    Masks of two sizes are compared on the pixels of the smaller one. Where no mask says contaminant (2),
    contaminants in the truth count as background (0).
    """
    from cryoseg_ext.files import replace_text
    from cryoseg_ext.report.boxes import box_report
    from cryoseg_ext.report.evaluation import write_evaluation_report
    from cryoseg_ext.report.scores import pick_report, pixel_report

    options = _Options(**values)
    if not options.picks and not options.masks:
        raise CryosegError("there is nothing to compare: give --picks with --particle_diameter, or --masks")
    if options.boxes and not options.picks:
        raise CryosegError("--boxes scores picks: give --picks with --particle_diameter")
    summaries, boxes = _compare_picks(options, options.picks) if options.picks else ({}, None)
    report = {f"{fraction:g}": pick_report(summary) for fraction, summary in summaries.items()}
    if boxes:
        report["boxes"] = box_report(boxes)
    pixels = _compare_masks(options, options.masks) if options.masks else None
    if pixels:
        report["pixels"] = pixel_report(pixels)
    if options.json_file:
        replace_text(options.json_file, json.dumps(report, indent=1) + "\n")
    if options.pdf:
        titled = {f"{at:g} x diameter = {one.radius_px:.1f} px": one for at, one in summaries.items()}
        write_evaluation_report(options.pdf, titled, pixels, boxes)
        click.echo(f"Curves and tables: {options.pdf}")


def _compare_picks(options: _Options, picks: Path) -> tuple[dict[float, PickSummary], BoxSummary | None]:
    """Return the scores of picks by the match distance in diameters, and as boxes, and show them."""
    from cryoseg_ext.evaluation.boxes import summarise_boxes
    from cryoseg_ext.evaluation.pairs import read_pairs
    from cryoseg_ext.evaluation.summary import summarise_picks
    from cryoseg_ext.report.boxes import box_lines
    from cryoseg_ext.report.scores import pick_lines

    if (options.diameter is None) == (options.particle_diameter is None):
        raise CryosegError("give either --particle_diameter in Å or --diameter in pixels of --truth")
    pairs = read_pairs(Path(options.truth), picks, options.inside, ignore_extra=options.ignore_extra)
    for sentence in pairs.remarks:
        note(sentence)
    if options.threshold is not None and not pairs.scored:
        raise CryosegError(f"{picks} has no scores: leave out --threshold")
    diameter_px = _diameter_px(options, pairs)
    summaries: dict[float, PickSummary] = {}
    for fraction in options.match:
        summaries[fraction] = summary = summarise_picks(
            pairs.by_name, fraction * diameter_px, options.threshold, options.matching, scored=pairs.scored
        )
        for line in pick_lines(
            fraction, summary, options.threshold, options.matching, each=options.per_micrograph
        ):
            click.echo(line)
    if not options.boxes:
        return summaries, None
    boxes = summarise_boxes(pairs.by_name, diameter_px, options.threshold)
    for line in box_lines(boxes, options.threshold, scored=pairs.scored, each=options.per_micrograph):
        click.echo(line)
    return summaries, boxes


def _diameter_px(options: _Options, pairs: PickPairs) -> float:
    if options.particle_diameter is None:
        assert options.diameter is not None
        return options.diameter
    return pairs.to_px(options.particle_diameter, options.pixel_size)


def _compare_masks(options: _Options, masks: str) -> PixelSummary:
    """Return the scores of masks, and show them."""
    from cryoseg_ext.evaluation.pairs import MaskPairs
    from cryoseg_ext.evaluation.summary import summarise_pixels
    from cryoseg_ext.report.evaluation import pixel_lines

    pairs = MaskPairs(options.truth, masks, ignore_extra=options.ignore_extra)
    pixels = summarise_pixels(pairs, pairs.n_classes, options.boundary_tolerance)
    click.echo(f"pixels of {pixels.n_micrographs} micrographs: accuracy {pixels.accuracy:.4f}")
    for row in pixel_lines(pixels):
        click.echo("  " + row[0].ljust(12) + "".join(cell.rjust(12) for cell in row[1:]))
    return pixels
