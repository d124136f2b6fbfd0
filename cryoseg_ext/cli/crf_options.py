"""The options of the conditional random field, the same for every command that uses it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from cryoseg_ext.options.crf import FILTERS, REFERENCES, SOLVERS, CrfChoice


def crf_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--crf_solver`` and the others; the command gets them as one `CrfChoice` named `crf`."""

    @click.option("--crf_solver", type=click.Choice(SOLVERS), help="Solver of the CRF; none leaves it out.")
    @click.option("--crf_filter", type=click.Choice(FILTERS), help="How its appearance kernels are applied.")
    @click.option("--crf_reference", type=click.Choice(REFERENCES), help="The map that steers them.")
    @click.option(
        "--crf_iterations",
        type=click.IntRange(min=0),
        help="Iterations. Default of all four: what the model was trained with.",
    )
    @functools.wraps(command)
    def packed(
        *args: Any,
        crf_solver: Any,
        crf_filter: Any,
        crf_reference: Any,
        crf_iterations: int | None,
        **kwargs: Any,
    ) -> Any:
        return command(*args, crf=CrfChoice(crf_solver, crf_filter, crf_reference, crf_iterations), **kwargs)

    return packed
