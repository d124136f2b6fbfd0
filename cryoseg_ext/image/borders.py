"""Dead borders of a micrograph: lines that are constant, empty or copies of their neighbours."""

from __future__ import annotations

import numpy as np

from cryoseg_ext.arrays import Image

FLAT_RATIO = 0.05
"""A border line is dead (flat) if it varies along itself less than this fraction of a usual line."""
STRIPE_RATIO = 0.3
"""A border line is dead (striped) if it differs from the next by less than this fraction of its variation."""
STRIPE_END_RATIO = 0.6
"""A striped border ends inwards where that fraction reaches this value, which sound lines always exceed."""
BORDER_MAX_FRACTION = 0.4
"""Largest width of a dead border, as a fraction of the field."""
SAMPLES, SAMPLE_PX = 16, 32
"""Number and width of the strips across the lines on which borders are judged."""


def live_area(image: Image) -> tuple[slice, slice]:
    """Return the range of rows and that of columns between dead borders on the four sides."""
    # A dead border of one pair of sides disturbs the lines of the other pair: rows are judged twice.
    rows = _live_lines(image, slice(0, image.shape[1]))
    columns = _live_lines(image.T, rows)
    return _live_lines(image, columns), columns


def _live_lines(lines: Image, span: slice) -> slice:
    """Return the range of the rows of `lines` between two dead borders, judged on the columns in `span`."""
    along = np.zeros(len(lines), np.float32)
    across = np.zeros(len(lines) - 1, np.float32)
    last = max(span.stop - SAMPLE_PX, span.start)
    for start in np.linspace(span.start, last, SAMPLES).astype(int):
        # Copied, because its lines lie far apart; and a product with ones is a fast sum of short lines.
        strip = lines[:, start : min(start + SAMPLE_PX, span.stop)].copy(order="K")
        ones = np.ones(strip.shape[1], np.float32)
        along += _distances(strip[:, 1:], strip[:, :-1]) @ ones[1:]
        across += _distances(strip[1:], strip[:-1]) @ ones
    if not along.any():
        return slice(0, 0)
    usual = float(np.median(along[along > 0]))
    bottom = _dead_depth(along[::-1], across[::-1], usual)
    return slice(_dead_depth(along, across, usual), len(lines) - bottom)


def _distances(values: Image, others: Image) -> Image:
    difference = values - others
    return np.abs(difference, out=difference)


def _dead_depth(along: Image, across: Image, usual: float) -> int:
    """Return the number of dead lines from the first one inwards.

    `along` is the variation within each line, `usual` that of a sound one, `across` the difference between
    each line and the next.
    """
    n = int(BORDER_MAX_FRACTION * len(along))
    flat = FLAT_RATIO * usual
    ratio = across[:n] / np.maximum(along[1 : n + 1], flat)
    dead = (along[:n] < flat) | (ratio < STRIPE_RATIO)
    # A low-pass filter wraps around and blurs the outermost stripes, so live lines may lie outside dead ones.
    mostly_dead = 2 * np.cumsum(dead) >= np.arange(1, n + 1)
    inside = np.flatnonzero(dead & mostly_dead)
    if not len(inside):
        return 0
    depth = int(inside[-1]) + 1
    ends = np.flatnonzero(ratio[depth:] >= STRIPE_END_RATIO)
    return depth + (int(ends[0]) if len(ends) else 0)
