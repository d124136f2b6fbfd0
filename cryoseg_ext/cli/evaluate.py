"""``cryoseg evaluate``: picks and masks against the truth."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cryoseg_ext.cli.common_options import POSITIVE
from cryoseg_ext.errors import CryosegError

if TYPE_CHECKING:
    from cryoseg_ext.evaluation.matching import Matching
    from cryoseg_ext.evaluation.picks import FixedScores
    from cryoseg_ext.evaluation.summary import PickSummary, PixelSummary


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


@click.command(cls=ValuesAfterOption)
@click.option(
    "--truth",
    required=True,
    metavar="FILE|FOLDER",
    help="True centres: STAR, .cs, .csg, CSV, or masks with numbered particles (labels.star, or a folder "
    "with NAME_instances.mrc). For --masks: labels.star or a folder with NAME_labels.mrc.",
)
@click.option("--picks", type=click.Path(path_type=Path), help="Picks, in any format that cryoseg reads.")
@click.option("--masks", metavar="FOLDER|PATTERN", help="Masks of `cryoseg segment`, or labels.star.")
@click.option("--diameter", type=POSITIVE, metavar="PX", help="Of the particle, in pixels of --truth.")
@click.option(
    "--match",
    type=POSITIVE,
    multiple=True,
    default=(0.3, 0.5),
    show_default=True,
    help="Largest distance of pick and particle, in diameters; several after one another.",
)
@click.option("--threshold", type=float, help="Count only picks of this score or more; the curves use all.")
@click.option(
    "--matching",
    type=click.Choice(["hungarian", "greedy"]),
    default="hungarian",
    show_default=True,
    help="hungarian: most pairs, whatever the scores; greedy: best pick first, each takes the nearest.",
)
@click.option(
    "--inside",
    type=(float, float, float, float),
    metavar="X0 Y0 X1 Y1",
    help="Only particles and picks in this rectangle, pixels of --truth.",
)
@click.option(
    "--ignore-extra", "--ignore_extra", is_flag=True, help="Ignore picks on micrographs without truth."
)
@click.option("--per-micrograph", "--per_micrograph", is_flag=True, help="Print a line per micrograph too.")
@click.option(
    "--boundary-tolerance",
    "--boundary_tolerance",
    type=click.FloatRange(min=0),
    default=2.0,
    show_default=True,
    metavar="PX",
    help="How far apart two boundaries may be, in pixels of the smaller of two masks.",
)
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write a JSON.")
@click.option("--pdf", type=click.Path(dir_okay=False, path_type=Path), help="Write curves and a table.")
def evaluate(
    truth: str,
    picks: Path | None,
    masks: str | None,
    diameter: float | None,
    match: tuple[float, ...],
    threshold: float | None,
    matching: Matching,
    inside: tuple[float, float, float, float] | None,
    ignore_extra: bool,
    per_micrograph: bool,
    boundary_tolerance: float,
    json_file: Path | None,
    pdf: Path | None,
) -> None:
    """Compare picks (--picks, --diameter) or masks (--masks) with the truth.

    Counts are summed over micrographs. A micrograph with truth but without picks has zero picks. Curves,
    average precision, best F1 and calibration take the best pick first, each the nearest free particle. The
    calibration error is the mean distance between the score of picks and the share of them that is right,
    in ten bins. The 95 % intervals come from drawing the micrographs again and again: with few micrographs
    they are too narrow, with one there are none.

    Masks of two sizes are compared on the pixels of the smaller one. Where no mask says contaminant (2),
    contaminants in the truth count as background (0).
    """
    report: dict[str, Any] = {}
    summaries: dict[str, PickSummary] = {}
    pixels: PixelSummary | None = None
    if picks:
        if diameter is None:
            raise CryosegError("--diameter is missing: give the particle diameter in pixels of --truth")
        from cryoseg_ext.evaluation.pairs import read_pairs
        from cryoseg_ext.evaluation.summary import summarise_picks

        micrographs, scored = read_pairs(Path(truth), picks, inside, ignore_extra=ignore_extra)
        if threshold is not None and not scored:
            raise CryosegError(f"{picks} has no scores: leave out --threshold")
        for fraction in match:
            one = summarise_picks(micrographs, fraction * diameter, threshold, matching, scored=scored)
            report[f"{fraction:g}"] = pick_report(one)
            summaries[f"{fraction:g} x diameter = {one.radius_px:.1f} px"] = one
            for line in _lines(fraction, one, threshold, matching, each=per_micrograph):
                click.echo(line)
    if masks:
        from cryoseg_ext.evaluation.pairs import MaskPairs
        from cryoseg_ext.evaluation.summary import summarise_pixels
        from cryoseg_ext.report.evaluation import pixel_lines

        pairs = MaskPairs(truth, masks, ignore_extra=ignore_extra)
        pixels = summarise_pixels(pairs, pairs.n_classes, boundary_tolerance)
        report["pixels"] = _without_nan(asdict(pixels))

        click.echo(f"pixels of {pixels.n_micrographs} micrographs: accuracy {pixels.accuracy:.4f}")
        for row in pixel_lines(pixels):
            click.echo("  " + row[0].ljust(12) + "".join(cell.rjust(12) for cell in row[1:]))
    if not report:
        raise CryosegError("there is nothing to compare: give --picks with --diameter, or --masks")
    _write(report, summaries, pixels, json_file, pdf)


def pick_report(one: PickSummary) -> dict[str, Any]:
    """Return what JSON says about picks: the keys of the usual scorer, and more."""
    report: dict[str, Any] = {"fixed": asdict(one.fixed)}
    if one.curve and one.at_best:
        curve, best = one.curve, one.curve.best
        report |= {
            "best_threshold": float(curve.threshold[best]),
            "best_f1": float(curve.f1[best]),
            "best_precision": float(curve.precision[best]),
            "best_recall": float(curve.recall[best]),
            "average_precision": curve.average_precision,
            "max_recall": float(curve.recall[-1]),
            "f1_at_best": asdict(one.at_best),
        }
    more: dict[str, Any] = {"count_error": one.fixed.count_error, "confidence_95": one.intervals}
    if one.calibration:
        bins = {name: values.tolist() for name, values in asdict(one.calibration).items()}
        more["calibration"] = bins | {"expected_error": one.calibration.expected_calibration_error}
    more["micrographs"] = {name: asdict(each) for name, each in one.micrographs.items()}
    # The usual keys stay as the scorer writes them.
    return {**report, **_without_nan(more)}


def _without_nan(value: Any) -> Any:
    """Return null for what is not a number, which JSON does not have."""
    if isinstance(value, Mapping):
        return {name: _without_nan(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _lines(
    fraction: float, one: PickSummary, threshold: float | None, matching: Matching, *, each: bool
) -> Iterator[str]:
    yield (
        f"match distance {fraction:g} x diameter = {one.radius_px:.1f} px, {len(one.micrographs)} "
        f"micrographs, {matching} matching"
    )
    if each:
        yield from (_line(name, scores) for name, scores in one.micrographs.items())
    yield _line("all picks" if threshold is None else f"score >= {threshold:g}", one.fixed)
    if one.curve and one.at_best:
        curve, best = one.curve, one.curve.best
        yield (
            f"  best F1 {curve.f1[best]:.4f} at score >= {curve.threshold[best]:.4g}  precision "
            f"{curve.precision[best]:.4f} recall {curve.recall[best]:.4f}  "
            f"(greedy; {matching} there: F1 {one.at_best.f1:.4f})"
        )
        yield (
            f"  average precision {curve.average_precision:.4f}  "
            f"highest recall reached {curve.recall[-1]:.4f}"
        )
    if one.calibration:
        yield f"  calibration error {one.calibration.expected_calibration_error:.4f}"
    if one.intervals:
        words = (f"{name} {low:.3f} to {high:.3f}" for name, (low, high) in one.intervals.items())
        yield "  95 % of draws of the micrographs: " + ", ".join(words)


def _line(name: str, scores: FixedScores) -> str:
    return (
        f"  {name:16s} truth {scores.truth} picks {scores.picks} TP {scores.tp}  precision "
        f"{scores.precision:.4f} recall {scores.recall:.4f} F1 {scores.f1:.4f}  median distance "
        f"{scores.median_distance:.1f} px  count error {scores.count_error:+.3f}"
    )


def _write(
    report: Mapping[str, Any],
    picks: Mapping[str, PickSummary],
    pixels: PixelSummary | None,
    json_file: Path | None,
    pdf: Path | None,
) -> None:
    from cryoseg_ext.files import replace_text
    from cryoseg_ext.report.evaluation import write_evaluation_report

    if json_file:
        replace_text(json_file, json.dumps(report, indent=1) + "\n")
    if pdf:
        write_evaluation_report(pdf, picks, pixels)
        click.echo(f"Curves and tables: {pdf}")
