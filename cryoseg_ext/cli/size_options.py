"""The options of the particle size, the same for every command that picks."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource

from cryoseg_ext.cli.common_options import POSITIVE
from cryoseg_ext.options.size import AUTO, stated_size


class _Diameter(click.ParamType[Any]):
    name = "length or auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return AUTO if value == AUTO else POSITIVE.convert(value, param, ctx)


def size_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--particle_diameter`` and the range; the command gets them as one `StatedSize` named `size`."""

    @click.option(
        "--particle_diameter",
        type=_Diameter(),
        metavar="Å|auto",
        help="Longest extent of the particle; auto estimates it from a few micrographs.",
    )
    @click.option(
        "--min_diameter", type=POSITIVE, metavar="Å", help="Mixture of sizes: the smallest particle,"
    )
    @click.option("--max_diameter", type=POSITIVE, metavar="Å", help="and the largest one.")
    @functools.wraps(command)
    def packed(
        *args: Any,
        particle_diameter: Any,
        min_diameter: float | None,
        max_diameter: float | None,
        **kwargs: Any,
    ) -> Any:
        source = click.get_current_context().get_parameter_source("particle_diameter")
        if (min_diameter or max_diameter) and source is ParameterSource.DEFAULT_MAP:
            # That of a file of settings: what the user gives wins over it.
            particle_diameter = None
        size = stated_size(particle_diameter, min_diameter, max_diameter)
        return command(*args, size=size, **kwargs)

    return packed
