"""The options of extraction, the same for every command that picks, RELION's job too."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import click

from cryoseg_ext.cli.common_options import POSITIVE
from cryoseg_ext.options.extraction import METHODS, ExtractionOptions

_DISTANCE = click.FloatRange(min=0)
_FRACTION = click.FloatRange(0, 1)
_COUNT = click.IntRange(min=1)


class ExtractionOption(NamedTuple):
    """An option of the command line: its name, the field of `ExtractionOptions`, what it takes, its help."""

    name: str
    field: str
    type: click.ParamType[Any]
    metavar: str
    help: str

    @property
    def flag(self) -> str:
        """The name with its dashes."""
        return f"--{self.name}"


EXTRACTION_OPTIONS = tuple(
    ExtractionOption(*row)
    for row in (
        ("extraction", "method", click.Choice(METHODS), "NAME", f"{', '.join(METHODS)} (centre)"),
        ("min_distance", "min_distance_A", POSITIVE, "Å", "least distance between picks (0.4 diameters)"),
        ("max_picks", "max_picks", _COUNT, "N", "only the best N of each micrograph"),
        ("border_distance", "border_A", _DISTANCE, "Å", "least distance from the rim and dead areas (0)"),
        (
            "contaminant_distance",
            "contaminant_distance_A",
            _DISTANCE,
            "Å",
            "least distance from contamination (0)",
        ),
        (
            "carbon_distance",
            "carbon_distance_A",
            _DISTANCE,
            "Å",
            "from contamination larger than ten particles (0)",
        ),
        ("mask_threshold", "mask_threshold", _FRACTION, "P", "particle probability of the mask (0.5)"),
        ("mask_erosion", "erosion_A", _DISTANCE, "Å", "peeled off the mask; contours (0)"),
        ("min_area", "min_area", _DISTANCE, "X", "in particle discs; contours, watershed (0.15)"),
        ("max_area", "max_area", POSITIVE, "X", "in particle discs; contours, watershed (2)"),
        ("min_solidity", "min_solidity", _FRACTION, "X", "least share of the convex hull; contours (0)"),
        ("helical_rise", "helical_rise_A", POSITIVE, "Å", "pick along filaments of this helical rise"),
        ("helical_nr_asu", "helical_nr_asu", _COUNT, "N", "rises from segment to segment (1)"),
        (
            "helical_tube_length_min",
            "helical_tube_length_min_A",
            POSITIVE,
            "Å",
            "shortest filament (two diameters)",
        ),
    )
)


def extraction_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--extraction`` and the others; the command gets `ExtractionOptions` named `extraction`."""

    @functools.wraps(command)
    def packed(*args: Any, **kwargs: Any) -> Any:
        given = {option.field: kwargs.pop(option.name) for option in EXTRACTION_OPTIONS}
        chosen = {field: value for field, value in given.items() if value is not None}
        return command(*args, extraction=ExtractionOptions(**chosen), **kwargs)

    for option in reversed(EXTRACTION_OPTIONS):
        packed = click.option(
            option.flag, option.name, type=option.type, metavar=option.metavar, help=option.help
        )(packed)
    return packed
